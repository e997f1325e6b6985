"""A trial as a run judges it and as `--full` does: what both choose, and what early stopping saves.

Where it is not said how many passes are genuine, every score counts for itself. The rules are the
product's own.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autotune.protocol import events
from autotune.protocol.results import Checkpoint, Partial
from autotune.protocol.scores import Metric
from autotune.run.trial_state import TrialState
from autotune.score.ifeval.prompts import IFEvalPrompt
from autotune.score.stats import wilson
from autotune.score.stopping.stop_rule import StopRule

SCORE_PER_LIFT = 4
"""As in the profiles."""


@dataclass(frozen=True, slots=True)
class Given:
    """One answer: its letters, after how many it was decided (all: never), its verdict."""

    length: int
    decided: int
    strict: bool
    genuine: bool = True


class Tally:
    """What became of many trials of one kind, as a row of a table."""

    def __init__(self, target: float, at_once: int, shuffled: float | None = None) -> None:
        """`shuffled` is the share of other prompts that answers pass, None where all counts."""
        self.target, self.at_once, self.shuffled = target, at_once, shuffled
        self.trials = self.checkpoints = self.stopped = self.reach = self.wrong = 0
        self.differ = self.missed = self.made = self.whole = 0
        self.lost_points = 0.0

    def add(self, checkpoints: Sequence[Sequence[Given]]) -> None:
        """Play one trial."""
        worths = [worth(row, self.shuffled) for row in checkpoints]
        best, cost, stopped = as_run(checkpoints, self.target, self.at_once, self.shuffled)
        self.made += cost
        self.whole += sum(one.length for row in checkpoints for one in row)
        self.trials += 1
        for found, end in zip(worths, stopped, strict=True):
            reaches = found >= self.target
            self.checkpoints += 1
            self.stopped += end
            self.reach += reaches
            self.wrong += end and reaches
        self.differ += worths[best] < max(worths)
        self.missed += worths[best] < self.target <= max(worths)
        self.lost_points += 100 * (max(worths) - worths[best])

    def row(self) -> dict[str, Any]:
        """Shares; those of errors with their 95 % interval. Points are of 100, on average."""
        return {
            "trials": self.trials,
            "checkpoints": self.checkpoints,
            "saved": round(1 - self.made / self.whole, 3),
            "stopped": round(self.stopped / self.checkpoints, 3),
            "reach_the_target": self.reach,
            "stopped_though_they_do": share(self.wrong, self.reach),
            "target_missed": share(self.missed, self.trials),
            "another_best": share(self.differ, self.trials),
            "points_lost": round(self.lost_points / self.trials, 3),
        }


def worth(row: Sequence[Given], shuffled: float | None) -> float:
    """What a checkpoint counts for: its score, or four times its lift where that is less."""
    score = sum(one.strict for one in row) / len(row)
    if shuffled is None:
        return score
    lift = sum(one.strict and one.genuine for one in row) / len(row) - shuffled
    return max(0.0, min(score, SCORE_PER_LIFT * lift))


def share(count: int, of: int) -> dict[str, Any]:
    """A share with its n and 95 % interval (Wilson)."""
    if not of:
        return {"n": 0}
    return {
        "n": of,
        "share": round(count / of, 4),
        "interval": [round(e, 4) for e in wilson(count, of)],
    }


def as_run(
    checkpoints: Sequence[Sequence[Given]],
    target: float,
    at_once: int,
    shuffled: float | None = None,
) -> tuple[int, int, list[bool]]:
    """The best that a run chooses, the letters it makes, and which checkpoints were stopped."""
    prompts = len(checkpoints[0])
    if len(checkpoints) == 1:
        return 0, sum(one.length for one in checkpoints[0]), [False]
    order = [
        IFEvalPrompt(key=key, prompt="", instruction_id_list=(), kwargs=())
        for key in range(prompts)
    ]
    rule = StopRule(order, target)
    parts = [answered(row, rule, at_once) for row in checkpoints]
    trial = TrialState(0, 0, None, 0.0)  # type: ignore[arg-type]
    for number, (row, (_, count)) in enumerate(zip(checkpoints, parts, strict=True)):
        estimate = Metric.of(sum(one.strict for one in row[:count]), count)
        # Of so many answers some are always decided before their end.
        partial = Partial(of=prompts, why="target" if count < prompts else "decided", target=target)
        record(trial, number, estimate, partial)
    cost = sum(letters for letters, *_ in parts)
    while (unfinished := trial.to_finish(target)) is not None:
        number = unfinished.checkpoint.step
        row = checkpoints[number]
        cost += sum(one.length for one in row[parts[number][1] :])
        cost += sum(one.length - one.decided for one in row[: parts[number][1]])
        whole = Metric.of(sum(one.strict for one in row), prompts)
        record(trial, number, whole, None, worth(row, shuffled))
    assert trial.best is not None
    ends = [count < prompts for _, count in parts]
    return trial.best.checkpoint.step, cost, ends


def record(
    trial: TrialState,
    number: int,
    score: Metric,
    partial: Partial | None,
    counts: float | None = None,
) -> None:
    """Put a score on the trial's record; without `partial` it is of finished answers."""
    at = Checkpoint(step=number, progress=1.0, folder=f"{number}")
    event = events.Evaluated.without_score(0, at, "")
    update = {"score": score, "problem": None, "partial": partial, "counts": counts}
    trial.evaluations[at.place] = event.model_copy(update=update)


def answered(row: Sequence[Given], rule: StopRule, at_once: int) -> tuple[int, int]:
    """Letters made, and prompts that count, of one checkpoint.

    A letter of each answer under way at a time, as a batch grows.
    """
    begun: list[int] = []
    ends: list[int] = []
    free = [0] * min(at_once, len(row))
    for one in row:
        begin = heapq.heappop(free)
        begun.append(begin)
        ends.append(begin + one.decided)
        heapq.heappush(free, begin + one.decided)
    verdicts = [one.strict for one in row]
    latest = 0
    for count in range(1, len(row) + 1):
        latest = max(latest, ends[count - 1])
        if rule.verdict(verdicts[:count]) is not None:
            spent = sum(max(0, min(latest, end) - at) for at, end in zip(begun, ends, strict=True))
            return spent, count
    return sum(one.decided for one in row), len(row)
