"""Early stopping of an evaluation: whether a checkpoint need not give its remaining answers.

It need not once the target is out of its reach (`score.stopping.target`). The test looks at the
prompts in the run's random order, after each one, so what is decided does not depend on which
answers happen to be finished first.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from autotune.base.errors import BadInput
from autotune.base.files import write_text_atomic
from autotune.base.model import Boundary
from autotune.protocol.results import Partial
from autotune.protocol.scores import Metric
from autotune.score.answers import Answer
from autotune.score.early_verdicts import DecidedLine, decided_file
from autotune.score.jsonl import Tail
from autotune.score.prompt_order import answered_in_order
from autotune.score.prompts import Prompt
from autotune.score.stopping.target import TargetTest, needed_passes

_VERDICTS = "verdicts.json"

MIN_ANSWERED_ONE_IN = 4
"""A checkpoint answers one in so many prompts at least before the target counts: where that is far
away, its estimate would else rest on a handful, and the best of several on selection bias.
Of five of 20 to 25 %, with a target of 50 %, the one that is chosen is 0.7 points worse than the
best one with this, 1.0 with 8 and 1.4 without, and 60, 70 and 75 % of the answers are saved. With a
target of 25 % all three are nearly alike (`benchmarks/early_decisions.py`)."""

MIN_REMAINING_ONE_IN = 10
"""With less than one in so many prompts left, it is finished: most of those answers are being
made already, and should it be the best after all, they would be made twice."""


Line = TypeVar("Line", bound=Boundary)


@dataclass(frozen=True, slots=True)
class StopRule:
    """When a checkpoint is stopped: the prompts in their random order, and the target.

    `order` is all prompts in random order, `target` the share of passes that is wanted.
    """

    order: Sequence[Prompt]
    target: float

    def verdict(self, verdicts: Sequence[bool]) -> Partial | None:
        """Why to stop after these verdicts, the first ones of the order; None to continue."""
        total, asked = len(self.order), len(verdicts)
        if total - asked < max(1, total // MIN_REMAINING_ONE_IN):
            return None
        test = TargetTest(total, needed_passes(total, self.target))
        if asked * MIN_ANSWERED_ONE_IN >= total and test.is_out_of_reach(asked, sum(verdicts)):
            return Partial(of=total, why="target", target=self.target)
        return None


@dataclass(frozen=True, slots=True)
class StoppedEvaluation:
    """A checkpoint that was stopped, and its strict verdicts by key up to there, in order."""

    partial: Partial
    strict: Mapping[int, bool]

    @property
    def score(self) -> Metric:
        """Passes out of the prompts that count."""
        return Metric.of(sum(self.strict.values()), len(self.strict))


class EvaluationFollower:
    """Follows the files of an evaluation while it writes them."""

    def __init__(self, rule: StopRule, responses: Path) -> None:
        self.rule = rule
        self.prompts = {prompt.key: prompt for prompt in rule.order}
        self.finished = Tail(responses)
        self.decided = Tail(decided_file(responses))
        self.strict: dict[int, bool] = {}
        self.decided_count = 0
        self.looked = 0

    def new_answers(self) -> list[tuple[Prompt, Answer]]:
        """What was finished since the last call; decided answers are taken in by themselves.

        Raises:
            BadInput: a line is none that a worker writes.
        """
        for found in _read(DecidedLine, self.decided):
            self.strict[found.key] = found.strict
            self.decided_count += 1
        answers = _read(Answer, self.finished)
        return [(self.prompts[a.key], a) for a in answers if a.key in self.prompts]

    def look(self) -> StoppedEvaluation | None:
        """Whether to stop, at the earliest prompt of the order that allows it."""
        verdicts = answered_in_order(self.rule.order, self.strict)
        for count in range(self.looked + 1, len(verdicts) + 1):
            if (partial := self.rule.verdict(verdicts[:count])) is not None:
                return self._stopped(partial, count)
        self.looked = len(verdicts)
        return None

    def end(self) -> StoppedEvaluation | None:
        """All prompts have a verdict: still no full score where answers were left unfinished."""
        if not self.decided_count:
            return None
        total = len(self.rule.order)
        return self._stopped(Partial(of=total, why="decided"), total)

    def _stopped(self, partial: Partial, count: int) -> StoppedEvaluation:
        keys = [prompt.key for prompt in self.rule.order[:count]]
        return StoppedEvaluation(partial, {key: self.strict[key] for key in keys})


def _read(kind: type[Line], tail: Tail) -> list[Line]:
    try:
        return [kind.model_validate_json(line) for line in tail.lines()]
    except ValidationError as error:
        what = error.errors()[0]["msg"]
        raise BadInput(
            f"{tail.path}: a line was changed ({what}); delete the file, its answers are made again"
        ) from None


def keep_verdicts(where: Path, strict: Mapping[int, bool]) -> None:
    """Write down, in an evaluation's folder, the strict verdicts of a checkpoint by prompt key.

    They are of a full evaluation or of one that was stopped. The correction of the best score for
    its selection compares checkpoints by them.
    """
    text = json.dumps({str(key): passed for key, passed in strict.items()})
    write_text_atomic(where / _VERDICTS, text)


def read_verdicts(where: Path) -> dict[int, bool]:
    """What `keep_verdicts` wrote there; nothing where there is no such file, or another."""
    try:
        found = json.loads((where / _VERDICTS).read_text(encoding="utf-8"))
        return {int(key): passed is True for key, passed in found.items()}
    except (OSError, ValueError, AttributeError):
        return {}
