"""Whether the installed torch can compute on the chosen card, asked before any work is done.

Without this the first worker that needs the card fails, in the middle of something else, in words
that name neither torch nor the remedy. What a table could say (driver, capability) only explains:
whether the card can be used is tried, by one product in a process of its own.
"""

from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from autotune.base.error_texts import Meaning, known, remedy_at_start
from autotune.base.errors import EnvironmentFault
from autotune.base.scratch import scratch_folder
from autotune.device.budget import as_processes_see
from autotune.device.find import NOT_REPORTED, Device
from autotune.device.torch_build import TorchBuild, installed_build, torch_folder
from autotune.device.torch_wheels import (
    INDEX_URL,
    OLDEST_CAPABILITY,
    Installer,
    choose_index,
    driver_branch,
    driver_needed,
    installer,
    requirement,
)
from autotune.launch import JobResult, TrialRunner, dropped_settings
from autotune.launch.worker_errors import with_remedy
from autotune.protocol.card_answer import CardAnswer
from autotune.protocol.choices import Precision
from autotune.protocol.failure import Failure
from autotune.protocol.job import CheckJob, DeviceSpec

SILENCE_SECONDS = 180.0
"""Loading torch takes seconds, minutes where antivirus reads its libraries for the first time; a
driver that hangs says nothing for ever."""

USE_CPU = "add --device cpu to continue without the card"

DRIVERS_PAGE = "https://www.nvidia.com/drivers"


class CardRefused(EnvironmentFault):
    """torch cannot compute on a card: `fact` says why and `remedy` what mends it."""

    def __init__(self, fact: str, remedy: str) -> None:
        super().__init__(f"{fact}; {USE_CPU}, or {remedy}")
        self.fact = fact
        self.remedy = remedy


def short_name(name: str) -> str:
    """A card as people call it: `RTX 4060 Laptop` of `NVIDIA GeForce RTX 4060 Laptop GPU`."""
    return name.removeprefix("NVIDIA ").removeprefix("GeForce ").removesuffix(" GPU")


def demand_build(device: Device, build: TorchBuild | None, tool: Installer | None = None) -> None:
    """Refuse a torch that was built without CUDA; starts nothing and takes no time.

    Raises:
        EnvironmentFault: with the command that installs one for this card.
    """
    if not device.traits.is_card or build is None or build.cuda is not None:
        return
    reason = "it was built without CUDA" if build.hip is None else "it was built for AMD's cards"
    raise _refused(device, build, reason, _replace(device, build, tool or installer()))


def checked_device(
    runner: TrialRunner, device: Device, index: int, budget: str, say: Callable[[str], None]
) -> tuple[Device, CardAnswer | None]:
    """The device, which torch can compute on, and what torch said of it, None on a CPU.

    Of a card that is told, and what workers go without. Where `budget` is `auto` it has no more
    free than torch is given.

    Raises:
        EnvironmentFault: torch cannot compute on it.
    """
    card = check_card(runner, device, index)
    if card is None:
        return device, None
    say(f"torch {card.torch} computes on {device.name}, driver {device.driver or NOT_REPORTED}")
    for sentence in dropped_settings():
        say(sentence)
    return as_processes_see(device, budget, card.free_bytes), card


def check_card(
    runner: TrialRunner,
    device: Device,
    index: int,
    build: TorchBuild | None = None,
    tool: Installer | None = None,
    silence_seconds: float = SILENCE_SECONDS,
) -> CardAnswer | None:
    """What torch says of the card with torch's `index`; None on a CPU, where nothing is asked.

    Costs loading torch once, some two or three seconds, and the card's context for a moment.
    `build` is the installed torch and `tool` how packages get here, where they are known already.

    Raises:
        EnvironmentFault: torch cannot compute on it; in one line why, and what to do.
    """
    if not device.traits.is_card:
        return None
    if build is None:
        if torch_folder() is None:
            raise EnvironmentFault(
                f"torch is not installed; install it with: {install_command(device, tool)}"
            )
        build = installed_build()
    demand_build(device, build, tool)
    with scratch_folder("card") as folder:
        out = folder / "card.json"
        spec = DeviceSpec(kind=device.kind, index=index, precision=Precision.FP32)
        job = CheckJob(device=spec, out=str(out))
        result = runner.run(job, folder, lambda _: None, silence_seconds=silence_seconds)
        answer = _read(out)
        if result.failure is not None or answer is None:
            raise _no_answer(device, build, result, folder / "worker.log")
    if answer.problem is not None:
        known = TorchBuild(answer.torch, answer.cuda)
        reason, remedy = explain(device, answer, known, tool or installer())
        raise _refused(device, known, reason, remedy)
    return answer


