"""Toys for the worker's tests: a model folder from a seed, chat files, plans, real workers.

Nothing is replaced: the models are transformers' own, only small, and a worker is a process.
"""

import io
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from autotune.data.load import load_conversations
from autotune.data.reading import AUTO
from autotune.data.survey import Survey, SurveyFile
from autotune.launch import JobResult, SubprocessRunner
from autotune.protocol import events
from autotune.protocol.choices import Precision, Supervision, Truncation
from autotune.protocol.events import WorkerEvent
from autotune.protocol.job import DeviceSpec, Job, TrainJob
from autotune.protocol.plan import DataSpec, MicroBatching, TrainPlan
from autotune.worker.channel import Pipe
from autotune.worker.compute import Compute
from autotune.worker.memory.cpu import CpuMemory
from autotune.worker.model import Loaded, adopt_template, load
from autotune.worker.tokens.encode import IGNORED, ChatCodec, Row
from autotune.worker.tokens.saved import save_tokenizer
from autotune.worker.toy import LEARNED, toy, toy_model, toy_tokenizer
from autotune.worker.train.optimizer import Recipe
from autotune.worker.train.step import Stepper

torch.set_num_threads(1)  # a toy is too small for two, and the machine may be busy

EXACT_PEAKS = ("MALLOC_MMAP_THRESHOLD_", "131072")
"""A setting of glibc with which peaks of resident memory agree to about a MiB instead of to 3 %:
freed blocks are given back. It costs time, so only tests of the meter set it."""

FULL = "CUDA out of memory. Tried to allocate 2.00 GiB"
"""What torch's allocator says of a card that is full."""

PATIENT_SECONDS = 600
"""Of silence: what a machine that runs other tests beside this one may take to load torch."""

WORDS = ["river", "clock", "paper", "stone", "lamp", "garden", "winter", "bridge", "copper"]


def save_toy(folder: Path, seed: int = 0, **config: Any) -> Path:
    """A model folder: the shipped toy, or a Llama of its vocabulary with other sizes."""
    tokenizer = toy_tokenizer()
    model = toy_model(seed, len(tokenizer))
    if config:
        torch.manual_seed(seed)
        model = LlamaForCausalLM(LlamaConfig(**(model.config.to_dict() | config)))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def checkpoint(folder: Path) -> Path:
    """The toy that has learned to answer, as a training saves it: with a template and its stops."""
    source = folder.with_name("source")
    for part in toy(LEARNED):
        part.save_pretrained(source)
    loaded = loaded_toy(source)
    adopt_template(loaded, Supervision.CONTENT)
    loaded.model.save_pretrained(folder)
    save_tokenizer(loaded.tokenizer, folder, loaded.model.config.max_position_embeddings)
    return folder


def loaded_toy(folder: Path, seed: int = 0) -> Loaded:
    """The toy, read from a folder as a worker reads it."""
    if not (folder / "config.json").exists():
        save_toy(folder, seed)
    return load(folder, torch.device("cpu"), Supervision.CONTENT)


def cpu(precision: Precision = Precision.FP32) -> Compute:
    return Compute(torch.device("cpu"), precision, CpuMemory(), "CPU")


def stepper_of(
    loaded: Loaded,
    precision: Precision = Precision.FP32,
    *,
    micro_batch_tokens: int = 256,
    gradient_checkpointing: bool = False,
    packing: bool = False,
    torch_compile: bool = False,
    warn: Callable[[str], None] = lambda _: None,
    **recipe: Any,
) -> Stepper:
    """A stepper with a plain recipe; `recipe` replaces parts of it."""
    numbers: dict[str, Any] = {
        "learning_rate": 1e-3,
        "weight_decay": 0.01,
        "max_grad_norm": 1.0,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 2,
        "total_steps": 10,
        "seed": 7,
    }
    return Stepper(
        loaded,
        cpu(precision),
        Recipe(**(numbers | recipe)),
        MicroBatching(
            micro_batch_tokens=micro_batch_tokens, gradient_checkpointing=gradient_checkpointing
        ),
        packing=packing,
        torch_compile=torch_compile,
        warn=warn,
    )


def some_rows(lengths: Sequence[int], seed: int = 0, vocabulary: int = 259) -> list[Row]:
    """Rows of these lengths with random tokens, about half of them supervised, the last always."""
    draw = random.Random(seed)
    rows = []
    for length in lengths:
        ids = [draw.randrange(3, vocabulary) for _ in range(length)]
        labels = [token if draw.random() < 0.5 else IGNORED for token in ids]
        labels[-1] = ids[-1]
        rows.append(Row(ids, labels))
    return rows


