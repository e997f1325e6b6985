"""The training is transformers' `Trainer`, step by step, to five digits.

Both train the same toy on the same rows in the same order: 31 conversations in batches of 8, so
that each epoch ends with a shorter one, for 16 steps of AdamW with weight decay, under a cosine
schedule with warm-up. The Trainer cuts a batch in two and pads; the worker cuts it by tokens.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch.utils.data import Sampler
from transformers import Trainer, TrainingArguments

from autotune.data.load import load_conversations
from autotune.protocol import events
from autotune.protocol.choices import Precision
from autotune.protocol.plan import TrainPlan
from autotune.worker.tokens.encode import Row, kept_rows
from autotune.worker.train.batches import pad, shuffled
from autotune.worker.train.loop import train
from tests.worker.toys import (
    Tight,
    chat_file,
    cpu,
    loaded_toy,
    of_kind,
    plan_of,
    save_toy,
    train_job,
)

pytestmark = pytest.mark.torch

ROWS, BATCH, EPOCHS, STEPS = 31, 8, 4, 16

FIVE_DIGITS = 1e-5
"""Relative; sums of fp32 in another order leave 1e-6 (docs/LOG.md)."""


class Step(NamedTuple):
    """What is compared of a step."""

    loss: float
    grad_norm: float
    learning_rate: float


class InOrder(Sampler[int]):
    """The rows of each epoch in the order of a plan's seed."""

    def __init__(self, seed: int) -> None:
        self.seed, self.epoch = seed, 0

    def __len__(self) -> int:
        return ROWS

    def __iter__(self) -> Iterator[int]:
        self.epoch += 1
        return iter(shuffled(ROWS, self.seed, self.epoch - 1))


class Watched(Trainer):
    """The Trainer itself, given its rows in a known order; what its steps sum up to is kept."""

    def __init__(self, seed: int, **options: Any) -> None:
        super().__init__(**options)
        self.sampler = InOrder(seed)
        self.losses: list[float] = []

    def _get_train_sampler(self, *_: Any) -> Sampler[int]:
        return self.sampler

    def training_step(self, *arguments: Any, **options: Any) -> torch.Tensor:
        loss = super().training_step(*arguments, **options)
        self.losses.append(float(loss))  # logs have it rounded
        return loss


def collated(rows: Sequence[Row], filler: int) -> dict[str, torch.Tensor]:
    """Padded on the right, with the mask that the Trainer's models are given."""
    input_ids, labels = pad(rows, filler)
    lengths = torch.tensor([len(row.input_ids) for row in rows])
    mask = (torch.arange(input_ids.shape[1]) < lengths[:, None]).long()
    return {"input_ids": input_ids, "labels": labels, "attention_mask": mask}


def by_trainer(plan: TrainPlan, folder: Path) -> list[Step]:
    """The steps of transformers' Trainer over the plan's rows."""
    loaded = loaded_toy(Path(plan.model_folder))
    rows = kept_rows(
        loaded.codec,
        load_conversations(plan.data).conversations,
        max_rounds=plan.max_rounds,
        model_max_length=plan.model_max_length,
        truncation=plan.data.truncation,
    )
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=BATCH // 2,
        gradient_accumulation_steps=2,
        num_train_epochs=EPOCHS,
        learning_rate=plan.learning_rate,
        weight_decay=plan.weight_decay,
        max_grad_norm=plan.max_grad_norm,
        lr_scheduler_type=plan.lr_scheduler_type,
        warmup_steps=plan.warmup_steps,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
    trainer = Watched(
        plan.seed,
        model=loaded.model,
        args=arguments,
        train_dataset=rows,
        data_collator=lambda part: collated(part, loaded.pad_token_id),
    )
    trainer.train()
    logged = [entry for entry in trainer.state.log_history if "grad_norm" in entry]
    pairs = zip(trainer.losses[::2], trainer.losses[1::2], strict=True)
    return [
        Step(sum(pair), entry["grad_norm"], entry["learning_rate"])
        for pair, entry in zip(pairs, logged, strict=True)
    ]


def by_worker(plan: TrainPlan, folder: Path) -> list[Step]:
    """The steps of the worker's train job."""
    pipe = Tight()
    train(train_job(plan, folder), cpu(), pipe)
    return [
        Step(e.loss, e.grad_norm, e.learning_rate) for e in of_kind(pipe.emitted, events.StepDone)
    ]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> TrainPlan:
    folder = tmp_path_factory.mktemp("trainer")
    return plan_of(
        save_toy(folder / "model"),
        chat_file(folder / "chat.jsonl", conversations=ROWS),
        conversations=ROWS,
        batch_size=BATCH,
        num_train_epochs=EPOCHS,
        precision=Precision.FP32,
        weight_decay=0.1,
        checkpoint_fractions=(1.0,),
        resume_every_seconds=1e9,
    )


@pytest.fixture(scope="module")
def trainer_steps(plan: TrainPlan, tmp_path_factory: pytest.TempPathFactory) -> list[Step]:
    return by_trainer(plan, tmp_path_factory.mktemp("out"))


def test_the_trainer_s_run_has_all_that_is_compared(
    plan: TrainPlan, trainer_steps: list[Step]
) -> None:
    """Warm-up, a peak and a fall of the rate, and a loss that moves: else little would be shown."""
    rates = [step.learning_rate for step in trainer_steps]
    assert (len(trainer_steps), plan.total_steps) == (STEPS, STEPS)
    assert 0 < plan.warmup_steps < STEPS
    assert max(rates) == pytest.approx(plan.learning_rate)
    assert rates[-1] < 0.1 * plan.learning_rate
    assert trainer_steps[-1].loss < 0.8 * trainer_steps[0].loss


@pytest.mark.parametrize("packing", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize("checkpointing", [False, True], ids=["kept", "recomputed"])
def test_loss_gradient_norm_and_rate_of_each_step_are_the_trainer_s(
    plan: TrainPlan,
    trainer_steps: list[Step],
    tmp_path: Path,
    packing: bool,
    checkpointing: bool,
) -> None:
    ours = by_worker(
        plan.model_copy(update={"packing": packing, "gradient_checkpointing": checkpointing}),
        tmp_path,
    )
    assert len(ours) == STEPS
    for number, (one, other) in enumerate(zip(ours, trainer_steps, strict=True), start=1):
        assert one == pytest.approx(other, rel=FIVE_DIGITS), f"step {number}"
