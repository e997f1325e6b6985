"""What was found: verdicts of trials, the fit, checkpoints and scores, all as data."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator

from autotune.base.model import Boundary
from autotune.base.sizes import show_size
from autotune.protocol.choices import Think
from autotune.protocol.data_notes import DataNote
from autotune.protocol.kernels import Kernel
from autotune.protocol.plan import Rounds, TrialPoint
from autotune.protocol.run_path import checkpoint_in_run
from autotune.protocol.scores import Figures, Lift, Metric, Score


class Verdict(StrEnum):
    """How a trial ended. Only FITS lets a size be used."""

    FITS = "FITS"
    OVER_BUDGET = "OVER_BUDGET"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    SPILLED = "SPILLED"
    THRASHED = "THRASHED"
    NUMERIC = "NUMERIC"
    TIMED_OUT = "TIMED_OUT"
    CRASHED = "CRASHED"


class TimedStep(Boundary):
    """One optimizer step over rows as training gives them, not over the longest only.

    `tokens` without padding, `supervised_tokens` with a label.
    """

    conversations: int
    tokens: int
    supervised_tokens: int
    seconds: float


class Measurement(Boundary):
    """What a trial process measured of itself.

    `peak_bytes` is the figure held against the budget: reserved memory plus context on CUDA, peak
    resident memory of the process on a CPU. `step_seconds` has one entry per optimizer step.
    `prefill_seconds` and `token_seconds` time one evaluation batch: reading it, and each token.
    `device_bytes` is the most that all programs together had in use on the device, `shared_bytes`
    how much of our memory on it lay in the computer's memory instead (Windows); None where
    that is unknown. `fresh` marks the first trial of its process. `step_retries` are the
    allocator's retries step by step, empty where they were not counted so. `attention` is the
    kernel that its steps attended by. `torch_compile` says whether layers were compiled to the end:
    one that was asked for it may have found no compiler that works.
    """

    steps: int
    peak_bytes: int
    allocated_bytes: int
    step_seconds: tuple[float, ...]
    supervised_tokens: int
    tokens: int
    allocator_retries: int
    step_retries: tuple[int, ...] = ()
    finite: bool
    prefill_seconds: float = 0.0
    token_seconds: float = 0.0
    device_bytes: int | None = None
    shared_bytes: int | None = None
    fresh: bool = True
    timed: TimedStep | None = None
    attention: Kernel | None = None
    torch_compile: bool = False


class TrialOutcome(Boundary):
    """One tried point with its verdict, the reason in words, and what was measured.

    `conversation` is the place in the data, from 1, of the longest row that it ran on.
    """

    point: TrialPoint
    verdict: Verdict
    reason: str
    seconds: float
    measurement: Measurement | None = None
    conversation: int | None = None


class StrategyFit(Boundary):
    """A strategy clipped to what fits, the micro-batching of its steps, and estimates of its time.

    It `fits` when its rows are not truncated below what it requests, and is `planned` when it will
    have its turn: a fallback that fits is planned only where no other strategy fits. `eta_seconds`
    is training and scoring; `eta_single_seconds` is the same with one row at a time, None where
    only one way was timed; and then so are `supervised_tokens_per_second` and `peak_bytes`, which
    were measured for this way. `batch_size` is conversations a step, None in older records; `lost`
    tells of the rows that its length leaves nothing of to train on, `cut` of the answers that it
    does not leave whole. Of `eta_seconds` `training_seconds` is training, at `tokens_per_second`;
    the rest is `evaluations` times all prompts, every answer as long as it may be.
    """

    fits: bool
    planned: bool
    model_max_length: int
    max_rounds: Rounds
    micro_batch_tokens: int
    gradient_checkpointing: bool
    conversations: int
    kept_supervised: float
    steps: int
    eta_seconds: float
    eta_single_seconds: float | None = None
    supervised_tokens_per_second: float | None = None
    packing: bool = False
    torch_compile: bool = False
    peak_bytes: int | None = None
    batch_size: int | None = None
    lost: DataNote | None = None
    cut: DataNote | None = None
    training_seconds: float | None = None
    tokens_per_second: float | None = None
    evaluations: int = 0


class Fit(Boundary):
    """The probe's answer with its evidence; written to `fit.json`.

    `trials` searched and confirmed the answer, `speed_trials` timed micro-batchings of a step.
    `predicted_peak_bytes` is what was computed for the accepted point beforehand, None where
    nothing was. `fingerprint` maps what the answer depends on (device, torch, model, data ...) to
    its value; `expiry` says of each what follows when it changes. `attention` is the kernel of the
    accepted trial. `whole`: whether `max_rounds` stay whole in every conversation (1 may not).
    """

    model_max_length: int
    max_rounds: int
    micro_batch_tokens: int
    gradient_checkpointing: bool
    budget_bytes: int
    peak_bytes: int
    tokens_per_second: float
    trials: tuple[TrialOutcome, ...]
    strategies: dict[str, StrategyFit]
    fingerprint: dict[str, str]
    expiry: dict[str, str] = {}
    speed_trials: tuple[TrialOutcome, ...] = ()
    predicted_peak_bytes: int | None = None
    attention: Kernel | None = None
    whole: bool | None = None

    @property
    def words(self) -> str:
        """What was measured, for a person: `peak 3.40 GiB of 7.20 GiB, 812 tokens/s on ...`."""
        peak, budget = show_size(self.peak_bytes), show_size(self.budget_bytes)
        speed = f"{self.tokens_per_second:.0f} tokens/s on its longest sequence"
        return f"peak {peak} of {budget}, {speed}"


class Checkpoint(Boundary):
    """A saved state of training: a Hugging Face folder. `progress` is step / total steps.

    With `averaged` above 0 it is the mean of so many checkpoints, the last of them at `step`.
    `folder` is its path from the folder of its run; `RunDir.checkpoint` says where that is now.
    """

    step: int
    progress: float
    folder: Annotated[str, AfterValidator(checkpoint_in_run)]
    averaged: int = 0

    @property
    def place(self) -> tuple[int, int]:
        """What distinguishes it from the others of its training, in order of progress."""
        return self.step, self.averaged

    @property
    def name(self) -> str:
        """Its name in files and folders: `step-000012`, `average-3`."""
        return f"average-{self.averaged}" if self.averaged else f"step-{self.step:06d}"


class Partial(Boundary):
    """Why a score is not of all `of` prompts, or not of finished answers.

    `target`: this one is out of reach. `decided`: every prompt has its strict verdict, but answers
    were left unfinished once theirs was certain. `rival`: in old records, another checkpoint was
    better.
    """

    of: int
    why: Literal["target", "rival", "decided"]
    rival: str | None = None
    target: float | None = None

    @property
    def is_decided(self) -> bool:
        """Whether the score is of all prompts, only not of finished answers."""
        return self.why == "decided"

    def was_stopped_above(self, target: float) -> bool:
        """Whether a higher target than this one was out of reach, so that this one may not be."""
        return self.target is not None and self.target > target


class Health(Boundary):
    """Shares (0..1) of the answers that stopped, looped, echoed the prompt, or were empty.

    `stop` is None where the answers come without a record of how they ended. `vacuous` is the share
    of the passing answers that say next to nothing.
    """

    stop: float | None
    loop: float
    echo: float
    empty: float
    vacuous: float = 0.0


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError("must be a share from 0 to 1")
    return value


Share = Annotated[float, AfterValidator(_share)]


class HealthLimits(Boundary):
    """Beyond which a share of the answers is shown as bad; see `docs/health.md` for the evidence.

    It does not decide whether a target is met; see `Requirements`.
    """

    min_stop: Share
    max_loop: Share
    max_echo: Share
    max_empty: Share
    max_vacuous: Share = 0.1


class Requirements(Boundary):
    """Shares (0..1) that a score must keep to besides, to meet a target; None requires nothing."""

    min_stop: Share | None = None
    max_loop: Share | None = None
    max_echo: Share | None = None
    max_empty: Share | None = None
    max_vacuous: Share | None = None


class InstructionVerdict(Boundary):
    """One instruction of one prompt; `error` names what the checker died of, if it did."""

    instruction: str
    strict: bool
    loose: bool
    error: str | None = None


class PromptVerdict(Boundary):
    """One prompt: whether its answer passes, and each of its instructions if it has some.

    `strict` is what the score counts. A scorer that does not tell strict from loose gives both the
    same verdict.
    """

    key: int
    strict: bool
    loose: bool
    answered: bool
    instructions: tuple[InstructionVerdict, ...] = ()


class EvalReport(Figures):
    """A scored set of answers. `interval` is Wilson's 95 % of the score.

    `sound` counts the strict passes of answers that neither loop nor echo nor say next to nothing,
    out of all prompts; None where a scorer does not report it. `lift` is how much of the score is
    following, None of a single prompt. `think` is which text was judged; of the
    answers `thoughts` held a thought, and `unfinished_thoughts` of these did not come to its end.
    """

    n: int
    score: Score
    interval: tuple[float, float]
    health: Health
    by_type: dict[str, Metric]
    unmatched: tuple[int, ...]
    verdicts: tuple[PromptVerdict, ...]
    sound: Metric | None = None
    lift: Lift | None = None
    think: Think = Think.KEEP
    thoughts: int = 0
    unfinished_thoughts: int = 0

    @property
    def answered(self) -> int:
        """How many prompts have an answer: what the shares of `health` are of."""
        return self.n - len(self.unmatched)
