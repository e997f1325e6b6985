"""One short training that several checks disturb, and its losses when nothing does."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from autotune.base.sizes import GIB
from autotune.data.load import load_conversations
from autotune.launch import JobResult, SubprocessRunner
from autotune.protocol import events
from autotune.protocol.choices import Precision
from autotune.protocol.events import WorkerEvent
from autotune.protocol.job import TrainJob
from autotune.protocol.plan import DataSpec, TrainPlan
from benchmarks.card_checks.asked import Ask, write_json
from benchmarks.card_checks.inputs import turns
from benchmarks.card_checks.jobs import device_of, emitted, of_kind

STEPS = 6
BATCH = 8
SAVED_STEP = 3
DISTURBED_STEP = 4
"""The step in which memory runs out, or after which the worker is killed: after the checkpoint."""

ROOMY_CARD_BYTES = 20 * GIB
"""From here on a whole step of eight rows of 1024 tokens fits without checkpointing (about 10 GiB);
on a smaller card two rows at a time (about 4 GiB)."""

TOLERANCE = 1e-2
"""Relative, of losses in fp16: a card adds in no fixed order, and another cut adds in another."""


def plan_of(ask: Ask) -> TrainPlan:
    """Six steps of eight conversations of nearly one length; one checkpoint, after three."""
    import random

    length = 64 if ask.rehearse else 1024
    words = length // 8 if ask.rehearse else 900
    data = ask.folder / "training.jsonl"
    if not data.is_file():
        draw = random.Random(1)
        lines = [json.dumps({"messages": turns(draw, words, 1)}) for _ in range(BATCH * STEPS)]
        data.write_text("\n".join(lines) + "\n", encoding="utf-8")
    spec = DataSpec(path=str(data), format="auto")
    rows = BATCH if ask.rehearse or total_bytes(ask) >= ROOMY_CARD_BYTES else 2
    return TrainPlan(
        strategy="check",
        model_folder=ask.model,
        data=spec,
        conversations=len(load_conversations(spec).conversations),
        model_max_length=length,
        max_rounds="all",
        micro_batch_tokens=rows * length,
        gradient_checkpointing=False,
        precision=Precision.FP16,
        learning_rate=1e-4,
        num_train_epochs=1,
        batch_size=BATCH,
        weight_decay=0.01,
        warmup_ratio=0.2,
        lr_scheduler_type="cosine",
        seed=3,
        checkpoint_fractions=(SAVED_STEP / STEPS,),
        resume_every_seconds=1e9,
        # Of a training of seconds no checkpoint affords the optimizer, which the kill goes on from.
        saving_share=1.0,
    )


def total_bytes(ask: Ask) -> int:
    """What the card has, by the driver; 0 where it does not say."""
    from autotune.device.find import find_device

    return find_device(ask.device).total_bytes or 0


def trained(
    ask: Ask,
    plan: TrainPlan,
    name: str,
    *,
    on_event: Callable[[WorkerEvent], None] = lambda _: None,
    command: Sequence[str] | None = None,
) -> tuple[list[WorkerEvent], JobResult]:
    """Have a worker train into the folder of this name; its events and how it ended."""
    out = ask.folder / "training" / name
    runner = SubprocessRunner(command) if command else None
    job = TrainJob(device=device_of(ask, plan.precision), plan=plan, out=str(out))
    said, ending = emitted(job, out.with_name(f"{name}-work"), on_event, runner)
    return said, ending


def undisturbed(ask: Ask, plan: TrainPlan) -> dict[int, float]:
    """Loss by step of the training that nothing disturbs; kept for the other checks.

    Raises:
        RuntimeError: it did not come to its end.
    """
    kept = ask.folder / "training" / f"undisturbed-{plan.identity}.json"
    if not kept.is_file():
        forget(ask.folder, "undisturbed")
        said, ending = trained(ask, plan, "undisturbed")
        if ending.failure is not None:
            raise RuntimeError(f"the undisturbed training ended: {ending.words} ({ending.reason})")
        write_json(kept, losses(said))
    return {int(k): v for k, v in json.loads(kept.read_text(encoding="utf-8")).items()}


def losses(said: list[WorkerEvent]) -> dict[int, float]:
    """Loss by step; of one taken twice the later."""
    return {event.step: event.loss for event in of_kind(said, events.StepDone)}


def furthest(found: dict[int, float], expected: dict[int, float]) -> float:
    """The largest relative difference; infinite where steps are missing or no numbers."""
    if found.keys() != expected.keys():
        return float("inf")
    return max(abs(found[step] / expected[step] - 1) for step in expected)


def forget(folder: Path, name: str) -> None:
    """Remove what an earlier try of a check left: it would be resumed."""
    import shutil

    shutil.rmtree(folder / "training" / name, ignore_errors=True)
