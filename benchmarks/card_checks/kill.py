"""A training that is killed goes on from its checkpoint to the same losses."""

import psutil

from autotune.protocol import events
from autotune.protocol.events import WorkerEvent
from benchmarks.card_checks.asked import Answer, Ask, Figures
from benchmarks.card_checks.jobs import of_kind
from benchmarks.card_checks.training import (
    DISTURBED_STEP,
    SAVED_STEP,
    TOLERANCE,
    forget,
    furthest,
    losses,
    plan_of,
    trained,
    undisturbed,
)


def check(ask: Ask, figures: Figures) -> Answer:
    """Passed where the second worker resumes from the checkpoint and every loss is the same."""
    plan = plan_of(ask)
    expected = undisturbed(ask, plan)
    forget(ask.folder, "killed")
    said: list[WorkerEvent] = []

    def on_event(event: WorkerEvent) -> None:
        said.append(event)
        if isinstance(event, events.StepDone) and event.step == DISTURBED_STEP:
            psutil.Process(of_kind(said, events.Ready)[0].pid).kill()

    _, ending = trained(ask, plan, "killed", on_event=on_event)
    if not ending.died:
        return Answer(False, f"a killed worker ended: {ending.words} ({ending.reason})")
    again, ending = trained(ask, plan, "killed")
    if ending.failure is not None:
        return Answer(False, f"the second worker ended: {ending.words} ({ending.reason})")
    resumed = [event.step for event in of_kind(again, events.Resumed)]
    off = furthest(losses([*said, *again]), expected)
    figures["undisturbed"] = expected
    figures["losses"] = losses([*said, *again])
    figures["resumed_from"] = resumed
    figures["largest_difference"] = off
    good = resumed == [SAVED_STEP] and off <= TOLERANCE
    line = f"killed after step {DISTURBED_STEP}, went on from {resumed}, losses differ by {off:.2g}"
    return Answer(good if ask.on_card or not good else None, line)
