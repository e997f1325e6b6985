"""Which trial comes next, in every situation between trials, of one machine or of several."""

import pytest

from autotune.run.trial_summary import Outcome, TrialSummary
from autotune.study.next_trial import (
    Begin,
    Limits,
    NextTrial,
    Stage,
    Stop,
    Wait,
    best_of,
    next_trial,
    shortfall,
)

STAGES = (Stage("A"), Stage("B", 2), Stage("search", None))
HOUR = 3600.0


def trial(
    stage: str, value: float | None, outcome: Outcome = "COMPLETE", **more: object
) -> TrialSummary:
    """A trial that counts for `value`, held against 25 %."""
    met = outcome == "COMPLETE" and value is not None and value >= 0.25
    values: dict[str, object] = {"met": met, "score": value, "counts": value} | more
    return TrialSummary(0, stage, {}, outcome, value, **values)  # type: ignore[arg-type]


LOW_A, LOW_B, LOW_S = trial("A", 0.2), trial("B", 0.1), trial("search", 0.15)
FAILED = trial("A", None, "FAIL")
RUNNING_A, RUNNING_B = trial("A", None, "RUNNING"), trial("B", None, "RUNNING")
HOPELESS_A = trial("A", None, "RUNNING", reports={80: 0.1, 100: 0.12})
# With a holdout the value is of the half that chooses, the score of the one that is reported.
CHOSEN_A = trial("A", 0.4, met=False, score=0.2, counts=0.2)
HOPEFUL_A = trial("A", None, "RUNNING", reports={80: 0.1, 90: 0.12})
GOOD = trial("B", 0.3)


@pytest.mark.parametrize(
    ("trials", "found"),
    [
        ([], Begin("A", True)),
        ([LOW_A], Begin("B", True)),
        ([LOW_A, LOW_B], Begin("B", False)),
        ([LOW_A, LOW_B, LOW_B], Begin("search", True)),
        ([LOW_A, LOW_B, LOW_B, LOW_S], Begin("search", False)),
        ([FAILED], Begin("B", True)),
        ([trial("A", 0.2, "PRUNED")], Begin("B", True)),
        ([LOW_A, GOOD], Stop(True, "strategy B scores 30.0 %")),
        ([CHOSEN_A, GOOD], Begin("B", False)),
        # What follows are other workers' trials.
        ([RUNNING_A], Wait("strategy A may still meet the target")),
        ([HOPEFUL_A], Wait("strategy A may still meet the target")),
        ([HOPELESS_A], Begin("B", True)),
        ([LOW_A, RUNNING_B], Begin("B", False)),
        ([LOW_A, RUNNING_B, LOW_B], Wait("strategy B may still meet the target")),
        ([LOW_A, LOW_B, LOW_B, trial("search", None, "RUNNING")], Begin("search", False)),
        ([RUNNING_A, GOOD], Stop(True, "strategy B scores 30.0 %")),
    ],
)
def test_the_trials_that_there_are_say_which_comes_next(
    trials: list[TrialSummary], found: NextTrial
) -> None:
    assert next_trial(trials, STAGES, Limits(0.25)) == found


def test_stages_may_overlap_where_nobody_shall_wait() -> None:
    assert next_trial([RUNNING_A], STAGES, Limits(0.25), overlap=True) == Begin("B", True)


@pytest.mark.parametrize(
    ("best", "target", "said"),
    [
        (trial("A", 135 / 541), 0.25, "best 24.95 % is below the target of 25.00 %"),
        (trial("A", 0.2), 0.25, "best 20.0 % is below the target of 25.0 %"),
        (
            trial("A", 135 / 541, score=150 / 541),
            0.25,
            "best 27.73 % counts for 24.95 %: too little is following",
        ),
    ],
)
def test_what_is_below_the_target_does_not_look_like_it(
    best: TrialSummary, target: float, said: str
) -> None:
    assert shortfall(best, target) == said


def test_the_end_of_a_study_is_judged_by_the_best_trial_which_is_the_one_that_is_kept() -> None:
    ended = next_trial([CHOSEN_A, GOOD], [Stage("A"), Stage("B")], Limits(0.25))
    assert isinstance(ended, Stop) and not ended.met
    assert ended.reason == "every strategy tried; best 20.0 % is below the target of 25.0 %"


def test_a_study_without_a_search_ends_after_its_strategies_and_waits_for_the_last() -> None:
    stages = STAGES[:1]
    assert next_trial([RUNNING_A], stages, Limits(0.25)) == Wait("the last trials are running")
    ended = next_trial([LOW_A], stages, Limits(0.25))
    words = "every strategy tried; best 20.0 % is below the target of 25.0 %"
    assert ended == Stop(False, words)


def test_one_that_scores_more_and_counts_for_less_is_told_with_the_best_that_was_missed() -> None:
    low, lifted = trial("A", 0.0, score=0.083), trial("B", 0.0, score=0.167)
    ended = next_trial([low, lifted, lifted], STAGES[:2], Limits(0.25))
    assert isinstance(ended, Stop)
    assert ended.reason == (
        "every strategy tried; best 8.3 %, which counts for 0.0 %, is below the target of 25.0 %;"
        " B scores 16.7 %, which counts for 0.0 %: too little of it is following"
    )


def test_with_a_number_of_trials_it_ends_after_so_many_whatever_is_left() -> None:
    limits = Limits(0.25, max_trials=2)
    assert next_trial([LOW_A], STAGES, limits) == Begin("B", True)
    ended = next_trial([LOW_A, LOW_B], STAGES, limits)
    words = "2 trials made, as limited; best 20.0 % is below the target of 25.0 %"
    assert ended == Stop(False, words)


def test_it_begins_no_trial_that_would_not_end_in_time_but_the_first_always() -> None:
    def after(trials: list[TrialSummary], hours_left: float) -> NextTrial:
        limits = Limits(0.25, seconds_left=hours_left * HOUR)
        return next_trial(trials, STAGES, limits, {"A": HOUR, "B": 2 * HOUR}.__getitem__)

    assert after([], 0.5) == Begin("A", True)
    assert after([LOW_A], 2.1) == Begin("B", True)
    ended = after([LOW_A], 1.5)
    assert isinstance(ended, Stop)
    assert ended.reason.startswith("a trial of B takes about 2 h 00 min, 1 h 30 min are left; best")


def test_that_goes_on_at_its_target_ends_as_met_when_nothing_is_left() -> None:
    limits = Limits(0.25, stop_at_target=False, max_trials=3)
    assert next_trial([LOW_A, GOOD], STAGES, limits) == Begin("B", False)
    ended = next_trial([LOW_A, GOOD, LOW_B], STAGES, limits)
    assert ended == Stop(True, "strategy B scores 30.0 %; 3 trials made, as limited")


def test_a_whole_score_goes_before_a_better_estimate_and_of_equals_the_earliest() -> None:
    estimate = trial("B", 0.4, "PRUNED")
    assert best_of([estimate, LOW_A, LOW_B]) is LOW_A
    twin = trial("C", 0.2)
    assert best_of([LOW_A, twin]) is LOW_A
    assert best_of([FAILED, RUNNING_A]) is None
