"""What became of a trial's checkpoints: their scores, and where their weights are."""

from typing import Literal

from autotune.base.model import Boundary
from autotune.protocol.gain import Gain
from autotune.protocol.results import Checkpoint, Health, Partial
from autotune.protocol.scores import Figures, Lift, MaybeScore, Metric, Score, Scored
from autotune.protocol.training_data_events import KindsApart


class Evaluated(Figures):
    """One checkpoint's score, and whether it meets the target (`meets`).

    `counts` is what the score counts for: itself, or less where little of it is following (`lift`);
    None in records from before it was measured. `unmet` lists what a profile requires besides and
    does not get. `unhealthy` lists the limits that its answers break, `problem` says why a
    checkpoint has no valid score.
    `sound` counts the passes that neither loop nor echo nor say next to nothing, `lift` is how much
    of the score is following. With a holdout all
    of these are of the half of the prompts that is reported, and `chosen_by` is the score on the
    other half, by which checkpoints are compared: by `chosen_counts`, what it counts for.
    `gain` holds it against the untrained model, None where that has no score.

    With `partial` the evaluation was ended early: `score` is of the prompts up to there, an
    estimate, the other figures are None and `met` is False. A later event may bring the full score.

    `kinds` has an entry for each choice of kinds that the run's practice data holds out.
    """

    kind: Literal["evaluated"] = "evaluated"
    number: int
    checkpoint: Checkpoint
    score: MaybeScore
    interval: tuple[float, float] | None
    health: Health | None
    met: bool
    unhealthy: tuple[str, ...] = ()
    problem: str | None = None
    sound: Metric | None = None
    lift: Lift | None = None
    counts: float | None = None
    unmet: tuple[str, ...] = ()
    chosen_by: Metric | None = None
    chosen_counts: float | None = None
    gain: Gain | None = None
    partial: Partial | None = None
    kinds: tuple[KindsApart, ...] = ()

    def meets(self, target: float) -> bool:
        """Whether a target is met: the score counts for as much, and nothing required is missing.

        Before following was measured it was the score itself, of answers within all limits.
        """
        if self.score is None or self.partial is not None:
            return False
        counts = self.score.accuracy if self.counts is None else self.counts
        return counts >= target and not self.lacks

    @property
    def counts_for_less(self) -> bool:
        """Whether so little of the score is following that it counts for less than itself."""
        score, counts = self.score, self.counts
        return score is not None and counts is not None and counts < score.accuracy

    @property
    def lacks(self) -> tuple[str, ...]:
        """Sentences on what keeps it from meeting any target, whatever its score counts for."""
        return self.unhealthy if self.counts is None else self.unmet

    @property
    def rank(self) -> tuple[bool, float]:
        """What checkpoints are compared by: those answered to their end first, then by `value`."""
        return self.partial is None, self.value

    @property
    def value(self) -> float:
        """What the sampler is told; -1 without a score.

        What the score counts for, 0..1; one less where something required is missing, so any that
        lacks nothing goes before any that does. Of a checkpoint that was not answered to its end
        the score, and in records from before following was measured the score as well, one less
        for answers beyond a limit.
        """
        if self.score is None:
            return -1.0
        counts = self.counts if self.chosen_by is None else self.chosen_counts
        if counts is None:
            counts = (self.chosen_by or self.score).accuracy
        return counts - (1.0 if self.lacks else 0.0)

    @classmethod
    def ended_early(
        cls,
        number: int,
        checkpoint: Checkpoint,
        score: Metric,
        interval: tuple[float, float],
        partial: Partial,
    ) -> "Evaluated":
        """A checkpoint whose evaluation was stopped early."""
        return cls(
            number=number,
            checkpoint=checkpoint,
            score=score,
            interval=interval,
            health=None,
            met=False,
            partial=partial,
        )

    @classmethod
    def without_score(cls, number: int, checkpoint: Checkpoint, problem: str) -> "Evaluated":
        """A checkpoint that has no valid score, and why."""
        return cls(
            number=number,
            checkpoint=checkpoint,
            score=None,
            interval=None,
            health=None,
            met=False,
            problem=problem,
        )


