"""What a benchmark looks like to the rest of the program."""

from collections.abc import Sequence
from typing import Protocol

from autotune.evaluate.answers import Answer
from autotune.evaluate.instructions import Instructions
from autotune.evaluate.prompts import Prompt
from autotune.outcome import EvalReport


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
