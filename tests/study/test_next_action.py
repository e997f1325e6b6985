"""What the study does next, for every situation it can be in."""

from collections.abc import Sequence

import pytest

from autotune.protocol import events
from autotune.protocol.events import Record, RunEvent
from autotune.protocol.plan import Strategy
from autotune.protocol.results import Checkpoint, Partial
from autotune.protocol.scores import Metric
from autotune.run.state import StudyState, replay
from autotune.study.next_action import (
    Average,
    EndTrial,
    Escalate,
    Evaluate,
    NextAction,
    Train,
    next_action,
)
from autotune.study.next_trial import Limits, Stage, Stop
from tests import records, setups

TARGET = 0.25
A, B, C = (setups.strategy(name) for name in "ABC")
EARLY, LATE = records.checkpoint(0, 10, 0.8), records.checkpoint(0, 12, 1.0)


def state(*recorded: RunEvent) -> StudyState:
    """The state after a run began and these events came."""
    book = records.Book()
    for event in (records.run_started(target=TARGET), *recorded):
        book.add(event, after=1)
    return replay(book.records)


def action(*recorded: RunEvent, strategies: Sequence[Strategy] = (A, B, C)) -> NextAction:
    stages = [Stage(s.name, s.n_trials) for s in strategies]
    return next_action(state(*recorded), stages, Limits(TARGET))


def started(number: int = 0, strategy: str = "A") -> events.TrialStarted:
    return events.TrialStarted(number=number, optuna_number=number, plan=records.plan(strategy))


def saved(at: Checkpoint, scored: bool = True) -> events.CheckpointSaved:
    return events.CheckpointSaved(checkpoint=at, scored=scored)


ENDED = events.TrialEnded(number=0, best=None)
TRAINED = events.Trained(steps=12, skipped_steps=0, weights_moved=0.01, seconds=9.0)


def whole(
    number: int, strategy: str, passes: int | None, parrot: bool = False
) -> tuple[RunEvent, ...]:
    """A trial from its start to its end, with one checkpoint that passes so many of 24 prompts."""
    health = records.PARROT if parrot else records.HEALTHY
    return (
        started(number, strategy),
        saved(LATE),
        TRAINED,
        records.evaluated(number, LATE, passes, health),
        events.TrialEnded(number=number, best=None),
    )


def test_a_study_begins_with_the_exact_values_of_the_first_strategy() -> None:
    assert action() == Train("A", first=True)


def test_an_unfinished_training_goes_on() -> None:
    step = records.step_done(3, 12)
    now = action(started(), step)
    assert isinstance(now, Train)
    assert now.resume is not None
    assert now.resume.number == 0
    assert (now.strategy, now.first) == ("A", False)


def test_an_unfinished_training_goes_on_before_its_checkpoints_are_scored() -> None:
    now = action(started(), saved(EARLY))
    assert isinstance(now, Train)


def test_a_pruned_training_is_not_resumed_and_what_it_saved_is_scored() -> None:
    pruned = events.TrainingPruned(number=0, reason="it diverges", step=5, progress=0.4, loss=9.0)
    assert isinstance(action(started(), pruned), EndTrial)
    recorded = [started(), saved(EARLY), pruned]
    now = action(*recorded)
    assert isinstance(now, Evaluate)
    assert now.checkpoint == EARLY
    recorded.append(records.evaluated(0, EARLY, 2))
    assert isinstance(action(*recorded), EndTrial)


def test_checkpoints_are_scored_in_order_of_progress() -> None:
    recorded = [started(), saved(EARLY), saved(LATE), TRAINED]
    for at in (EARLY, LATE):
        now = action(*recorded)
        assert isinstance(now, Evaluate)
        assert now.checkpoint == at
        recorded.append(records.evaluated(0, at, 3))
    assert isinstance(action(*recorded), EndTrial)


def test_a_checkpoint_that_is_only_for_resuming_is_not_scored() -> None:
    now = action(started(), saved(EARLY, scored=False), saved(LATE), TRAINED)
    assert isinstance(now, Evaluate)
    assert now.checkpoint == LATE


def test_a_checkpoint_whose_evaluation_failed_is_not_scored_again() -> None:
    recorded = (started(), saved(LATE), TRAINED, records.evaluated(0, LATE, None))
    assert isinstance(action(*recorded), EndTrial)


def test_below_the_target_the_study_escalates_from_a_to_b_to_c_and_then_stops() -> None:
    recorded = list(whole(0, "A", 4))
    assert action(*recorded) == Escalate("A", "B", "best 16.7 % is below the target of 25.0 %")
    recorded.append(events.Escalated(previous="A", next="B", reason="below"))
    assert action(*recorded) == Train("B", first=True)
    recorded += whole(1, "B", 5)
    second = action(*recorded)
    assert isinstance(second, Escalate)
    assert second.next == "C"
    recorded.append(events.Escalated(previous="B", next="C", reason="below"))
    recorded += whole(2, "C", 3)
    last = action(*recorded)
    assert isinstance(last, Stop)
    assert not last.met
    # The best of all, not of the last.
    assert "20.8 %" in last.reason


