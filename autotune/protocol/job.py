"""What a worker is asked to do: one job file, one process, one answer."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from autotune.base.model import Boundary
from autotune.protocol.choices import Attention, Precision, Supervision
from autotune.protocol.device_kind import DeviceKind
from autotune.protocol.device_spec import DeviceSpec as DeviceSpec
from autotune.protocol.device_spec import on_the_computer as on_the_computer
from autotune.protocol.export_jobs import ChatJob as ChatJob
from autotune.protocol.export_jobs import GgufJob as GgufJob
from autotune.protocol.export_jobs import TrainedChatsJob as TrainedChatsJob
from autotune.protocol.inspection import InspectionSpec
from autotune.protocol.plan import DataSpec, TrainPlan, TrialPoint
from autotune.protocol.prediction import Capability, PredictPoint, TimedPass
from autotune.protocol.results import Checkpoint
from autotune.protocol.sampling import Sampling
from autotune.protocol.scores import DEFAULT_SCORER


class CheckJob(Boundary):
    """See whether torch can compute on the card of `device`, and write a `CardAnswer` to `out`."""

    job: Literal["check"] = "check"
    device: DeviceSpec
    out: str


class SurveyJob(Boundary):
    """Tokenize the data once and write every conversation's round boundaries to `out`.

    `inspection`, where given, also has what a person wants to see of the data written. `prompts` is
    a file of prompts that a score is measured on: rows in which one stands are noted. `strategies`
    and `label` go into the event: whose data it is, where it is not the run's own.
    """

    job: Literal["survey"] = "survey"
    device: DeviceSpec
    model_folder: str
    data: DataSpec
    out: str
    inspection: InspectionSpec | None = None
    prompts: str | None = None
    strategies: tuple[str, ...] = ()
    label: str = ""


class TrialJob(Boundary):
    """Run real training steps at one point on the longest row and measure them.

    `longest_conversation` says which conversation, counted from 0, gives that row.
    Between the steps it generates once at the shape of an evaluation: `generate_rows` answers
    whose prompt and answer together take `generate_context` tokens. The cache is filled by long
    prompts, `prefill_tokens` tokens at once, and only the last tokens are generated, which costs
    the same memory in less time.
    Where `timed_conversations` is above 0, one more step over so many conversations of the data,
    as an epoch gives them, is timed.
    """

    job: Literal["trial"] = "trial"
    device: DeviceSpec
    model_folder: str
    data: DataSpec
    point: TrialPoint
    longest_conversation: Annotated[int, Field(ge=0)]
    steps: int = 2
    generate_rows: int
    generate_context: int
    prefill_tokens: Annotated[int, Field(ge=1)] = 4096
    seed: int
    timed_conversations: Annotated[int, Field(ge=0)] = 0


class TrainJob(Boundary):
    """Train one plan into `out`, resuming from the newest verified checkpoint there.

    The plan says where model and data were when it was made. Where they have moved since, the very
    same content is at `model_folder` and `data_path`, and that of the prompts whose rows are left
    out at `drop_prompts`. Data of another sha256 is refused.

    After the steps of `held_out_known` the held-out loss is on record and is not measured again.
    """

    job: Literal["train"] = "train"
    device: DeviceSpec
    plan: TrainPlan
    out: str
    model_folder: str | None = None
    data_path: str | None = None
    drop_prompts: str | None = None
    data_sha256: str | None = None
    held_out_known: tuple[int, ...] = ()

    @property
    def model(self) -> str:
        """The folder of the model to begin with."""
        return self.model_folder or self.plan.model_folder

    @property
    def data(self) -> DataSpec:
        """The data to train on."""
        planned = self.plan.data
        now = {"path": self.data_path or planned.path}
        if planned.drop_prompts is not None:
            now["drop_prompts"] = self.drop_prompts or planned.drop_prompts
        return planned.model_copy(update=now)


class AverageJob(Boundary):
    """Write the mean of some checkpoints' weights, in order of progress, as one more checkpoint.

    All of them, by their names, are in the folder `out`; one that is there already is reported and
    not made again.
    """

    job: Literal["average"] = "average"
    device: DeviceSpec
    of: Annotated[tuple[Checkpoint, ...], Field(min_length=2)]
    checkpoint: Checkpoint
    out: str


EngineName = Literal["rows", "graphed", "continuous", "batches"]
"""A way to answer prompts; `autotune/worker/generate/registry.py` says what each is."""


class GenerateJob(Boundary):
    """Answer every prompt of a prompts file with the model in `model_folder`, appending to `out`.

    `max_new_tokens` caps an answer. At most `batch_size` prompts are answered at a time, and no
    more than `prefill_tokens` tokens of prompts are read in a pass.

    Prompts go in by length. With `early_seed` they go in by that seed's random order, and an answer
    is left, for `decided.jsonl` beside `out`, once no further text can change its strict verdict;
    without it, answers that were left there are finished. The rules are `scorer`'s.

    With `sampling` answers are drawn, and each has its number among the samples of its prompt; what
    is in `out` by key and number is not made again. So a file belongs to one model, one `sampling`
    and one cap; only `samples` may grow. Without it the likeliest token is taken each time.
    Early decisions are for a single answer to each prompt, so the two exclude each other.

    A model without a chat template is asked in the form of `supervision`.

    `engine` None is the device's own. One that cannot answer for the model, or cannot sample where
    that is asked for, is replaced, with a warning.
    """

    job: Literal["generate"] = "generate"
    device: DeviceSpec
    model_folder: str
    prompts: str
    out: str
    max_new_tokens: int
    batch_size: int
    prefill_tokens: int
    early_seed: int | None = None
    scorer: str = DEFAULT_SCORER
    supervision: Supervision = Supervision.CONTENT
    engine: EngineName | None = None
    sampling: Sampling | None = None

    @model_validator(mode="after")
    def _decides_no_sample_early(self) -> Self:
        if self.sampling is not None and self.early_seed is not None:
            raise ValueError("early_seed and sampling exclude each other")
        return self


class PrepareJob(Boundary):
    """Build a model folder: convert a GGUF file to safetensors, or make the toy.

    With `seed` 0 the toy has learned to write words; with another its weights are random.
    """

    job: Literal["prepare"] = "prepare"
    device: DeviceSpec
    source: Literal["gguf", "toy"]
    gguf: str | None = None
    seed: int = 0
    out: str


class PredictJob(Boundary):
    """Predict the memory of training steps without running them, and write it to `out`.

    `model_folder` needs config.json and no weights. `device` is where the worker itself computes,
    always a CPU; `target` is the kind of device that is predicted. `supervised_share` (0..1) is the
    share of positions with a label. Where `generate_rows` is above 0, generating so many answers of
    `generate_context` tokens, prompt and answer together, read `prefill_tokens` at once, is
    predicted as well. `attention` is what computes attention there, and `capability` that of the
    card, None where it is not known: libraries keep more on some generations. Where `timed_passes`
    are given, a step of a few layers and these passes are also run, on the worker's own processor.
    """

    job: Literal["predict"] = "predict"
    device: DeviceSpec
    target: DeviceKind
    precision: Precision
    model_folder: str
    points: Annotated[tuple[PredictPoint, ...], Field(min_length=1)]
    supervised_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    generate_rows: Annotated[int, Field(ge=0)] = 0
    generate_context: Annotated[int, Field(ge=0)] = 0
    prefill_tokens: Annotated[int, Field(ge=1)] = 4096
    attention: Attention = Attention.FUSED
    capability: Capability | None = None
    timed_passes: tuple[TimedPass, ...] = ()
    out: str


Job = Annotated[
    CheckJob
    | SurveyJob
    | TrialJob
    | TrainJob
    | AverageJob
    | GenerateJob
    | PrepareJob
    | PredictJob
    | ChatJob
    | GgufJob
    | TrainedChatsJob,
    Field(discriminator="job"),
]

JOB: TypeAdapter[Job] = TypeAdapter(Job)

_PATHS = (
    *("gguf", "out", "prompts", "model_folder", "data_path", "drop_prompts"),
    *("stop_file", "found"),
)


def as_written(job: Job, folder: Path) -> Job:
    """The job for a file in `folder` of its run: paths in the run from there, others from the root.

    A run's job files lie two folders below its own (`trials/0000`), which can move.
    """
    here = folder.absolute()
    run = here.parent.parent

    def written(path: Path) -> str:
        inside = run != run.parent and run in path.parents
        return Path(os.path.relpath(path, here)).as_posix() if inside else str(path)

    return _with_paths(job, lambda text: written(Path(os.path.abspath(text))))


def as_read(job: Job, folder: Path) -> Job:
    """The job of a file in `folder`, with its paths as they are now."""
    # Not `resolve`: where a folder of the run is a link, `..` is meant as it was written.
    return _with_paths(job, lambda text: os.path.normpath(folder.absolute() / text))


def _with_paths(job: Job, change: Callable[[str], str]) -> Job:
    named = {name: getattr(job, name, None) for name in _PATHS}
    return job.model_copy(update={n: change(text) for n, text in named.items() if text is not None})
