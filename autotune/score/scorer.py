"""What a benchmark looks like to the rest of the program."""

from collections.abc import Sequence
from typing import Protocol

from autotune.protocol.results import EvalReport, Metric, PromptVerdict
from autotune.score.answers import Answer, match
from autotune.score.health import health, sound_passes
from autotune.score.ifeval.instructions import Instructions
from autotune.score.prompts import Prompt
from autotune.score.stats import wilson


class Scorer(Protocol):
    """Turns prompts and their answers into a report; the same input gives the same report.

    Prompts without an answer count as failed and are listed in the report's `unmatched`. A single
    answer, whatever it holds, raises nothing: it fails with the reason in its verdict.
    """

    @property
    def name(self) -> str:
        """The benchmark's name, as reports show it."""
        ...

    @property
    def instructions(self) -> Instructions:
        """What its prompts may ask for, each with the arguments that it takes."""
        ...

    @property
    def decides_early(self) -> bool:
        """Whether `early.EarlyJudge` knows its rules.

        Then its strict verdict on a prompt depends on that prompt's answer alone.
        """
        ...

    def score(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> EvalReport:
        """The report over all `prompts`."""
        ...


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