def test_a_study_that_met_its_target_stops() -> None:
    now = action(*whole(0, "A", 6))
    assert now == Stop(True, "strategy A scores 25.0 %")


def test_twenty_eight_percent_of_echoes_is_never_a_success() -> None:
    now = action(*whole(0, "A", 7, parrot=True), strategies=(A,))
    assert isinstance(now, Stop)
    assert not now.met
    assert now.reason.endswith("best 29.2 % counts for 0.0 %: too little is following")


def test_the_best_is_what_counts_for_most_and_not_what_scores_most() -> None:
    now = state(*whole(0, "A", 20, parrot=True), *whole(1, "B", 1))
    assert now.best is not None
    assert now.best.number == 1
    parrot, honest = (t.best for t in now.trials)
    assert parrot is not None and honest is not None
    assert parrot.value == 0.0
    assert honest.value == pytest.approx(1 / 24)


def scored(passes: int, **changes: object) -> events.Evaluated:
    """A checkpoint with so many of 24 prompts."""
    found = records.evaluated(0, LATE, passes).model_copy(update=changes)
    return found.model_copy(update={"met": found.meets(TARGET)})


def test_what_lacks_something_required_is_no_success_and_goes_after_all_others() -> None:
    lacking = scored(12, unmet=("7 of 24 stop, 20 needed",))
    assert not lacking.meets(TARGET)
    assert lacking.value == -0.5
    assert lacking.rank < scored(1).rank
    now = action(started(), saved(LATE), TRAINED, lacking, ENDED, strategies=(A,))
    assert now == Stop(
        False, "every strategy tried; best 50.0 % is not a success: 7 of 24 stop, 20 needed"
    )


def test_a_score_that_counts_for_half_is_half_as_good() -> None:
    assert scored(12, counts=0.25).value == 0.25
    assert scored(12, counts=0.25).meets(0.25)
    assert not scored(12, counts=0.25).meets(0.26)


def test_with_a_holdout_checkpoints_are_compared_by_what_the_other_half_counts_for() -> None:
    choosing = Metric.of(9, 24)
    assert scored(1, chosen_by=choosing, chosen_counts=0.3).value == 0.3


def test_in_older_records_unhealthy_answers_are_no_success_and_go_after_healthy_ones() -> None:
    old = scored(12, counts=None, unhealthy=("stop 29 % is below 80 %",))
    assert not old.meets(TARGET)
    assert old.value == -0.5
    assert scored(12, counts=None).meets(TARGET)
    now = action(started(), saved(LATE), TRAINED, old, ENDED, strategies=(A,))
    assert isinstance(now, Stop)
    assert now.reason.endswith("best 50.0 % is not a success: stop 29 % is below 80 %")


def partial(at: Checkpoint, passes: int, of: int, why: str = "target") -> events.Evaluated:
    """A checkpoint that was not answered to its end."""
    stopped = Partial(of=of, why=why, target=TARGET if why == "target" else None)
    return events.Evaluated.ended_early(0, at, Metric.of(passes, 24), (0.0, 1.0), stopped)


def test_the_best_of_a_trial_is_answered_to_its_end_once() -> None:
    recorded = [started(), saved(EARLY), saved(LATE), TRAINED]
    recorded += [partial(EARLY, 3, 541), partial(LATE, 2, 541)]
    now = action(*recorded)
    assert now == Evaluate(now.trial, EARLY, full=True)  # type: ignore[union-attr]
    recorded.append(records.evaluated(0, EARLY, 1).model_copy(update={"counts": 0.0}))
    assert isinstance(action(*recorded), EndTrial)


@pytest.mark.parametrize(
    ("passes", "why", "counts", "finished"),
    [
        (8, "decided", 0.0, True),
        (8, "decided", 0.5, False),  # it cannot count for more than the one that is finished
        (8, "target", 0.0, False),  # an estimate
        (5, "decided", 0.0, False),  # below the target
    ],
)
def test_another_one_is_finished_only_where_its_decided_score_may_meet_and_win(
    passes: int, why: str, counts: float, finished: bool
) -> None:
    best = records.evaluated(0, EARLY, 12).model_copy(update={"counts": counts})
    recorded = [started(), saved(EARLY), saved(LATE), TRAINED, best]
    now = action(*recorded, partial(LATE, passes, 24, why=why))
    assert isinstance(now, Evaluate if finished else EndTrial)
    if isinstance(now, Evaluate):
        assert (now.checkpoint, now.full) == (LATE, True)


def test_a_checkpoint_without_a_score_is_never_the_best() -> None:
    now = state(*whole(0, "A", None))
    assert now.best is None
    assert now.scored_checkpoints == 0


def test_after_a_failed_trial_the_next_strategy_goes_on() -> None:
    ended = events.TrialEnded(number=0, best=None, failure="non-finite loss at step 3")
    now = action(started(), ended)
    assert isinstance(now, Escalate)
    assert now.next == "B"
    assert now.reason == "no checkpoint has a valid score"


