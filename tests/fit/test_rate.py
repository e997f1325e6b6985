"""What is planned with where no probe was made: a predicted fit, at a rate that is named."""

from dataclasses import replace
from pathlib import Path

import pytest

from autotune.base.errors import ExitCode, NothingFits
from autotune.base.sizes import GIB
from autotune.fit.allowance import card_allowance
from autotune.fit.rate import CARD_TRAINING_SHARE, assumed_rate
from autotune.fit.unmeasured import Unmeasured, unmeasured_fit
from autotune.protocol.choices import Attention
from autotune.protocol.job import Job, PredictJob
from autotune.protocol.prediction import PredictionFile, WorkTimes
from autotune.run.setup import Setup
from tests import setups
from tests.fit.test_forecast import A_TOKEN, FIXED, answered
from tests.setups import Played

SURVEY = setups.survey([150, 150, 900], [500])
LIMIT = card_allowance(Attention.FUSED).needed_bytes(FIXED + 512 * A_TOKEN)


def card(limit_bytes: int = LIMIT, flops: float | None = 8e12) -> Setup:
    """A card of this size whose cores do this many operations a second."""
    found = setups.setup(setups.profile(max_length=1024), limit_bytes, card=True)
    return replace(found, device=replace(found.device, peak_flops=flops))


def unmeasured(folder: Path, setup: Setup) -> Unmeasured:
    """The prediction of a played worker, for a card of this setup."""
    work, _ = setups.session(folder, answered)
    return unmeasured_fit(work, setup, SURVEY)


def test_the_longest_length_that_is_predicted_to_fit_is_taken_at_an_assumed_rate(
    tmp_path: Path,
) -> None:
    found = unmeasured(tmp_path, card())
    assert (found.fit.model_max_length, found.fit.max_rounds) == (512, 2)
    assert found.rate is not None
    assert "an assumed 25 % of the card's cores x clock" in found.rate.source
    parameters = 8e12 * CARD_TRAINING_SHARE / (6 * found.fit.tokens_per_second)
    twice = assumed_rate(card().device, round(parameters), rows=8, gradient_checkpointing=True)
    # Recomputing activations is a third more work.
    assert twice is not None
    assert found.fit.tokens_per_second / twice.tokens_per_second == pytest.approx(4 / 3, rel=0.01)


def test_of_a_card_that_does_not_report_its_cores_no_rate_is_known(tmp_path: Path) -> None:
    assert unmeasured(tmp_path, card(flops=None)).rate is None


def test_where_not_even_the_shortest_length_is_predicted_to_fit_that_ends_it(
    tmp_path: Path,
) -> None:
    with pytest.raises(
        NothingFits, match=r"64 tokens are predicted to need .*; raise --vram-budget"
    ):
        unmeasured(tmp_path, card(1))
    assert NothingFits.exit_code == ExitCode.NOTHING_FITS


def test_a_model_whose_step_cannot_be_predicted_is_planned_at_the_longest_length(
    tmp_path: Path,
) -> None:
    work, _ = setups.session(tmp_path, lambda _: ([], setups.crashed()))
    found = unmeasured_fit(work, card(), SURVEY)
    assert (found.fit.model_max_length, found.predicted, found.rate) == (1024, False, None)


def test_a_cpu_is_measured_in_a_second_and_16_bits_are_slower() -> None:
    device = setups.setup(setups.profile()).device
    rates = [
        assumed_rate(device, 10**8, rows=8, gradient_checkpointing=False, slowdown=slow)
        for slow in (1.0, 40.0)
    ]
    assert rates[0] is not None and rates[1] is not None
    assert "half of what products of matrices reached in 1 s just now" in rates[0].source
    assert rates[0].tokens_per_second > 5 * rates[1].tokens_per_second > 0


def test_a_cpu_whose_layers_were_timed_is_planned_by_these_times(tmp_path: Path) -> None:
    jobs: list[PredictJob] = []

    def timed(job: Job) -> Played:
        assert isinstance(job, PredictJob)
        jobs.append(job)
        played = answered(job)
        file = Path(job.out)
        found = PredictionFile.model_validate_json(file.read_bytes())
        times = WorkTimes(training_tokens_per_second=200.0, pass_seconds=(0.25,))
        file.write_text(found.model_copy(update={"times": times}).model_dump_json())
        return played

    work, _ = setups.session(tmp_path, timed)
    setup = setups.setup(setups.profile(max_length=1024), 64 * GIB)
    spec = setup.device_spec.model_copy(update={"threads": 4})
    found = unmeasured_fit(work, replace(setup, device_spec=spec), SURVEY)
    assert found.rate is not None and "timed just now in fp32" in found.rate.source
    # Of four threads two are counted on.
    assert (found.rate.tokens_per_second, found.rate.token_seconds) == (400.0, 0.125)
    (asked,) = jobs[0].timed_passes
    cap = setup.profile.evaluate.max_new_tokens
    assert (asked.rows, asked.longest - asked.shortest) == (setup.evaluation_rows, cap)
    jobs.clear()
    unmeasured_fit(work, setup, SURVEY, slowdown=40.0)
    assert jobs[0].timed_passes == (), "a step without instructions for it would take minutes"
