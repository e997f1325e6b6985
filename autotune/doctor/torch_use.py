"""torch: whether it is installed, loads, and computes on the card; which attention it has there."""

from autotune.base.error_texts import known
from autotune.base.errors import EnvironmentFault
from autotune.doctor.card import split
from autotune.doctor.finding import Finding, blocks, note, ok
from autotune.doctor.machine import Machine
from autotune.doctor.torch_import import StillLoading
from autotune.protocol.card_answer import CardAnswer
from autotune.run.card_check import CardRefused, check_card, install_command, short_name
from autotune.run.setup import torch_index

SILENCE_SECONDS = 60.0
"""How long the process that tries the card may say nothing. A run gives it three times as long."""


def check_torch(machine: Machine) -> tuple[Finding, ...]:
    """The build against the card and its driver, tried by one product on the card.

    Costs loading torch once, in a process of its own. Without a card it is only loaded.
    """
    if not machine.has_torch:
        command = install_command(machine.device)
        return (blocks("torch", "torch is not installed", command),)
    if not machine.is_card:
        return (_loaded(machine),)
    assert machine.device is not None
    try:
        index = torch_index(machine.choice)
        answer = check_card(
            machine.runner, machine.device, index, machine.build, silence_seconds=SILENCE_SECONDS
        )
    except CardRefused as error:
        return (blocks("torch", error.fact, f"{error.remedy} (or work on the CPU: --device cpu)"),)
    except EnvironmentFault as error:
        return (blocks("torch", *split(error)),)
    assert answer is not None
    fact = (
        f"{answer.torch}, built with CUDA {answer.cuda}, computes on the"
        f" {short_name(machine.device.name)}"
    )
    return (ok("torch", fact), _attention(answer))


def _loaded(machine: Machine) -> Finding:
    build = machine.build
    name = "torch" if build is None else f"torch {build.version}"
    try:
        problem = machine.try_torch()
    except StillLoading as error:
        return note(
            "torch",
            f"{name} is still loading after {error}: other programs are at work, or antivirus reads"
            " it for the first time",
            "wait and look again",
        )
    if problem:
        row = known(problem)
        remedy = row.remedy if row is not None and row.remedy else ""
        command = install_command(machine.device)
        return blocks("torch", f"{name} does not load: {problem}", remedy or command)
    built = f", built with CUDA {build.cuda}" if build is not None and build.cuda else ""
    return ok("torch", f"{name} loads{built}; the CPU computes")


def _attention(answer: CardAnswer) -> Finding:
    if answer.fused:
        return ok("attention", "a fused kernel computes it here: memory grows with the tokens")
    if answer.fused is None:
        return note("attention", "whether a fused kernel computes it here was not tried")
    return note(
        "attention",
        "plain mathematics computes it here: memory grows with the square of the length",
        "update torch, or plan with smolsft-autotune probe --plan --attention math",
    )
