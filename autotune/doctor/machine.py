"""What the checks look at: the machine as it is now, asked once and without loading torch."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from autotune.base.errors import BadInput, EnvironmentFault
from autotune.config.profile import Profile
from autotune.device.cpu import on_battery
from autotune.device.find import Device, find_device
from autotune.device.kinds import open_nvml
from autotune.device.nvml_port import CardState, NvmlPort
from autotune.device.spill import driver_lends
from autotune.device.torch_build import TorchBuild, installed_build, torch_folder
from autotune.doctor.torch_import import import_torch
from autotune.launch import SubprocessRunner, TrialRunner
from autotune.sources.reachable import HubAnswer, ask_hub


@dataclass(frozen=True, slots=True)
class Machine:
    """This machine, for a profile. Memory and disk in bytes.

    Attributes:
        profile: what the commands that compute would work by.
        budget_giver: what names a budget that is a size, such as `--vram-budget`.
        choice: the device that they are asked for, as `--device` has it.
        device: what they would compute on; None where there is none, for which `fault` says why.
        state: how a card is doing now; None of a CPU.
        build: the torch that is installed; None where it does not say, or none is (`has_torch`).
        battery: whether it runs on its battery; None where it has none or does not say.
        lends: whether the driver lends a full card memory of the computer (Windows, WSL).
        memory_bytes, available_bytes: the computer's, all of it and what is free.
        folder: where runs are kept, and `disk_bytes` what is free there.
        encoding: what the terminal is written to in; None where there is no terminal.
        hub: waits, two seconds at most, for whether the hub can be reached.
        runner: has a worker try the card.
        try_torch: loads torch in a process of its own; the error's text, empty where it loads.
    """

    profile: Profile
    budget_giver: str | None
    choice: str
    device: Device | None
    fault: EnvironmentFault | BadInput | None
    state: CardState | None
    has_torch: bool
    build: TorchBuild | None
    battery: bool | None
    lends: bool
    memory_bytes: int
    available_bytes: int
    folder: Path
    disk_bytes: int
    encoding: str | None
    hub: Callable[[], HubAnswer]
    runner: TrialRunner
    try_torch: Callable[[], str]

    @property
    def is_card(self) -> bool:
        """Whether it computes on a card."""
        return self.device is not None and self.device.traits.is_card


def look(
    profile: Profile,
    choice: str,
    *,
    budget_giver: str | None = None,
    nvml: NvmlPort | None = None,
    environ: Mapping[str, str] | None = None,
    encoding: str | None = None,
) -> Machine:
    """This machine now; `choice` is the device that is asked for, as `--device` has it.

    `encoding` is the terminal's, which only its owner knows, and so is `budget_giver`.

    `nvml` and `environ` stand for the driver and the environment of another machine.
    """
    import psutil

    hub = ask_hub(environ)  # begins to connect; asked for when all else is known
    driver = open_nvml() if nvml is None else nvml
    device, fault = None, None
    try:
        device = find_device(choice, driver, environ)
    except (EnvironmentFault, BadInput) as error:
        fault = error
    memory, folder = psutil.virtual_memory(), Path.cwd()
    return Machine(
        profile=profile,
        budget_giver=budget_giver,
        choice=choice,
        device=device,
        fault=fault,
        state=driver.state(device.index) if device is not None and device.traits.is_card else None,
        has_torch=torch_folder() is not None,
        build=installed_build(),
        battery=on_battery(),
        lends=driver_lends(),
        memory_bytes=int(memory.total),
        available_bytes=int(memory.available),
        folder=folder,
        disk_bytes=shutil.disk_usage(folder).free,
        encoding=encoding,
        hub=hub,
        runner=SubprocessRunner(),
        try_torch=import_torch,
    )
