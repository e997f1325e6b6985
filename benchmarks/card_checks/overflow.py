"""fp16 gradients that overflow: the step is taken again at a lower scale, to the same losses."""

import sys

from autotune import events
from benchmarks.card_checks.asked import Answer, Ask, Figures
from benchmarks.card_checks.jobs import of_kind
from benchmarks.card_checks.late_memory import WORKER
from benchmarks.card_checks.training import (
    TOLERANCE,
    forget,
    furthest,
    losses,
    plan_of,
    trained,
    undisturbed,
)

FIRST_SCALE_POWER = 28
"""2^28 instead of torch's 2^16: some twelve halvings, below the twenty after which the tool gives
fp16 up."""


def check(ask: Ask, figures: Figures) -> Answer:
    """Passed where steps were taken again, fp16 stayed and every loss is the undisturbed one's."""
    plan = plan_of(ask)
    expected = undisturbed(ask, plan)
    forget(ask.folder, "overflow")
    command = (sys.executable, str(WORKER), "scale", str(FIRST_SCALE_POWER))
    said, ending = trained(ask, plan, "overflow", command=command)
    if ending.failure is not None:
        return Answer(False, f"ended: {ending.words} ({ending.reason})")
    steps = of_kind(said, events.StepDone)
    skips = sum(step.skips for step in steps)
    off = furthest(losses(said), expected)
    figures["skips"] = {step.step: step.skips for step in steps}
    figures["losses"] = losses(said)
    figures["largest_difference"] = off
    figures["precision_changed"] = [
        event.model_dump(mode="json") for event in of_kind(said, events.PrecisionChanged)
    ]
    good = skips > 0 and off <= TOLERANCE and not figures["precision_changed"]
    line = f"{skips} overflows at 2^{FIRST_SCALE_POWER}, losses differ by {off:.2g} at most"
    return Answer(good if ask.on_card or not good else None, line)
