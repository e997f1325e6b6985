"""A card that need not be there: what its profile says of it, and what may be used of it."""

from dataclasses import dataclass

from autotune.base.errors import BadInput
from autotune.base.sizes import parse_size, show_size
from autotune.config.load import GPU_PROFILE
from autotune.config.profile import Profile
from autotune.device.budget import Budget
from autotune.device.kinds import KINDS, PLANNED
from autotune.protocol.choices import Precision
from autotune.protocol.prediction import Capability


@dataclass(frozen=True, slots=True)
class PlannedCard:
    """The card of a plan; `capability` and `flops`, its fp32 peak a second, None where not said."""

    name: str
    title: str
    budget: Budget
    precision: Precision
    capability: Capability | None = None
    flops: float | None = None

    @classmethod
    def of(cls, profile: Profile, giver: str | None = None) -> "PlannedCard":
        """The card that a profile is for; `giver` is what names a budget that is a size.

        Raises:
            BadInput: the profile is for a CPU, or does not say what may be used.
        """
        wanted, capability = profile.machine.precision, profile.machine.capability
        return cls(
            name=profile.name,
            title=profile.title,
            budget=_budget(profile, giver),
            # Whether it has bf16 is not known.
            precision=KINDS[PLANNED].precision if wanted == "auto" else wanted,
            capability=_capability(capability) if capability else None,
            flops=profile.machine.tflops * 1e12 if profile.machine.tflops else None,
        )

    @property
    def words(self) -> str:
        """For a person: the card, what may be used of it, and where that comes from."""
        budget = self.budget
        less = f" less {show_size(budget.reserve_bytes)} reserve" if budget.reserve_bytes else ""
        return (
            f"{self.name} ({self.title}), budget {show_size(budget.limit_bytes)}"
            f" ({budget.source}{less})"
        )


def _budget(card: Profile, giver: str | None) -> Budget:
    """The profile's own budget, or what its reserve leaves of the card's memory."""
    machine = card.machine
    if machine.device == "cpu" and machine.memory is None:
        raise BadInput(
            f"--gpu {card.name}: is a profile for a CPU; a plan is for a card, such as --gpu"
            f" {GPU_PROFILE}"
        )
    if machine.budget != "auto":
        size = parse_size(machine.budget)
        if machine.memory is not None and size > parse_size(machine.memory):
            raise BadInput(
                f"memory budget {machine.budget}: the card of {card.name} has {machine.memory};"
                " give at most that, or another card with --gpu"
            )
        return Budget(total_bytes=size, reserve_bytes=0, source=giver or "as given")
    if machine.memory is None:
        raise BadInput(
            f"--gpu {card.name}: the profile does not say what memory the card has; give"
            ' --vram-budget 11GiB, or add memory = "12GiB" under [machine] of a profile of your own'
        )
    total, reserve = parse_size(machine.memory), parse_size(machine.reserve)
    if total <= reserve:
        raise BadInput(
            f"--gpu {card.name}: a reserve of {machine.reserve} leaves nothing of"
            f" {machine.memory}; lower it"
        )
    return Budget(
        total_bytes=total, reserve_bytes=reserve, source=f"an empty {machine.memory} card"
    )


def _capability(text: str) -> Capability:
    major, minor = text.split(".")
    return int(major), int(minor)
