"""What a report holds: the JSON that scripts rely on. Fields may be added, none renamed."""

from pathlib import Path
from typing import Any, Literal

from autotune.base.model import Boundary
from autotune.base.sizes import show_size
from autotune.protocol.checkpoint_events import SpotChecked
from autotune.protocol.choices import Think
from autotune.protocol.data_notes import DataNote
from autotune.protocol.estimate import TrialEstimate
from autotune.protocol.gain import Gain, Improvement
from autotune.protocol.plan import TrainPlan
from autotune.protocol.results import Fit, Health
from autotune.protocol.scores import DEFAULT_SCORER, Figures, Lift, Metric
from autotune.protocol.space import Value
from autotune.protocol.study_events import StudyTotal


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


class FullScore(Figures):
    """The best checkpoint on all prompts of a source, scored by `eval` after the run.

    `max_new_tokens` is the longest answer that it could give.
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
    unhealthy: tuple[str, ...] = ()


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


class PracticeReport(Boundary):
    """Practice data that a trial trained on: of which kinds it has chats, which it holds out.

    `strategies` trained on it, all of them where it is empty; `data` is what it is called.
    """

    strategies: tuple[str, ...]
    data: str
    conversations: int
    practised: tuple[str, ...]
    held_out: tuple[str, ...]


class KindScore(Boundary):
    """`passes` out of `n`, their share and its 95 % interval (Wilson), all 0..1."""

    passes: int
    n: int
    share: float
    interval: tuple[float, float]


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


class LossPoint(Boundary):
    """One optimizer step: loss per supervised token, norm of the gradient, learning rate.

    `skips` counts the fp16 overflows before it went through.
    """

    step: int
    loss: float
    grad_norm: float | None
    learning_rate: float
    skips: int


class HeldOutPoint(Boundary):
    """The mean loss on `conversations` that are not trained on, after `step` steps.

    `progress` is 0..1; `loss` is None where it was no finite number.
    """

    step: int
    progress: float
    loss: float | None
    conversations: int


class TimeSpent(Boundary):
    """Seconds of a trial's training and of its scoring, pauses left out; None where not over."""

    training_seconds: float | None = None
    scoring_seconds: float | None = None


class TrialReport(Boundary):
    """One training run: its plan, how far it came, its loss curve and its scores.

    `data` is what it was trained on, None for the run's own data. `pruned` says why it was ended
    before its end, None where it was not. `expected` is how long it was expected to take when it
    began, `took` how long it did. `point` are its values of the searchable keys as asked for, and
    `value` is what it came to, by which the next points are drawn.
    """

    number: int
    strategy: str
    verdict: str
    learning_rate: float
    model_max_length: int
    max_rounds: int | Literal["all"]
    step: int
    total_steps: int
    final_loss: float | None
    skipped_steps: int | None
    weights_moved: float | None
    training_seconds: float | None
    failure: str | None
    data: str | None = None
    plan: TrainPlan
    plan_identity: str
    checkpoints: tuple[CheckpointScore, ...]
    loss_curve: tuple[LossPoint, ...]
    held_out: tuple[HeldOutPoint, ...] = ()
    pruned: str | None = None
    expected: TrialEstimate | None = None
    took: TimeSpent = TimeSpent()
    point: dict[str, Value] = {}
    value: float | None = None


class Escalation(Boundary):
    """A move to the next strategy and why."""

    previous: str
    next: str
    reason: str


class Moment(Boundary):
    """A noteworthy record as a sentence; `time` in seconds since the epoch."""

    time: float
    text: str


class Report(Boundary):
    """A run, whole or unfinished. Times in seconds (since the epoch: `started`, `last_record`).

    `seconds` spans first to last record, so it holds the pauses of a resumed run too. `best` was
    chosen among `chosen_among` scored checkpoints; `corrected` is about what it is worth without
    the selection bias, None where that is not known. `beaten_by_echo` says whether a baseline
    without a model, such as giving the prompts back unchanged, scores as much as it. `gain` holds
    it against the untrained model, None where one of them has no score. `attention`
    names the kernel that computed attention, None where no worker reported it. `data_notes` says
    what was found in the rows of the data. `importances` are shares of 1 by searchable key, where
    there are enough trials to tell. `think` is which text of answers was judged, `scorer` by
    what. `practice` is the practice data that trials trained on, `kinds` how held-out kinds came
    out beside the others. `study` is the shared study that the run worked at, with the trials of
    all hosts; `trials` are this folder's. `spot_checks`, by model, are on prompts that decide
    nothing.
    """

    target: float
    met: bool
    status: Literal["met", "below target", "unfinished"]
    reason: str
    strategy: str | None
    best: CheckpointScore | None
    best_in_full: FullScore | None = None
    chosen_among: int
    corrected: float | None = None
    beaten_by_echo: bool
    gain: BestGain | None = None
    baselines: dict[str, BaselineReport]
    spot_checks: dict[str, SpotChecked] = {}
    practice: tuple[PracticeReport, ...] = ()
    kinds: tuple[KindsScore, ...] = ()
    trials: tuple[TrialReport, ...]
    study: StudyTotal | None = None
    escalations: tuple[Escalation, ...]
    importances: dict[str, float] = {}
    fit: Fit | None
    profile: str
    model: str
    data: str
    prompts: str
    prompt_count: int
    think: Think = Think.KEEP
    scorer: str = DEFAULT_SCORER
    device: str
    budget_bytes: int
    started: float
    last_record: float
    seconds: float
    conclusions: tuple[str, ...]
    next_steps: tuple[str, ...]
    warnings: tuple[str, ...]
    data_notes: tuple[DataNote, ...] = ()
    advice: tuple[str, ...]
    timeline: tuple[Moment, ...]
    events: dict[str, int]
    versions: dict[str, str]
    attention: str | None = None
    run_dir: str

    @property
    def no_better(self) -> bool:
        """Whether the best checkpoint is no better than the untrained model."""
        return self.gain is not None and self.gain.verdict is Improvement.NO_BETTER

    @property
    def machine(self) -> str:
        """The device and what could be used of its memory, for a person."""
        return f"{self.device}, memory budget {show_size(self.budget_bytes)}"


def run_json(report: Report) -> dict[str, Any]:
    """The object that `run --json` prints: plain JSON values only.

    Its checkpoints are named as the shell finds them, from where the command was given.
    """
    tree: dict[str, Any] = report.model_dump(mode="json")
    scores = [score for trial in tree["trials"] for score in trial["checkpoints"]]
    for score in [*scores, *([tree["best"]] if tree["best"] else [])]:
        score["checkpoint"] = str(Path(report.run_dir, score["checkpoint"]))
    return tree