def test_the_number_of_trials_counts_the_study_and_not_the_call() -> None:
    three = setups.strategy("A", n_trials=3)
    recorded: list[RunEvent] = []
    for number in range(3):
        assert action(*recorded, strategies=(three,)) == Train("A", first=number == 0)
        recorded += whole(number, "A", 2)
        # As if the run had been started anew after every trial.
        recorded.append(records.run_started(target=TARGET, resumed=True))
    assert isinstance(action(*recorded, strategies=(three,)), Stop)


@pytest.mark.parametrize(("target", "met"), [(0.2, True), (0.4, False)])
def test_scores_are_judged_again_when_the_target_changes(target: float, met: bool) -> None:
    recorded = whole(0, "A", 6)
    again = state(*recorded, records.run_started(target=target, resumed=True))
    assert [e.met for e in again.trials[0].evaluations.values()] == [met]
    now = next_action(again, [Stage("A")], Limits(target))
    assert isinstance(now, Stop)
    assert now.met is met


def test_a_higher_target_reopens_a_study_that_had_ended() -> None:
    ended = events.RunEnded(met=True, reason="reached")
    again = state(*whole(0, "A", 6), ended, records.run_started(target=0.5, resumed=True))
    assert again.ended is None
    now = next_action(again, [Stage("A"), Stage("B")], Limits(0.5))
    assert isinstance(now, Escalate)


def test_a_lower_target_does_not_make_echoes_a_success() -> None:
    recorded = whole(0, "A", 7, parrot=True)
    again = state(*recorded, records.run_started(target=0.1, resumed=True))
    assert not next_action(again, [Stage("A")], Limits(0.1)).met  # type: ignore[union-attr]


def test_a_strategy_that_no_longer_fits_is_passed_over() -> None:
    recorded = (*whole(0, "A", 2), records.run_started(target=TARGET, resumed=True))
    assert action(*recorded, strategies=(B, C)) == Train("B", first=True)


def test_steps_after_the_checkpoint_that_training_resumed_from_are_void() -> None:
    steps = [records.step_done(n, 12, loss=9.0) for n in range(1, 8)]
    again = state(started(), *steps, events.Resumed(step=5), records.step_done(6, 12, loss=1.0))
    assert [step.step for step in again.trials[0].steps] == [1, 2, 3, 4, 5, 6]
    assert again.trials[0].last_step is not None
    assert again.trials[0].last_step.loss == 1.0


def test_a_replay_is_the_fold_of_its_records_in_their_order() -> None:
    story = records.story()
    grown = StudyState()
    for count, record in enumerate(story, start=1):
        grown.apply(record)
        if count % 25 == 0 or count == len(story):
            assert replay(story[:count]) == grown
    assert [t.number for t in grown.trials] == [0, 1]
    assert [e.next for e in grown.escalations] == ["B"]
    assert grown.ended is not None
    assert grown.ended.met


def test_a_record_read_back_from_its_line_gives_the_same_state() -> None:
    story = records.story()
    lines = [record.model_dump_json() for record in story]
    assert replay(Record.model_validate_json(line) for line in lines) == replay(story)


def averaging(wished: int, *more: RunEvent) -> NextAction:
    """The move of a trial whose two checkpoints are scored and whose plan wishes an average."""
    plan = records.plan("A", average_checkpoints=wished)
    begun = events.TrialStarted(number=0, optuna_number=0, plan=plan)
    scores = [records.evaluated(0, at, 3) for at in (EARLY, LATE)]
    return action(begun, saved(EARLY), saved(LATE), TRAINED, *scores, *more)


MEAN = Checkpoint(step=12, progress=1.0, folder="trials/0000/checkpoints/average-2", averaged=2)


def test_the_last_checkpoints_are_averaged_when_all_of_them_are_scored() -> None:
    now = averaging(2)
    assert isinstance(now, Average)
    assert now.of == (EARLY, LATE)
    assert isinstance(averaging(0), EndTrial)


def test_of_more_checkpoints_than_there_are_all_are_averaged() -> None:
    now = averaging(5)
    assert isinstance(now, Average)
    assert now.of == (EARLY, LATE)


def test_an_average_is_scored_once_beside_the_last_checkpoint_and_made_once() -> None:
    now = averaging(2, saved(MEAN))
    assert isinstance(now, Evaluate)
    assert now.checkpoint == MEAN
    score = records.evaluated(0, MEAN, 5)
    assert isinstance(averaging(2, saved(MEAN), score), EndTrial)
    assert sorted(now.trial.checkpoints) == [(10, 0), (12, 0), (12, 2)]


def test_an_average_that_could_not_be_made_is_not_tried_again() -> None:
    assert isinstance(averaging(2, records.evaluated(0, MEAN, None)), EndTrial)


def test_what_became_of_checkpoints_is_known_to_the_state() -> None:
    gone = events.CheckpointsRemoved(number=0, names=("step-000010",), freed_bytes=5)
    now = state(*whole(0, "A", 3), gone)
    assert now.trials[0].removed == {"step-000010"}
