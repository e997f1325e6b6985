"""The hours that a run has worked: `--max-hours` and the estimates count these and no others."""

from collections.abc import Sequence

import pytest

from autotune.protocol import events
from autotune.protocol.events import Record, RunEvent
from autotune.run.history import history_of
from autotune.run.state import replay
from tests import records as book
from tests.cli.test_full_score import in_full

NIGHT = 8 * 3600.0
DAY = 24 * 3600.0


def later(records: Sequence[Record], seconds: float) -> list[Record]:
    """The same records, so much later."""
    return [r.model_copy(update={"time": r.time + seconds}) for r in records]


def index_of(records: Sequence[Record], kind: type[RunEvent]) -> int:
    """Where the first event of a kind stands."""
    return next(n for n, r in enumerate(records) if isinstance(r.event, kind))


def test_a_night_with_the_lid_closed_is_no_work() -> None:
    records = book.story()
    at = index_of(records, events.Trained)
    woke = Record(time=records[at - 1].time + NIGHT, event=events.Slept(seconds=NIGHT))
    slept = replay([*records[:at], woke, *later(records[at:], NIGHT)])
    assert slept.worked_seconds == pytest.approx(replay(records).worked_seconds)


@pytest.mark.parametrize("kind", [events.TrialEnded, events.Trained])
def test_an_eval_of_an_interrupted_runs_best_is_not_of_its_time(
    kind: type[RunEvent],
) -> None:
    records = book.story()
    at = max(n for n, r in enumerate(records[:-1]) if isinstance(r.event, kind))
    resumed = Record(time=records[at - 1].time + DAY, event=book.run_started(resumed=True))
    rest = [*records[:at], resumed, *later(records[at:], DAY)]
    scored = Record(time=records[at - 1].time + DAY / 2, event=in_full(book.checkpoint(1, 12, 1.0)))
    with_eval = [*rest[:at], scored, *rest[at:]]
    assert replay(with_eval).worked_seconds == pytest.approx(replay(rest).worked_seconds)
    assert replay(with_eval).worked_seconds < 3600
    clocks = [trial.clock for trial in replay(with_eval).trials]
    assert clocks == [trial.clock for trial in replay(rest).trials]
    split, without = (history_of(found).time_split for found in (with_eval, rest))
    assert split.seconds == pytest.approx(without.seconds)


def test_all_prompts_at_the_end_of_a_run_are_its_own_work() -> None:
    records = book.story()
    *before, ended = records
    begun = Record(
        time=before[-1].time, event=events.Notice(about="in_full", sentence="all prompts")
    )
    scored = Record(time=before[-1].time + 600, event=in_full(book.checkpoint(1, 12, 1.0)))
    history = history_of([*before, begun, scored, *later([ended], 600)])
    worked = replay(records).worked_seconds + 600
    assert history.state.worked_seconds == pytest.approx(worked)
    assert history.time_split.seconds["scoring on all prompts"] == pytest.approx(600, abs=5)


def test_a_training_that_was_stopped_as_diverging_has_a_time() -> None:
    records = book.story()
    at = index_of(records, events.Trained)
    (trial,) = replay(records[: at + 1]).trials
    told = events.TrainingPruned(number=0, reason="diverges", step=7, progress=0.6, loss=9.0)
    pruned = Record(time=records[at].time, event=told)
    (stopped,) = replay([*records[:at], pruned]).trials
    assert stopped.clock.training_seconds == trial.clock.training_seconds
    assert stopped.clock.training_seconds


def test_a_shared_trials_hours_leave_out_the_night_in_which_it_was_interrupted() -> None:
    records = book.training(7)
    resumed = Record(time=records[-1].time + NIGHT, event=book.run_started(resumed=True))
    (before,), (after,) = replay(records).trials, replay([*records, resumed]).trials
    now = records[-1].time + 60
    assert after.clock.worked_seconds(now + NIGHT) == pytest.approx(
        before.clock.worked_seconds(now)
    )
    assert 0 < before.clock.worked_seconds(now) < 3600
