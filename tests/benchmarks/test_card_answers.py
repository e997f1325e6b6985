"""What a card's figures are taken for: the checks' judgements, on figures made up here."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autotune.cli.settings import settings_text
from autotune.protocol import events
from benchmarks.card_checks import generation, gpu_tests, plan, strategy_a, training
from benchmarks.card_checks.asked import Ask, Figures, Outcome, fresh

CARD: dict[str, Any] = {
    "rehearse": False,
    "device": "cuda",
    "seconds": 60.0,
    "model": "model",
    "weights": "random",
    "data": "chats.jsonl",
    "prompts": "demo",
}


def ask(tmp_path: Path, **changes: Any) -> Ask:
    return Ask(**(CARD | {"work": str(tmp_path)} | changes))


def point(error: float) -> dict[str, Any]:
    return {"rows": 1, "tokens": 64, "error": error, "process_error": 0.01, "process_mib": 1.0}


@pytest.mark.parametrize(
    ("errors", "outcome"),
    [([0.01, -0.02], "passed"), ([0.01, -0.06], "failed"), ([], "failed")],
)
def test_a_plan_passes_while_no_point_is_off_by_five_percent(
    tmp_path: Path, errors: list[float], outcome: str
) -> None:
    figures = Figures(tmp_path / "result.json", 60)
    figures["points"] = [point(error) for error in errors]
    answer = plan.judged(ask(tmp_path), figures)
    assert answer.outcome == outcome
    if errors:
        assert figures["largest_error"] == max(abs(e) for e in errors)


def test_a_plan_with_a_point_that_died_fails_and_one_without_a_card_proves_nothing(
    tmp_path: Path,
) -> None:
    figures = Figures(tmp_path / "result.json", 60)
    figures["points"] = [point(0.01), {"rows": 9, "tokens": 64, "not_measured": "out of memory"}]
    assert plan.judged(ask(tmp_path), figures).outcome is Outcome.FAILED
    figures["points"] = [point(0.01)]
    assert plan.judged(ask(tmp_path, device="cpu"), figures).outcome is Outcome.NOT_HERE


@pytest.mark.parametrize(
    ("ours", "same", "outcome"),
    [(90.0, 8, "passed"), (60.0, 8, "failed"), (90.0, 7, "failed"), (None, 8, "failed")],
)
def test_generation_passes_where_it_is_faster_with_the_same_texts(
    tmp_path: Path, ours: float | None, same: int, outcome: str
) -> None:
    found = {
        "ours": {"answers_per_minute": ours},
        "batch8": {"answers_per_minute": 70.0},
        "graphed": {"fault": "no memory"},
    }
    answer = generation.judged(ask(tmp_path), found, {"ours": {"same_texts": same}}, 8)
    assert answer.outcome == outcome
    assert "graphed failed" in answer.line


def step(number: int, seconds: float) -> events.StepDone:
    return events.StepDone(
        step=number,
        total_steps=100,
        loss=1.0,
        grad_norm=1.0,
        learning_rate=1e-4,
        supervised_tokens=600,
        tokens=1000,
        seconds=seconds,
        memory_bytes=1,
    )


def test_a_training_that_was_cut_off_counts_all_steps_at_the_speed_of_those_that_were_warm() -> (
    None
):
    steps = {n: step(n, 60.0 if n <= strategy_a.WARMING_STEPS else 3.6) for n in range(1, 7)}
    found = strategy_a.training(steps, 100)
    assert found["steps_done"] == 6
    assert found["hours"] == pytest.approx(0.1)
    assert found["tokens_per_second"] == pytest.approx(1000 / 3.6)
    # 100 steps of 600 supervised tokens at 200 a second: 300 seconds.
    assert strategy_a.planned_hours(found, 200.0, None) == pytest.approx(300 / 3600)


def test_strategy_a_is_the_profiles_own_and_short_time_bounds_the_scoring_only(
    tmp_path: Path,
) -> None:
    short = strategy_a.profile_of(ask(tmp_path, seconds=160.0))
    whole = strategy_a.profile_of(ask(tmp_path, seconds=3600.0))
    assert short.strategies == whole.strategies
    (strategy,) = short.strategies
    assert (strategy.name, strategy.batch_size, strategy.num_train_epochs) == ("A", 64, 5)
    assert (short.prompts.limit, whole.prompts.limit) == (32, "all")
    assert short.train.max_conversations is None


def test_losses_that_are_missing_or_no_numbers_are_not_the_same() -> None:
    assert training.furthest({1: 2.0, 2: 1.01}, {1: 2.0, 2: 1.0}) == pytest.approx(0.01)
    assert training.furthest({1: 2.0}, {1: 2.0, 2: 1.0}) == float("inf")


def test_a_run_folder_is_never_one_that_an_earlier_try_left(tmp_path: Path) -> None:
    fresh(tmp_path, "found").mkdir()
    assert fresh(tmp_path, "found") == tmp_path / "found-2"


def test_a_run_is_gone_on_with_by_the_same_settings_only_and_not_where_it_is_asked_again(
    tmp_path: Path,
) -> None:
    def folder(**changes: Any) -> Path:
        asked = ask(tmp_path, **changes)
        return strategy_a.run_folder(asked, settings_text(strategy_a.profile_of(asked)))

    first = folder(seconds=160.0)
    first.mkdir(parents=True)
    assert folder(seconds=160.0) == folder(seconds=170.0) == first
    assert folder(seconds=3600.0) != first  # all prompts are scored: other settings
    assert folder(model="other") != first
    second = folder(again=True)
    assert second != first
    assert folder(again=False) == first  # nothing was begun in the other
    second.mkdir()
    assert folder(again=False) == second
    assert folder(again=True) not in (first, second)


class Held(PermissionError):
    """As Windows gives it while a virus scanner reads the file."""

    winerror = 32


def test_a_file_of_figures_that_another_program_holds_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = [Held(13, "used by another process"), Held(13, "used by another process")]
    replace = Path.replace

    def first_held(path: Path, target: Path) -> Path:
        if held:
            raise held.pop()
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", first_held)
    Figures(tmp_path / "result.json", 60.0)["seen"] = 1
    assert "seen" in (tmp_path / "result.json").read_text(encoding="utf-8")
    assert not held
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


PYTEST = """\
tests/worker/test_gpu.py::test_a_trial_counts[fp16 x] PASSED     [ 50%]
tests/worker/test_gpu.py::test_memory VERDICT     [100%]
==================== ERRORS ====================
ERROR tests/fit/test_forecast.py - ImportError: no module named peft
=========== 1 passed, 1 error in 50.99s ==========
"""


@pytest.mark.parametrize(
    ("verdict", "outcome", "line"),
    [
        ("PASSED", "passed", "2 passed"),
        ("SKIPPED", "passed", "1 passed, 1 skipped"),
        ("FAILED", "failed", "1 passed, 1 failed"),
    ],
)
def test_the_tests_for_a_card_are_counted_as_they_end(
    tmp_path: Path, verdict: str, outcome: str, line: str
) -> None:
    figures = Figures(tmp_path / "result.json", 60)
    gpu_tests.count(PYTEST.replace("VERDICT", verdict).splitlines(True), figures)
    assert figures["not_read"] == ["tests/fit/test_forecast.py"]
    answer = gpu_tests.judged(ask(tmp_path), figures)
    assert (answer.outcome, answer.line) == (outcome, line)


def test_a_file_for_a_card_that_cannot_be_read_is_no_pass(tmp_path: Path) -> None:
    figures = Figures(tmp_path / "result.json", 60)
    text = PYTEST.replace("VERDICT", "PASSED").replace("fit/test_forecast.py", "worker/test_gpu.py")
    gpu_tests.count(text.splitlines(True), figures)
    answer = gpu_tests.judged(ask(tmp_path), figures)
    assert answer.outcome is Outcome.FAILED
    assert answer.line.endswith("could not be read: tests/worker/test_gpu.py")


def test_answers_are_timed_in_the_environment_of_a_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On an H100 torch would else make a plan of cuDNN's for every new length of a prompt."""
    environs: list[dict[str, str]] = []

    def noted(_: Any, *, environ: dict[str, str], log: Path, **how: Any) -> int:
        environs.append(environ)
        log.parent.mkdir(parents=True)
        log.write_text("no card", encoding="utf-8")
        return 1

    monkeypatch.setattr(generation, "run_limited", noted)
    prompts = SimpleNamespace(path=tmp_path / "prompts.jsonl")
    monkeypatch.setattr(generation, "resolve_prompts", lambda _: prompts)
    generation.asked_of(ask(tmp_path), ["ours"], 1, 1, "bf16", 1.0)
    assert environs[0]["TORCH_CUDNN_SDPA_DEPRIORITIZED"] == "1"
