"""The published answers and real degenerate ones, scored: figures known from elsewhere."""

import time
from pathlib import Path

import pytest

from autotune.config.load import find_profile
from autotune.protocol.results import EvalReport
from autotune.score.answers import Answer, read_answers
from autotune.score.health import broken_limits, echo_answers
from autotune.score.ifeval.prompts import IFEvalPrompt, read_ifeval_prompts
from autotune.score.ifeval.scorer import IFEval

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"

LIMITS = find_profile("rtx4060-laptop-8gb").evaluate.health

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the published prompts and answers are not beside this checkout"
)


def all_prompts() -> tuple[IFEvalPrompt, ...]:
    return read_ifeval_prompts(DATA / "ifeval" / "input_data.jsonl")


def published() -> tuple[Answer, ...]:
    return read_answers(DATA / "ifeval" / "input_response_data_gpt4_20231107_145030.jsonl")


def passes(report: EvalReport) -> tuple[int, int, int, int]:
    return (
        report.score.passes,
        report.instruction_strict.passes,
        report.prompt_loose.passes,
        report.instruction_loose.passes,
    )


def test_gpt4_scores_as_published_in_under_ten_seconds() -> None:
    started = time.process_time()
    report = IFEval().score(all_prompts(), published())
    assert time.process_time() - started < 10
    assert passes(report) == (417, 697, 431, 713)
    assert (report.n, report.instruction_strict.total) == (541, 834)
    assert report.unmatched == (2785,)
    (lost,) = [verdict for verdict in report.verdicts if verdict.key == 2785]
    assert not (lost.answered or lost.strict or lost.loose)
    assert len(report.by_type) == 25
    assert sum(metric.passes for metric in report.by_type.values()) == 697
    assert report.interval == pytest.approx((0.734, 0.804), abs=1e-3)
    assert broken_limits(report.health, LIMITS) == ()
    assert (report.health.loop, report.health.echo, report.health.empty) == (0, 0, 0)


def test_the_answer_to_the_old_wording_given_to_the_new_one_adds_one_instruction() -> None:
    prompts = all_prompts()
    texts = {prompt.prompt for prompt in prompts}
    (new,) = [prompt.prompt for prompt in prompts if prompt.key == 2785]
    mapped = [
        answer if answer.prompt in texts else answer.model_copy(update={"prompt": new})
        for answer in published()
    ]
    report = IFEval().score(prompts, mapped)
    assert report.instruction_strict.passes == 698
    assert report.instruction_loose.passes == 714
    assert report.unmatched == ()


@pytest.mark.parametrize(
    ("name", "strict", "echo", "broken"),
    [
        ("base", 15, 0.07, ("loop 87 % is above 20 %",)),
        ("sft", 23, 0.34, ("loop 84 % is above 20 %", "echo 34 % is above 10 %")),
    ],
)
def test_small_models_that_never_stop_keep_their_score_and_fail_their_health(
    name: str, strict: int, echo: float, broken: tuple[str, ...]
) -> None:
    prompts = read_ifeval_prompts(DATA / "ifeval" / "sampled_input_data.jsonl")
    report = IFEval().score(prompts, read_answers(DATA / "responses" / f"{name}-100.jsonl"))
    assert (report.score.passes, report.n) == (strict, 100)
    assert report.health.echo == echo
    assert broken_limits(report.health, LIMITS) == broken


def test_the_parrot_passes_a_quarter_of_the_prompts_and_fails_its_health() -> None:
    prompts = all_prompts()
    report = IFEval().score(prompts, echo_answers(prompts))
    assert (report.score.passes, report.n) == (134, 541)
    assert broken_limits(report.health, LIMITS) == ("echo 100 % is above 10 %",)
