"""The one optimizer step that the probe's trials and the training share.

Letters: a step holds `batch_size` conversations; they are cut into micro-batches of B rows by T
tokens. The loss is summed over supervised tokens and divided by the step's total of them, so the
cut changes speed and memory and nothing else.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from transformers import get_scheduler

from autotune.plan import Precision
from autotune.worker.batches import micro_batches, packs, pad
from autotune.worker.compute import Compute
from autotune.worker.encode import IGNORED, Row
from autotune.worker.loss import needs_own_head, summed_loss
from autotune.worker.model import Loaded
from autotune.worker.packed import can_pack, pack, packed

MOST_SKIPS = 20
"""fp16 halves its scale at each overflow: from 65 536 to below 1 takes 17; more are no accident."""


class NumericFault(Exception):
    """The loss or the gradients are not finite and no smaller scale can mend it."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """The numbers of the optimizer: learning rate at its peak, decay, clip, schedule."""

    learning_rate: float
    weight_decay: float
    max_grad_norm: float
    lr_scheduler_type: str
    warmup_steps: int
    total_steps: int
    seed: int


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one optimizer step did. `skips` counts fp16 overflows before it went through."""

    loss: float
    grad_norm: float
    learning_rate: float
    supervised_tokens: int
    tokens: int
    seconds: float
    skips: int


class Stepper:
    """Model, optimizer, schedule and scaler, advanced one optimizer step at a time."""

    def __init__(
        self,
        loaded: Loaded,
        compute: Compute,
        recipe: Recipe,
        *,
        micro_batch_tokens: int,
        gradient_checkpointing: bool,
        packing: bool = False,
        enter: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`packing` lays rows end to end instead of filling them up, where the model can do that.

        Neither that nor `micro_batch_tokens` nor `gradient_checkpointing` changes the mathematics.
        """
        self.loaded = loaded
        self.compute = compute
        self.recipe = recipe
        self.micro_batch_tokens = micro_batch_tokens
        self.enter = enter
        self.skipped_steps = 0
        model = loaded.model
        self.own_head = needs_own_head(model)
        self.packing = packing and can_pack(model)
        model.train()
        recompute_activations(model, gradient_checkpointing)
        self.optimizer = torch.optim.AdamW(
            decay_groups(model, recipe.weight_decay), lr=recipe.learning_rate, fused=True
        )
        # transformers' schedule as a function of the step; asking it leaves no state to resume.
        schedule: Any = get_scheduler(
            recipe.lr_scheduler_type,
            torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0),
            num_warmup_steps=recipe.warmup_steps,
            num_training_steps=recipe.total_steps,
        )
        self.factor: Callable[[int], float] = (
            schedule.lr_lambdas[0] if hasattr(schedule, "lr_lambdas") else lambda _: 1.0
        )
        self.scaler: Any = torch.amp.GradScaler(
            compute.device.type, enabled=compute.precision is Precision.FP16
        )

    def step(self, rows: Sequence[Row], number: int) -> StepResult:
        """Take optimizer step `number` (from 1) over these rows.

        The generator is seeded by step, so that dropout in a resumed run is the undisturbed one's.

        Raises:
            NumericFault: a non-finite loss, or more than `MOST_SKIPS` fp16 overflows in a row.
        """
        begin = time.perf_counter()
        rate = self.recipe.learning_rate * self.factor(number - 1)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        supervised = sum(label != IGNORED for row in rows for label in row.labels[1:])
        if supervised == 0:
            raise NumericFault(f"no supervised token in step {number}")
        for skips in range(MOST_SKIPS + 1):
            torch.manual_seed(self.recipe.seed * 1_000_003 + number)
            loss = self._accumulate(rows, supervised, number)
            norm = self._update(number)
            if norm is not None:
                self.compute.synchronize()
                return StepResult(
                    loss=loss,
                    grad_norm=norm,
                    learning_rate=rate,
                    supervised_tokens=supervised,
                    tokens=sum(len(row.input_ids) for row in rows),
                    seconds=time.perf_counter() - begin,
                    skips=skips,
                )
            self.skipped_steps += 1
        raise NumericFault(f"fp16 gradients overflow at every scale in step {number}")

    def _accumulate(self, rows: Sequence[Row], supervised: int, number: int) -> float:
        """Forward and backward of every micro-batch; returns the mean loss a supervised token."""
        total = 0.0
        lengths = [len(row.input_ids) for row in rows]
        cut = packs if self.packing else micro_batches
        with packed(self.loaded.model) if self.packing else nullcontext():
            for group in cut(lengths, self.micro_batch_tokens):
                total += self._micro_batch([rows[at] for at in group], supervised, number)
        return total

    def _micro_batch(self, rows: Sequence[Row], supervised: int, number: int) -> float:
        """Forward and backward of one micro-batch; returns its share of the step's mean loss."""
        inputs: dict[str, Any] = {}
        if self.packing:
            input_ids, labels, positions, inputs["segments"] = pack(rows)
            inputs["position_ids"] = positions.to(self.compute.device)
        else:
            input_ids, labels = pad(rows, self.loaded.pad_token_id)
        self.enter("forward")
        with self.compute.autocast():
            summed = summed_loss(
                self.loaded.model,
                input_ids.to(self.compute.device),
                labels.to(self.compute.device),
                own_head=self.own_head,
                **inputs,
            )
            loss = summed / supervised
        value = float(loss.detach())
        if value != value or value in (float("inf"), float("-inf")):
            raise NumericFault(f"non-finite loss at step {number}")
        self.enter("backward")
        scaled: Any = self.scaler.scale(loss)
        scaled.backward()
        return value

    def _update(self, number: int) -> float | None:
        """Clip and update; the gradient norm before clipping, or None after an fp16 overflow."""
        self.enter("optimizer")
        self.scaler.unscale_(self.optimizer)
        norm = float(
            torch.nn.utils.clip_grad_norm_(
                self.loaded.model.parameters(), self.recipe.max_grad_norm
            )
        )
        finite = norm == norm and norm != float("inf")
        if not finite and not self.scaler.is_enabled():
            raise NumericFault(f"non-finite gradients at step {number}")
        if finite:
            self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return norm if finite else None


def decay_groups(model: Any, weight_decay: float) -> list[dict[str, Any]]:
    """Matrices decay; norms and biases (one dimension) do not, as is usual for transformers."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


def recompute_activations(model: Any, on: bool) -> None:
    """Switch gradient checkpointing; transformers 5 renames it on its way to version 6."""
    how = {"use_reentrant": False}
    if hasattr(model, "activation_checkpointing_enable"):
        if on:
            model.activation_checkpointing_enable(activation_checkpointing_kwargs=how)
        else:
            model.activation_checkpointing_disable()
    elif on:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=how)
    else:
        model.gradient_checkpointing_disable()
