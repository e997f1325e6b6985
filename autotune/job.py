"""What a worker is asked to do: one job file, one process, one answer."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from autotune.boundary import Boundary
from autotune.plan import DataSpec, Precision, TrainPlan, TrialPoint


class DeviceSpec(Boundary):
    """Where a worker computes and how much it may take.

    `limit_bytes` caps the CUDA allocator; a CPU process is measured against it by the parent.
    """

    kind: Literal["cuda", "cpu"]
    index: int = 0
    precision: Precision
    limit_bytes: int
    threads: int | None = None


class SurveyJob(Boundary):
    """Tokenize the data once and write every conversation's round boundaries to `out`."""

    job: Literal["survey"] = "survey"
    device: DeviceSpec
    model_folder: str
    data: DataSpec
    out: str


class TrialJob(Boundary):
    """Run real training steps at one point on the longest row and measure them.

    Between the steps it generates once at the shape of an evaluation: `generate_rows` answers
    whose prompt and answer together take `generate_context` tokens. The cache is filled by a
    long prompt and only the last tokens are generated, which costs the same memory in less time.
    Where `timed_conversations` is above 0, one more step over so many conversations of the data,
    as an epoch gives them, is timed.
    """

    job: Literal["trial"] = "trial"
    device: DeviceSpec
    model_folder: str
    data: DataSpec
    point: TrialPoint
    steps: int = 2
    generate_rows: int
    generate_context: int
    seed: int
    timed_conversations: Annotated[int, Field(ge=0)] = 0


class TrainJob(Boundary):
    """Train one plan into `out`, resuming from the newest verified checkpoint there."""

    job: Literal["train"] = "train"
    device: DeviceSpec
    plan: TrainPlan
    out: str


class GenerateJob(Boundary):
    """Answer every prompt of a prompts file with the model in `model_folder`, appending to `out`.

    `max_new_tokens` caps an answer. At most `batch_size` prompts are answered at a time, fewer
    where their padded prompts would be more than `prefill_tokens` together.
    """

    job: Literal["generate"] = "generate"
    device: DeviceSpec
    model_folder: str
    prompts: str
    out: str
    max_new_tokens: int
    batch_size: int
    prefill_tokens: int


class PrepareJob(Boundary):
    """Build a model folder: convert a GGUF file to safetensors, or make the toy from a seed."""

    job: Literal["prepare"] = "prepare"
    device: DeviceSpec
    source: Literal["gguf", "toy"]
    gguf: str | None = None
    seed: int = 0
    out: str


Job = Annotated[
    SurveyJob | TrialJob | TrainJob | GenerateJob | PrepareJob, Field(discriminator="job")
]

JOB: TypeAdapter[Job] = TypeAdapter(Job)