def explain(
    device: Device, answer: CardAnswer, build: TorchBuild, tool: Installer
) -> tuple[str, str]:
    """Why the card cannot be used, and what to do about it."""
    row = known(answer.problem or "")
    meaning = row.meaning if row is not None else None
    needed, branch = driver_needed(build.cuda), driver_branch(device.driver)
    if meaning is Meaning.DRIVER:
        reason = f"CUDA {build.cuda} needs an NVIDIA driver from {needed or 'a later release'}"
        reason += f" on, this is {device.driver}" if device.driver else ""
        return reason, _newer_driver(device, build, tool, branch)
    if meaning is Meaning.NO_CODE:
        capability = answer.capability or device.capability
        if build.cuda is None:
            reason = "it was built without CUDA"
        else:
            of = f" of capability {capability[0]}.{capability[1]}" if capability else ""
            reason = f"it has no code for a card{of}"
            reason += f", only {' '.join(answer.arch_list)}" if answer.arch_list else ""
        return reason, _replace(device, build, tool, capability)
    if remedy := remedy_at_start(row):
        return f"the driver reports {answer.problem!r}", remedy
    return f"torch reports {answer.problem!r}", "restart the computer, then look at nvidia-smi"


def _refused(device: Device, build: TorchBuild, reason: str, remedy: str) -> CardRefused:
    fact = f"torch {build.version} cannot use the {short_name(device.name)}: {reason}"
    return CardRefused(fact, remedy)


def _replace(
    device: Device,
    build: TorchBuild | None,
    tool: Installer,
    capability: tuple[int, int] | None = None,
) -> str:
    """The command that puts a torch for this card in place of the installed one."""
    capability = capability or device.capability
    index = choose_index(capability, device.driver)
    if index is None:
        oldest = f"{OLDEST_CAPABILITY[0]}.{OLDEST_CAPABILITY[1]}"
        return f"use a newer card: no torch of today has code below capability {oldest}"
    branch = driver_branch(device.driver)
    first = ""
    if branch is not None and branch < index.driver:
        first = f"install an NVIDIA driver from {index.driver} on ({DRIVERS_PAGE}), then "
    return f"{first}replace it with: {tool.command(requirement(build, index), index)}"


def _newer_driver(device: Device, build: TorchBuild, tool: Installer, branch: int | None) -> str:
    remedy = f"install a newer driver ({DRIVERS_PAGE})"
    index = choose_index(device.capability, device.driver)
    if index is not None and branch is not None and index.driver <= branch:
        command = tool.command(requirement(build, index), index)
        remedy += f", or a torch for this one: {command}"
    return remedy


def install_command(device: Device | None, tool: Installer | None = None) -> str:
    """The command that installs torch where there is none; without a card the CPU's."""
    tool = tool or installer()
    if device is None or not device.traits.is_card:
        return tool.cpu_command()
    index = choose_index(device.capability, device.driver)
    if index is None:
        return f"pip install torch (see {INDEX_URL})"
    return tool.command(requirement(None, index), index)


def _read(path: Path) -> CardAnswer | None:
    try:
        return CardAnswer.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _no_answer(
    device: Device, build: TorchBuild | None, result: JobResult, log: Path
) -> EnvironmentFault:
    """The process that looked died or hangs: by torch itself, for want of memory, in the driver."""
    if result.failure in (Failure.LIBRARY, Failure.HOST_MEMORY):
        return EnvironmentFault(with_remedy(result.reason), log=log)
    name = f"torch {build.version}" if build is not None else "torch"
    return EnvironmentFault(
        f"{name} cannot use the {short_name(device.name)}: the process that tried it ended"
        f" without an answer ({result.reason or result.words}); {USE_CPU}, or restart the computer",
        log=log,
    )
