"""From the verdict on each prompt to the report: what every scorer has in common."""

from collections.abc import Collection, Sequence

from autotune.evaluate.answers import Answer, match
from autotune.evaluate.health import HEALTH_CHECKS, health, sound_passes
from autotune.evaluate.prompts import Prompt
from autotune.evaluate.stats import wilson
from autotune.outcome import EvalReport, PromptVerdict
from autotune.scores import Metric


def report_of(
    prompts: Sequence[Prompt],
    answers: Sequence[Answer],
    verdicts: Sequence[PromptVerdict],
    checks: Collection[str] = HEALTH_CHECKS,
) -> EvalReport:
    """The report of one verdict for each of `prompts`, in their order; `checks` are of health.

    The figures beside the score are the scorer's to add.
    """
    _, unmatched = match(prompts, answers)
    passed = {verdict.key for verdict in verdicts if verdict.strict}
    return EvalReport(
        n=len(verdicts),
        score=Metric.of(len(passed), len(verdicts)),
        interval=wilson(len(passed), len(verdicts)),
        health=health(prompts, answers, passed, checks),
        by_type={},
        unmatched=unmatched,
        verdicts=tuple(verdicts),
        sound=sound_passes(prompts, answers, passed, checks),
    )


def share(passed: Sequence[bool]) -> Metric:
    """How many are true, of all of them."""
    return Metric.of(sum(passed), len(passed))
