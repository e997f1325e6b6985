"""Memory that runs out in the middle of a training: smaller pieces, the same losses."""

import sys
from pathlib import Path

from autotune.protocol import events
from benchmarks.card_checks.asked import Answer, Ask, Figures
from benchmarks.card_checks.jobs import of_kind
from benchmarks.card_checks.training import (
    DISTURBED_STEP,
    TOLERANCE,
    forget,
    furthest,
    losses,
    plan_of,
    trained,
    undisturbed,
)

WORKER = Path(__file__).with_name("disturbed_worker.py")


def check(ask: Ask, figures: Figures) -> Answer:
    """Passed where the worker itself went on smaller and every loss is the undisturbed one's."""
    plan = plan_of(ask)
    expected = undisturbed(ask, plan)
    figures["undisturbed"] = expected
    forget(ask.folder, "late")
    command = (sys.executable, str(WORKER), "tighten", str(DISTURBED_STEP - 1))
    said, ending = trained(ask, plan, "late", command=command)
    recuts = of_kind(said, events.MicroBatchResized)
    figures["recuts"] = [resized.model_dump(mode="json") for resized in recuts]
    figures["losses"] = losses(said)
    if ending.failure is not None:
        return Answer(False, f"ended: {ending.words} ({ending.reason})")
    off = furthest(losses(said), expected)
    figures["largest_difference"] = off
    if not recuts:
        return Answer(False, "memory never ran out: the limit was not low enough")
    stayed = all(resized.same_process for resized in recuts)
    cut = f"{recuts[0].before.micro_batch_tokens} -> {recuts[-1].after.micro_batch_tokens} tokens"
    where = "in the same process" if stayed else "in a new process"
    return Answer(
        off <= TOLERANCE if ask.on_card or off > TOLERANCE else None,
        f"{cut} {where}, losses differ by {off:.2g} at most",
    )