class BestCorrected(Boundary):
    """What the best of `candidates` scored checkpoints is worth without its selection bias.

    `corrected` is a share, 0..1, `interval` its 95 %; how: `score.selection`.
    """

    kind: Literal["chosen"] = "chosen"
    candidates: int
    corrected: float
    interval: tuple[float, float]


class BestInFull(Figures):
    """The best checkpoint, scored on more prompts than the run's own: all of a source.

    By `eval` afterwards, or at the end of a run that was asked for it. `weights` are the sha256 of
    its files, which are those that the run scored. `prompts` names the
    source, `unhealthy` the limits of the profile that the answers break. `kinds` as of the
    run's own prompts. `counts` is what the score counts for, `by_type` counts each instruction's
    passes; neither is in older records.
    """

    kind: Literal["best_in_full"] = "best_in_full"
    number: int
    checkpoint: Checkpoint
    weights: dict[str, str]
    prompts: str
    scorer: str
    max_new_tokens: int
    score: Score
    interval: tuple[float, float]
    health: Health
    lift: Lift | None = None
    unhealthy: tuple[str, ...] = ()
    kinds: tuple[KindsApart, ...] = ()
    counts: float | None = None
    by_type: dict[str, Metric] = {}

    @property
    def value(self) -> float:
        """What the score counts for, 0..1; the score itself where that is not known."""
        return self.score.accuracy if self.counts is None else self.counts


class BaselineInFull(Scored):
    """A baseline on the prompts of a `BestInFull`: `untrained`, or one of the scorer.

    `number` and `checkpoint` are those of that best, `gain` is what it gained on the untrained
    model there, None for other baselines and where the verdicts are not known.
    """

    kind: Literal["baseline_in_full"] = "baseline_in_full"
    name: str
    number: int
    checkpoint: Checkpoint
    prompts: str
    score: Score
    interval: tuple[float, float]
    health: Health
    lift: Lift | None = None
    gain: Gain | None = None
    by_type: dict[str, Metric] = {}


class SpotChecked(Scored):
    """A few prompts of another source that decide nothing, answered by one model of the run.

    `of` is the model before training, or the best checkpoint, then with `number` and `checkpoint`.
    `prompts` names the source, `scorer` what judged, `max_new_tokens` the longest answer.
    """

    kind: Literal["spot_checked"] = "spot_checked"
    of: Literal["untrained", "best"]
    prompts: str
    scorer: str
    max_new_tokens: int
    score: Score
    interval: tuple[float, float]
    health: Health
    lift: Lift | None = None
    number: int | None = None
    checkpoint: Checkpoint | None = None


class CheckpointsRemoved(Boundary):
    """Judged checkpoints of a trial that is over, and not its best, gave back their room.

    `names` are those of their folders; what they scored stays on record.
    """

    kind: Literal["checkpoints_removed"] = "checkpoints_removed"
    number: int
    names: tuple[str, ...]
    freed_bytes: int


class CheckpointDamaged(Boundary):
    """A checkpoint that was to be scored is not as it was saved; `fault` says what is wrong.

    With `again` it is made again: trained from the last whole checkpoint before it, or averaged
    again. Otherwise an `Evaluated` without a score follows.
    """

    kind: Literal["checkpoint_damaged"] = "checkpoint_damaged"
    number: int
    checkpoint: Checkpoint
    fault: str
    again: bool


class BestLost(Boundary):
    """The best checkpoint's weights are gone or damaged, and `best/` is no whole copy of them.

    `fault` says what is wrong with its folder. Its score stays on record, but from here on it is no
    candidate for the best, until a `BestKept` names it: somebody put its weights back.
    """

    kind: Literal["best_lost"] = "best_lost"
    number: int
    checkpoint: Checkpoint
    fault: str


class BestKept(Boundary):
    """The best checkpoint so far was copied to `best/`; `sha256` is of that copy's manifest."""

    kind: Literal["best_kept"] = "best_kept"
    number: int
    checkpoint: Checkpoint
    sha256: str
