"""All checks, in the order in which a person mends: what must be there first, then the rest."""

from collections.abc import Callable, Iterator

from autotune.doctor.card import (
    check_card,
    check_clock,
    check_memory,
    check_precision,
    check_spilling,
)
from autotune.doctor.computer import (
    check_disk,
    check_libraries,
    check_power,
    check_ram,
    check_system,
    check_terminal,
)
from autotune.doctor.finding import Examination, Finding, note
from autotune.doctor.machine import Machine
from autotune.doctor.network import check_hub, check_prompts, check_scorer, check_sources
from autotune.doctor.torch_use import check_torch

Check = Callable[[Machine], Finding | tuple[Finding, ...] | None]

CHECKS: dict[str, Check] = {
    "system": check_system,
    "card": check_card,
    "torch": check_torch,
    "libraries": check_libraries,
    "memory": check_memory,
    "precision": check_precision,
    "spilling": check_spilling,
    "clock": check_clock,
    "power": check_power,
    "computer": check_ram,
    "disk": check_disk,
    "hub": check_hub,
    "sources": check_sources,
    "prompts": check_prompts,
    "scorer": check_scorer,
    "terminal": check_terminal,
}
"""Each gives what it finds, or nothing where it does not concern the machine.

Example:
    With the row `"fan": check_fan` below, `smolsft-autotune doctor` has a line more.
"""


def examine(machine: Machine) -> Examination:
    """What every check finds. One that fails is a note: what the others find still counts."""
    return Examination(profile=machine.profile.name, findings=tuple(findings(machine)))


def findings(machine: Machine) -> Iterator[Finding]:
    """What every check finds, each as soon as it is known: some take seconds."""
    for name, check in CHECKS.items():
        try:
            found = check(machine)
        except Exception as error:  # whatever a machine does that nobody thought of
            text = " ".join(str(error).split())
            yield note(name, f"could not be looked at ({type(error).__name__}: {text})")
            continue
        if found is not None:
            yield from found if isinstance(found, tuple) else (found,)