def chat_file(path: Path, conversations: int = 12, seed: int = 0, longest: int = 8) -> Path:
    """A JSON Lines file of short conversations of one or two rounds."""
    draw = random.Random(seed)

    def words() -> str:
        return " ".join(draw.choices(WORDS, k=draw.randint(1, longest)))

    lines = []
    for at in range(conversations):
        turns = []
        for _ in range(1 + at % 2):
            turns += [
                {"role": "user", "content": words()},
                {"role": "assistant", "content": words()},
            ]
        lines.append(json.dumps({"messages": turns}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


class Tight(Pipe):
    """A pipe that keeps what it is told; the phase with this number, from 0, has no memory left."""

    def __init__(self, at: int | None = None, error: Callable[[], Exception] | None = None) -> None:
        super().__init__(io.BytesIO())
        self.at = at
        self.error = error or (lambda: torch.OutOfMemoryError(FULL))
        self.emitted: list[WorkerEvent] = []
        self.phases: list[str] = []

    def emit(self, event: WorkerEvent) -> None:
        super().emit(event)
        self.emitted.append(event)

    def enter(self, phase: str) -> None:
        super().enter(phase)
        if phase == "loading":
            return
        self.phases.append(phase)
        if len(self.phases) - 1 == self.at:
            raise self.error()


def longest_row(path: Path, model_max_length: int) -> tuple[int, int]:
    """Which conversation of a file gives the longest row at a length, and that row's tokens."""
    codec = ChatCodec(toy_tokenizer(), Supervision.CONTENT)
    spans = tuple(codec.spans(c) for c in load_conversations(data_spec(path)).conversations)
    file = SurveyFile(conversations=spans, dropped={}, literal_markers=0)
    found = Survey(file, Truncation.RIGHT)
    where = found.longest_conversation(model_max_length, "all")
    return where, found.kept(model_max_length, "all").longest_row


def data_spec(path: Path, **changes: Any) -> DataSpec:
    return DataSpec(path=str(path), format=AUTO, **changes)


def device(precision: Precision = Precision.FP32) -> DeviceSpec:
    return DeviceSpec(kind="cpu", precision=precision, limit_bytes=2**33, threads=1)


def plan_of(model: Path, data: Path, **changes: Any) -> TrainPlan:
    """Twelve conversations, three a step, two epochs: eight steps."""
    values: dict[str, Any] = {
        "strategy": "A",
        "model_folder": str(model),
        "data": data_spec(data),
        "conversations": 12,
        "model_max_length": 256,
        "max_rounds": "all",
        "micro_batch_tokens": 256,
        "gradient_checkpointing": False,
        "precision": Precision.FP32,
        "learning_rate": 3e-3,
        "num_train_epochs": 2,
        "batch_size": 3,
        "weight_decay": 0.01,
        "warmup_ratio": 0.2,
        "lr_scheduler_type": "cosine",
        "seed": 5,
        "checkpoint_fractions": (0.5, 1.0),
        "resume_every_seconds": 1e-3,
        "saving_share": 1.0,
    }
    return TrainPlan.model_validate(values | changes)


def encoded(codec: ChatCodec, text: str, answer: str) -> Row:
    """A row of one round."""
    from autotune.data.conversation import Conversation, Message

    talk = Conversation((Message("user", text), Message("assistant", answer)))
    return codec.encode(talk, max_rounds="all", model_max_length=4096, truncation=Truncation.RIGHT)


def work(job: Job, folder: Path, **limits: Any) -> tuple[list[WorkerEvent], JobResult]:
    """Have a real worker do a job; all its events and how it ended."""
    emitted: list[WorkerEvent] = []
    ending = SubprocessRunner().run(
        job, folder, emitted.append, silence_seconds=PATIENT_SECONDS, **limits
    )
    return emitted, ending


def train_job(plan: TrainPlan, out: Path) -> TrainJob:
    return TrainJob(device=device(plan.precision), plan=plan, out=str(out))


def of_kind(emitted: Sequence[WorkerEvent], kind: Any) -> list[Any]:
    return [event for event in emitted if isinstance(event, kind)]


def losses(emitted: Sequence[WorkerEvent]) -> dict[int, float]:
    """Step -> loss, as a run's events tell it."""
    return {event.step: event.loss for event in of_kind(emitted, events.StepDone)}
