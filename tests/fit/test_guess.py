"""What a probe is told beforehand: a first guess on a card, and the peak of what it accepts."""

from dataclasses import replace
from pathlib import Path

import pytest

from autotune.base.sizes import GIB
from autotune.fit.allowance import card_allowance
from autotune.fit.guess import CPU_SLACK, InitialGuess, prediction
from autotune.protocol.card_answer import CardAnswer
from autotune.protocol.choices import Attention
from autotune.protocol.failure import Failure
from autotune.protocol.job import PredictJob
from autotune.protocol.plan import TrialPoint
from autotune.run.setup import attention_on
from tests.fit.test_forecast import A_TOKEN, FIXED, RECOMPUTED, answered
from tests.setups import crashed, done, failed, profile, session, setup

GRID = list(range(128, 2049, 64))
RECOMPUTING = profile(gradient_checkpointing=True)


def test_the_first_guess_on_a_card_is_the_longest_that_is_predicted_to_fit(tmp_path: Path) -> None:
    limit = card_allowance(Attention.FUSED).needed_bytes(FIXED + 1024 * RECOMPUTED)
    work, runner = session(tmp_path, answered)
    told = InitialGuess(work, setup(RECOMPUTING, limit, card=True))
    assert told.guess(GRID) == 1024
    assert told.peak_of(trial_point(1024)) == limit
    assert told.peak_of(trial_point(1030)) is None
    (job,) = runner.jobs
    assert isinstance(job, PredictJob)
    assert (job.target, job.device.kind, job.generate_rows) == ("cuda", "cpu", 8)


def test_without_a_fused_kernel_on_the_card_the_guess_allows_for_tables(tmp_path: Path) -> None:
    limit = card_allowance(Attention.FUSED).needed_bytes(FIXED + 1024 * RECOMPUTED)
    work, runner = session(tmp_path, answered)
    machine = replace(setup(RECOMPUTING, limit, card=True), attention=Attention.MATH)
    guess = InitialGuess(work, machine).guess(GRID)
    assert guess is not None and guess < 1024
    (job,) = runner.jobs
    assert isinstance(job, PredictJob)
    assert job.attention is Attention.MATH


@pytest.mark.parametrize(
    ("fused", "expected"),
    [(True, Attention.FUSED), (None, Attention.FUSED), (False, Attention.MATH)],
)
def test_only_a_card_that_was_seen_to_have_no_fused_kernel_is_taken_to_be_without(
    fused: bool | None, expected: Attention
) -> None:
    assert attention_on(CardAnswer(torch="2.13.0", cuda="13.0", fused=fused)) is expected
    assert attention_on(None) is Attention.FUSED


def test_where_nothing_seems_to_fit_the_shortest_length_is_the_guess(tmp_path: Path) -> None:
    work, _ = session(tmp_path, answered)
    assert InitialGuess(work, setup(RECOMPUTING, 1, card=True)).guess(GRID) == 128


def test_on_a_cpu_the_peak_is_predicted_and_nothing_is_guessed(tmp_path: Path) -> None:
    # On a CPU the process itself comes on top, 1 GiB here, in place of a CUDA context.
    work, _ = session(tmp_path, answered)
    told = InitialGuess(work, setup(RECOMPUTING))
    assert told.guess(GRID) is None
    expected = GIB + round((FIXED + 1024 * RECOMPUTED) * (1 + CPU_SLACK))
    assert told.peak_of(trial_point(1024)) == expected


def test_a_search_over_few_lengths_is_not_worth_a_prediction(tmp_path: Path) -> None:
    work, runner = session(tmp_path, answered)
    assert InitialGuess(work, setup(RECOMPUTING, card=True)).guess([64, 128, 192]) is None
    assert runner.jobs == []


def test_what_generation_takes_counts_where_it_is_more_than_a_step(tmp_path: Path) -> None:
    work, _ = session(tmp_path, lambda job: answered(job, generation_bytes=9 * GIB))
    asked = trial_point(row_tokens=100)
    found = prediction(work, setup(profile()), [asked])
    assert found is not None
    assert found.needed == {asked: GIB + round(9 * GIB * (1 + CPU_SLACK))}


@pytest.mark.parametrize("ending", [crashed(), failed(Failure.BAD_JOB, "no such model"), done()])
def test_no_prediction_is_no_guess_and_no_error(tmp_path: Path, ending: object) -> None:
    work, _ = session(tmp_path, lambda _: ([], ending))  # type: ignore[arg-type,return-value]
    limited = setup(profile())
    assert InitialGuess(work, setup(profile(), card=True)).guess(GRID) is None
    assert prediction(work, limited, [trial_point()]) is None


def trial_point(row_tokens: int = 100, micro_batch_tokens: int = 0) -> TrialPoint:
    return TrialPoint(
        model_max_length=128,
        max_rounds=2,
        micro_batch_tokens=micro_batch_tokens or row_tokens,
        gradient_checkpointing=False,
        row_tokens=row_tokens,
    )


def test_a_trial_point_is_predicted_at_the_rows_that_its_micro_batch_holds(
    tmp_path: Path,
) -> None:
    work, runner = session(tmp_path, answered)
    asked = trial_point(micro_batch_tokens=403)
    found = prediction(work, setup(profile()), [asked])
    assert found is not None
    assert found.needed == {asked: GIB + round((FIXED + 400 * A_TOKEN) * (1 + CPU_SLACK))}
    assert isinstance(runner.jobs[0], PredictJob)
    assert [p.rows for p in runner.jobs[0].points] == [4]
