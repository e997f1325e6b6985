"""Plan and steps of long records that nobody trained, for `fold.py` and `screen_cost.py`."""

from autotune.base.sizes import GIB
from autotune.protocol import events
from autotune.protocol.choices import Precision
from autotune.protocol.plan import DataSpec, TrainPlan


def plan(
    steps: int,
    strategy: str = "A",
    learning_rate: float = 4e-5,
    fractions: tuple[float, ...] = (1.0,),
) -> TrainPlan:
    """A plan of so many steps, 48 conversations each, with checkpoints after these fractions."""
    return TrainPlan(
        strategy=strategy,
        model_folder="model",
        data=DataSpec(path="chats.jsonl", format="messages"),
        conversations=48 * steps,
        model_max_length=1024,
        max_rounds=6,
        micro_batch_tokens=4096,
        gradient_checkpointing=False,
        precision=Precision.FP16,
        learning_rate=learning_rate,
        num_train_epochs=1,
        batch_size=48,
        weight_decay=0.0,
        warmup_ratio=0.1,
        lr_scheduler_type="cosine",
        seed=42,
        checkpoint_fractions=fractions,
        resume_every_seconds=600.0,
    )


def step(number: int, of: int, seconds: float) -> events.StepDone:
    """A step of such a plan, with as many digits as a real one has."""
    return events.StepDone(
        step=number,
        total_steps=of,
        loss=1.7 - 0.4 * number / of + 0.05 * (number % 7),
        grad_norm=0.8123456,
        learning_rate=4e-5 * (1 - number / (of + 1)),
        supervised_tokens=12_345,
        tokens=23_456,
        seconds=seconds,
        memory_bytes=5 * GIB + number,
    )
