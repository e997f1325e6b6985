"""How long a trial is expected to take, before and after something like it was seen."""

import pytest

from autotune.fit.estimate import strategy_fit
from autotune.fit.expected import expected_seconds, strategy_seconds
from autotune.fit.resolve import resolve_plan
from autotune.protocol import events
from autotune.protocol.estimate import TrialEstimate
from autotune.protocol.events import RunEvent
from autotune.run.state import StudyState, replay
from tests import records, setups
from tests.records import Book

A = setups.strategy("A")
SETUP = setups.setup(setups.profile(A))
SURVEY = setups.survey(*[[100]] * 20)
MEASURED = setups.measurement(10, prefill_seconds=1.0, token_seconds=0.25)
TRIED = setups.tried(MEASURED, 128, rounds=2, row_tokens=100, seconds=1.0)
FIT = setups.fit(trials=(TRIED,), peak_bytes=10)
PLAN = resolve_plan(A, FIT, SURVEY, SETUP)

# 20 conversations of 100 tokens, twice, at 1000 tokens a second; two checkpoints, each answers one
# batch of 8 prompts of at most 32 tokens.
TRAINING, SCORING = 4.0, 2 * (1.0 + 32 * 0.25)


def state(*after: tuple[RunEvent, float]) -> StudyState:
    """The state after these events, each so many seconds after the one before."""
    book = Book()
    book.add(records.run_started())
    for event, seconds in after:
        book.add(event, after=seconds)
    return replay(book.records)


def untrained(**known: object) -> RunEvent:
    """The untrained model's score."""
    return records.baseline("untrained", 3, records.HEALTHY).model_copy(update=known)


def trial(number: int, training: float, scoring: float) -> list[tuple[RunEvent, float]]:
    """A trial whose training and scoring were each expected to take 10 seconds, and took this."""
    expected = TrialEstimate(training_seconds=10, scoring_seconds=10)
    return [
        (
            events.TrialStarted(number=number, optuna_number=number, plan=PLAN, expected=expected),
            1,
        ),
        (events.Trained(steps=6, skipped_steps=0, weights_moved=0.1, seconds=1), training),
        (events.TrialEnded(number=number, best=0.1), scoring),
    ]


def expected(found: StudyState) -> float:
    """Seconds that a trial of the plan is expected to take."""
    return expected_seconds(found, SETUP, FIT, SURVEY, PLAN)


def test_before_any_answer_every_answer_counts_as_long_as_it_may_be() -> None:
    assert expected(state()) == pytest.approx(TRAINING + SCORING)


def test_the_untrained_models_own_time_replaces_that() -> None:
    found = state((untrained(seconds=3.0), 1))
    assert expected(found) == pytest.approx(TRAINING + 2 * 3.0)


def test_where_its_time_is_unknown_its_lengths_say_what_share_of_the_longest_was_used() -> None:
    half = untrained(new_tokens=records.PROMPTS * 32 // 2)
    assert expected(state((half, 1))) == pytest.approx(TRAINING + SCORING / 2)


def test_finished_trials_correct_training_and_scoring_apart_by_their_medians() -> None:
    seen = [*trial(0, 20, 5), *trial(1, 30, 5), *trial(2, 1000, 5)]
    found = state((untrained(seconds=3.0), 1), *seen)
    assert expected(found) == pytest.approx(TRAINING * 3 + 2 * 3.0 / 2)


def test_a_trial_that_failed_or_is_not_over_corrects_nothing() -> None:
    *begun, (_, seconds) = trial(0, 90, 90)
    failed = (events.TrialEnded(number=0, best=None, failure="out of memory"), seconds)
    assert expected(state(*begun, failed)) == expected(state(*begun)) == expected(state())


def test_a_pause_between_two_starts_and_a_nap_are_no_work() -> None:
    started, trained, ended = trial(0, 20, 5)
    resumed = (records.run_started(resumed=True), 5000.0)
    slept = (events.Slept(seconds=300.0), 301.0)
    found = state(
        started,
        (events.Warned(message="w"), 4.0),
        resumed,
        (trained[0], 16.0),
        slept,
        (ended[0], 4.0),
    )
    (over,) = found.trials
    assert (over.clock.training_seconds, over.clock.scoring_seconds) == (20.0, 5.0)


def test_the_live_estimate_is_the_same_and_says_when_it_is_an_upper_bound() -> None:
    of_a = strategy_fit(A, FIT, SURVEY, SETUP, MEASURED, None, planned=True)
    for found in (state(), state((untrained(seconds=3.0), 1), *trial(0, 20, 5))):
        live = strategy_seconds(found, of_a)
        assert live.seconds == pytest.approx(expected(found))
        assert live.at_most is (not found.baselines)


def test_a_workers_start_counts_as_the_probes_trials_show_it() -> None:
    # 16 seconds, of which half a second were steps and one reading prompts.
    slow = setups.fit(trials=(TRIED.model_copy(update={"seconds": 16.0}),), peak_bytes=10)
    with_start = expected_seconds(state(), SETUP, slow, SURVEY, PLAN)
    # The training's worker starts, and one for each of two evaluations.
    assert with_start == pytest.approx(3 * 14.5 + TRAINING + SCORING)
