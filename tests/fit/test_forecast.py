"""What a plan makes of predicted peaks."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from autotune.base.errors import BadInput
from autotune.base.sizes import GIB, MIB
from autotune.device.budget import Budget
from autotune.fit.allowance import PLANNED_CONTEXT_BYTES, SLACKS, Allowance, card_allowance
from autotune.fit.forecast import Forecast, forecast
from autotune.fit.planned_card import PlannedCard
from autotune.protocol.choices import Attention, Precision
from autotune.protocol.failure import Failure
from autotune.protocol.job import Job, PredictJob
from autotune.protocol.plan import Strategy
from autotune.protocol.prediction import PredictedPeak, PredictionFile, PredictPoint
from tests.fakes.runner import FakeRunner
from tests.setups import Played, done, failed, strategy

GRID = range(128, 2049, 64)
A_TOKEN = MIB
RECOMPUTED = MIB // 8
FIXED = 2 * GIB


def peak(point: PredictPoint) -> PredictedPeak:
    """2 GiB, and for a token of the micro-batch a MiB, or an eighth of it with checkpointing."""
    each = RECOMPUTED if point.gradient_checkpointing else A_TOKEN
    return PredictedPeak(
        point=point,
        weights_bytes=FIXED // 4,
        gradients_bytes=FIXED // 4,
        optimizer_bytes=FIXED // 2,
        activations_bytes=each * point.rows * point.tokens,
        logits_bytes=0,
        temporary_bytes=0,
        peak_phase="backward",
        optimizer_step_bytes=FIXED,
    )


def answered(job: Job, generation_bytes: int = 0) -> Played:
    """A worker that predicts these peaks."""
    assert isinstance(job, PredictJob)
    file = PredictionFile(
        target=job.target,
        parameters=10,
        layers=30,
        layers_traced=(2, 4),
        supervised_share=1.0,
        peaks=tuple(peak(point) for point in job.points),
        generation_bytes=generation_bytes,
        process_bytes=GIB,
        seconds=0.1,
        attention=job.attention,
    )
    Path(job.out).parent.mkdir(parents=True, exist_ok=True)
    Path(job.out).write_text(file.model_dump_json(), encoding="utf-8")
    return [], done()


def card(budget_bytes: int) -> PlannedCard:
    budget = Budget(total_bytes=budget_bytes, reserve_bytes=0, source="as given")
    return PlannedCard("rtx", "some card", budget, Precision.FP16, (8, 9))


def planned(
    folder: Path,
    budget_bytes: int,
    strategies: Sequence[Strategy] | None = None,
    attention: Attention = Attention.FUSED,
) -> tuple[Forecast, PredictJob]:
    runner = FakeRunner(answered)
    found = forecast(
        runner,
        folder,
        Path("model"),
        card(budget_bytes),
        lengths=GRID,
        strategies=strategies or [strategy("A", batch_size=8, model_max_length=1024)],
        attention=attention,
    )
    (job,) = runner.jobs
    assert isinstance(job, PredictJob)
    return found, job


def test_context_and_slack_come_on_top_of_the_tensors() -> None:
    assert Allowance(100, 0.5).needed_bytes(1000) == 1600


def test_the_kernel_and_the_generation_of_the_card_are_asked_for(tmp_path: Path) -> None:
    _, job = planned(tmp_path, 6 * GIB, attention=Attention.MATH)
    assert (job.attention, job.capability) == (Attention.MATH, (8, 9))


def test_tables_of_attention_leave_more_of_the_memory_unused(tmp_path: Path) -> None:
    # The allocator holds a larger share beyond its tensors where some of them are very large.
    fused, math = (
        planned(tmp_path, 6 * GIB, attention=attention)[0].allowance for attention in Attention
    )
    assert math.needed_bytes(GIB) > fused.needed_bytes(GIB)
    assert (fused, math) == (card_allowance(Attention.FUSED), card_allowance(Attention.MATH))


def test_the_longest_length_is_the_last_of_the_grid_that_the_budget_holds(tmp_path: Path) -> None:
    at_1024 = PLANNED_CONTEXT_BYTES + round(
        (FIXED + 1024 * RECOMPUTED) * (1 + SLACKS[Attention.FUSED])
    )
    assert planned(tmp_path, at_1024)[0].model_max_length == 1024
    assert planned(tmp_path, at_1024 - 1)[0].model_max_length == 960


def test_a_roomy_card_takes_the_whole_grid_and_several_rows(tmp_path: Path) -> None:
    found, job = planned(tmp_path, 6 * GIB)
    assert (found.model_max_length, found.rows) == (2048, 8)
    assert (job.target, job.device.kind) == ("cuda", "cpu")


def test_the_table_marks_what_fits_by_what_it_needs(tmp_path: Path) -> None:
    found, _ = planned(tmp_path, 4 * GIB)
    assert sorted({p.peak.point.tokens for p in found.table}) == [256, 512, 1024, 2048]
    assert {p.peak.point.rows for p in found.table} == {1, 2, 4, 8, 16}
    for line in found.table:
        needed = PLANNED_CONTEXT_BYTES + round(line.peak.peak_bytes * (1 + SLACKS[Attention.FUSED]))
        assert line.needed_bytes == needed
        assert line.fits == (needed <= 4 * GIB)
    assert {p.fits for p in found.table} == {True, False}


def test_a_strategy_gets_the_most_rows_of_its_own_batch_and_length(tmp_path: Path) -> None:
    wished = [
        strategy("A", batch_size=8, model_max_length=1024),
        strategy("C", batch_size=6, model_max_length="fits"),
        strategy("B", batch_size=64, model_max_length=512),
    ]
    a, c, b = planned(tmp_path, 6 * GIB, wished)[0].strategies
    # 6 GiB hold 3264 MiB of activations: 3 rows of 1024 MiB, or 51 of 64 MiB.
    assert (a.rows, a.rows_checkpointing) == (3, 8)
    assert (c.model_max_length, c.rows, c.rows_checkpointing) == (2048, 1, 6)
    assert (b.rows, b.rows_checkpointing) == (6, 51)


def test_a_card_that_is_too_small_has_no_longest_length(tmp_path: Path) -> None:
    found, _ = planned(tmp_path, 2 * GIB)
    assert (found.model_max_length, found.rows) == (None, 0)
    assert not found.strategies[0].fits


def test_a_model_that_cannot_be_read_is_the_users_mistake(tmp_path: Path) -> None:
    runner = FakeRunner(lambda _: ([], failed(Failure.BAD_JOB, "model folder x: cannot be loaded")))
    with pytest.raises(BadInput, match="cannot be loaded"):
        forecast(
            runner,
            tmp_path,
            Path("x"),
            card(GIB),
            lengths=GRID,
            strategies=[strategy()],
        )


def test_what_was_predicted_is_kept_until_something_that_it_depends_on_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMOLSFT_CACHE", str(tmp_path / "cache"))
    model = tmp_path / "model"
    model.mkdir()
    config = model / "config.json"
    config.write_text("{}", encoding="utf-8")
    asked = 0

    def counting(job: Job) -> Played:
        nonlocal asked
        asked += 1
        return answered(job)

    def plan(attention: Attention = Attention.FUSED) -> Forecast:
        return forecast(
            FakeRunner(counting),
            tmp_path / "work",
            model,
            card(6 * GIB),
            lengths=GRID,
            strategies=[strategy()],
            attention=attention,
        )

    first = plan()
    assert plan() == first and asked == 1
    plan(Attention.MATH)
    assert asked == 2
    config.write_text('{"num_hidden_layers": 2}', encoding="utf-8")
    plan()
    assert asked == 3
    for kept in (tmp_path / "cache" / "predictions").iterdir():
        kept.write_text("half", encoding="utf-8")
    plan()
    assert asked == 4, "a file that is damaged is predicted again"


def test_the_answer_stands_in_the_table(tmp_path: Path) -> None:
    found, _ = planned(tmp_path, 6 * GIB, [strategy("A", batch_size=7, model_max_length="fits")])
    assert (2048, 7) in {(p.peak.point.tokens, p.peak.point.rows) for p in found.table}
