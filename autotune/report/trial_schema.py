"""What a report holds of one training: its plan, its course, its time, its scores."""

from typing import Literal

from autotune.base.model import Boundary
from autotune.protocol.estimate import TrialEstimate
from autotune.protocol.plan import TrainPlan
from autotune.protocol.space import Value
from autotune.report.score_schema import CheckpointScore


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
    began, `took` how long it did. `epoch_losses` are the means over each epoch that was
    begun. `point` are its values of the searchable keys as asked for, and `value` is what it came
    to, by which the next points are drawn.
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
    epoch_losses: tuple[float, ...] = ()
    held_out: tuple[HeldOutPoint, ...] = ()
    pruned: str | None = None
    expected: TrialEstimate | None = None
    took: TimeSpent = TimeSpent()
    point: dict[str, Value] = {}
    value: float | None = None
