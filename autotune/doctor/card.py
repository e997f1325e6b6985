"""The card: whether it can be asked, what is free on it, how it computes, what holds it back."""

from autotune.base.errors import AutotuneError, BadInput, EnvironmentFault
from autotune.base.format import either
from autotune.base.sizes import show_size
from autotune.config.load import CPU_PROFILE
from autotune.device.budget import auto_budget, budget_sentence
from autotune.device.find import NOT_REPORTED, Device, show_bytes
from autotune.device.spill import ADVICE
from autotune.doctor.finding import Finding, blocks, note, ok
from autotune.doctor.machine import Machine
from autotune.protocol.device_kind import has_own_memory
from autotune.protocol.throttle import Throttle
from autotune.run.setup import own_processes, resolve_precision
from autotune.train.without_card import slows

CROWDED = 0.8
"""Below this share of a card that is free, who holds the rest is worth a look. A desktop alone
takes about a tenth of 8 GB."""

COOLING = {
    Throttle.HEAT: "let it cool: raise the laptop, clean its fans",
    Throttle.HARDWARE: "look after its cooling and its power supply",
    Throttle.POWER: "plug in the power supply it came with, and choose the fastest power plan",
    Throttle.POWER_BRAKE: "look after its power supply",
}


def split(error: AutotuneError) -> tuple[str, str]:
    """Fact and remedy of an error's line, which has them in this order."""
    fact, _, remedy = str(error).partition("; ")
    return fact, remedy or "see docs/machines.md"


def check_card(machine: Machine) -> Finding:
    """Which card there is; without one, why the CPU computes."""
    if machine.fault is not None:
        return blocks("card", *split(machine.fault))
    device = machine.device
    assert device is not None
    if machine.is_card:
        if device.doubt:
            return note("card", f"{described(device)}; {device.note}", "restart the computer")
        return ok("card", described(device))
    why = f" ({device.note})" if device.note else ""
    if machine.choice != "cpu" and machine.profile.machine.memory is not None:
        return blocks(
            "card",
            f"profile {machine.profile.name} is for an NVIDIA card, and there is none{why}",
            f"take --profile {CPU_PROFILE}, or plan for a card: smolsft-autotune probe --plan",
        )
    fact = f"the CPU computes, {device.name}{why}"
    return note("card", fact) if device.note else ok("card", fact)


def described(device: Device) -> str:
    """A card in a line."""
    capability = device.capability
    generation = f", capability {capability[0]}.{capability[1]}" if capability else ""
    return (
        f"{device.name}, {show_bytes(device.total_bytes)}, driver"
        f" {device.driver or NOT_REPORTED}{generation}"
    )


def check_memory(machine: Machine) -> Finding | None:
    """What a trial may use, and who holds the rest."""
    device = machine.device
    if device is None:
        return None
    wanted, own = machine.profile.machine, own_processes()
    try:
        budget = auto_budget(device, wanted.budget, wanted.reserve, own)
    except (BadInput, EnvironmentFault) as error:
        return blocks("memory", *split(error))
    fact = budget_sentence(budget, device, own, giver=machine.budget_giver)
    total, free = device.total_bytes, device.free_bytes
    if has_own_memory(device.kind) and total and free is not None and free < CROWDED * total:
        return note(
            "memory",
            f"{fact}; {show_size(total - free)} of {show_size(total)} are taken",
            "close the programs that hold the rest; what is measured now holds for what is free",
        )
    return ok("memory", fact)


def check_precision(machine: Machine) -> Finding | None:
    """Whether it computes in bf16, and what the profile takes."""
    device = machine.device
    if device is None:
        return None
    taken = resolve_precision(machine.profile, device)
    what = "bf16 at full speed" if device.bf16 else "no bf16 at full speed"
    if machine.is_card and device.capability is None:
        what = "whether it has bf16 is not reported"
    fact = f"{what}; profile {machine.profile.name} takes {taken.value}"
    if not device.traits.any_precision and slows(device, taken):
        return note("precision", f"{fact}, tens of times slower here", "take --precision fp32")
    return ok("precision", fact)


def check_spilling(machine: Machine) -> Finding | None:
    """Whether an over-full card becomes slow in silence."""
    if not machine.is_card:
        return None
    if not machine.lends:
        return ok("spilling", "a full card raises an error here, none is lent memory in silence")
    return note(
        "spilling",
        "here the driver lends a full card memory of the computer, 10 to 300 times slower; which"
        " policy is set cannot be read, a probe sees it happen",
        ADVICE,
    )


def check_clock(machine: Machine) -> Finding | None:
    """Whether the card is throttled at this moment."""
    state = machine.state
    if state is None or not machine.is_card:
        return None
    figures = [f"{state.celsius} °C"] if state.celsius is not None else []
    figures += [f"{state.watts:.0f} W"] if state.watts is not None else []
    seen = f" ({', '.join(figures)})" if figures else ""
    if state.throttled is None:
        return ok("clock", f"the driver does not report whether it is throttled{seen}")
    if not state.throttled:
        return ok("clock", f"not throttled{seen}")
    causes = either([cause.value for cause in state.throttled])
    remedy = "; ".join(dict.fromkeys(COOLING[cause] for cause in state.throttled))
    return note("clock", f"throttled by {causes}{seen}: steps take longer than they need", remedy)
