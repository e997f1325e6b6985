"""From the verdict on each prompt to the report: what every scorer has in common."""

from collections.abc import Sequence

from autotune.evaluate.answers import Answer, match
from autotune.evaluate.health import health, sound_passes
from autotune.evaluate.prompts import Prompt
from autotune.evaluate.stats import wilson
from autotune.outcome import EvalReport, Metric, PromptVerdict


def report_of(
    prompts: Sequence[Prompt], answers: Sequence[Answer], verdicts: Sequence[PromptVerdict]
) -> EvalReport:
    """The report of one verdict for each of `prompts`, in their order."""
    _, unmatched = match(prompts, answers)
    passed = {verdict.key for verdict in verdicts if verdict.strict}
    instructions = [each for verdict in verdicts for each in verdict.instructions]
    return EvalReport(
        n=len(verdicts),
        prompt_strict=Metric.of(len(passed), len(verdicts)),
        instruction_strict=_share([each.strict for each in instructions]),
        prompt_loose=_share([verdict.loose for verdict in verdicts]),
        instruction_loose=_share([each.loose for each in instructions]),
        interval=wilson(len(passed), len(verdicts)),
        health=health(prompts, answers, passed),
        by_type={
            kind: _share([each.strict for each in instructions if each.instruction == kind])
            for kind in sorted({each.instruction for each in instructions})
        },
        unmatched=unmatched,
        verdicts=tuple(verdicts),
        sound=sound_passes(prompts, answers, passed),
    )


def _share(passed: Sequence[bool]) -> Metric:
    return Metric.of(sum(passed), len(passed))
