"""What a report holds of scores: of checkpoints, baselines, kinds of instruction, answers."""

from typing import Literal

from autotune.base.model import Boundary
from autotune.protocol.gain import Gain, Improvement
from autotune.protocol.result_text import score_text
from autotune.protocol.results import Health
from autotune.protocol.scores import Figures, Lift, Metric
from autotune.score.stats import wilson

Became = Literal["gained", "lost", "still fails", "still passes"]
"""What became of a prompt from the untrained model to the best checkpoint."""


class CheckpointScore(Figures):
    """A checkpoint and its score; `strict` is passes / n, `interval` its 95 % interval (Wilson).

    `checkpoint` is its path from the run folder, which may move.

    All of `strict` ... `health` are None where the evaluation gave no valid score: see `problem`.
    `lift` is what of the score is following, `counts` what the score counts for, `met` whether that
    meets the target; `outcome` says so in words. `unhealthy` names the limits that are broken.
    With `averaged` above 0 it is the mean of so many checkpoints, the last of them at `step`.
    `kept` says whether its folder is still there; judged ones that were not the best give it up.
    `lost` says that it was the best and its weights went without the run's doing.
    `sound` are the passes that neither loop nor echo nor say next to nothing. With a holdout the
    score is on the half of the prompts that it was not `chosen_by`. `ended_early` says why a
    score is an estimate from the first `n` prompts of a random order, without health.
    """

    checkpoint: str
    step: int
    progress: float
    strict: float | None
    passes: int | None
    n: int | None
    interval: tuple[float, float] | None
    health: Health | None
    met: bool
    lift: Lift | None = None
    counts: float | None = None
    unmet: tuple[str, ...] = ()
    outcome: str = ""
    unhealthy: tuple[str, ...] = ()
    problem: str | None = None
    averaged: int = 0
    kept: bool = True
    lost: bool = False
    sound: Metric | None = None
    chosen_by: Metric | None = None
    ended_early: str | None = None


class BestGain(Gain):
    """What training gained, and what that says: `no better`, `within noise` or `better`."""

    verdict: Improvement


class BaselineReport(Boundary):
    """A score to hold the best one against, on the same prompts."""

    name: str
    strict: float
    passes: int
    n: int
    interval: tuple[float, float]
    health: Health
    lift: Lift | None = None


class FullScore(Figures):
    """The best checkpoint on all prompts of a source, which the run itself asked fewer of.

    `max_new_tokens` is the longest answer that it could give. `gain` holds it against the untrained
    model on the same prompts, None where that did not answer them; `baselines` are on these too.
    """

    prompts: str
    scorer: str
    max_new_tokens: int
    strict: float
    passes: int
    n: int
    interval: tuple[float, float]
    health: Health
    lift: Lift | None = None
    counts: float | None = None
    unhealthy: tuple[str, ...] = ()
    gain: BestGain | None = None
    baselines: dict[str, BaselineReport] = {}

    @property
    def value(self) -> float:
        """What the score counts for, 0..1; the score itself where that is not known."""
        return self.strict if self.counts is None else self.counts


class KindScore(Boundary):
    """`passes` out of `n`, their share and its 95 % interval (Wilson), all 0..1."""

    passes: int
    n: int
    share: float
    interval: tuple[float, float]

    @classmethod
    def of(cls, metric: Metric) -> "KindScore":
        """A count with its share and interval."""
        interval = wilson(metric.passes, metric.total)
        return cls(passes=metric.passes, n=metric.total, share=metric.accuracy, interval=interval)

    @property
    def text(self) -> str:
        """`6/24 25.0 % [12-45]`; `none` where nothing was asked."""
        return score_text(Metric.of(self.passes, self.n), self.interval) if self.n else "none"


class KindsScore(Boundary):
    """How a model does on the kinds that its practice held out, beside the others.

    `of` is `untrained`, `best`, `best_practised` (where the best did not practise) or
    `best_in_full`. Instructions: of held-out kinds, of practised ones, of kinds that are neither.
    Prompts: those that have a held-out kind, and the others.
    """

    of: str
    described: str
    held_out: tuple[str, ...]
    held_out_instructions: KindScore
    practised_instructions: KindScore
    unpractised_instructions: KindScore
    held_out_prompts: KindScore
    other_prompts: KindScore


class InstructionScore(Boundary):
    """How one kind of instruction is followed: before training and by the best checkpoint.

    On the run's own prompts, and (`_in_full`) on all of a source. None where that is not known.
    """

    instruction: str
    before: KindScore | None = None
    after: KindScore | None = None
    before_in_full: KindScore | None = None
    after_in_full: KindScore | None = None


class ExampleAnswer(Boundary):
    """One answer: its text, the rules that it fails in words, and what else is wrong with it.

    `response` is None where none was given, and `shortened` says that it goes on.
    """

    response: str | None
    shortened: bool
    passes: bool
    failed: tuple[str, ...]
    faults: tuple[str, ...]


class ExamplePair(Boundary):
    """One prompt with the answers of the untrained model and of the best checkpoint."""

    key: int
    prompt: str
    became: Became
    before: ExampleAnswer
    after: ExampleAnswer
