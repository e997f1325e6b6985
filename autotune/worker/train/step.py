"""The one optimizer step that the probe's trials and the training share.

Letters: a step holds `batch_size` conversations; they are split into micro-batches of B rows by T
tokens. The loss is summed over supervised tokens and divided by the step's total of them, so the
micro-batching changes speed and memory and nothing else.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from autotune.protocol import events
from autotune.protocol.choices import Precision
from autotune.protocol.plan import MicroBatching
from autotune.worker.attention.full_rows import full_rows, needs_no_mask
from autotune.worker.compute import Compute, sent
from autotune.worker.finite import NumericFault
from autotune.worker.model import Loaded
from autotune.worker.tokens.encode import IGNORED, Row
from autotune.worker.train.batches import micro_batches, packs, pad
from autotune.worker.train.compiling import Compiled, compiled_layers
from autotune.worker.train.loss import needs_own_head, summed_loss
from autotune.worker.train.neftune import noise_within
from autotune.worker.train.optimizer import (
    Optimization,
    ready_optimizer,
    renewed,
    scaler_of,
    schedule,
    stuck,
)
from autotune.worker.train.packing import can_pack, pack, packed
from autotune.worker.train.ranks import ALONE, Ranks
from autotune.worker.train.recompute import recompute_activations
from autotune.worker.train.seeds import seed_of
from autotune.worker.train.shapes import filled


class Stepper:
    """Model, optimizer, schedule and scaler, advanced one optimizer step at a time."""

    def __init__(
        self,
        loaded: Loaded,
        compute: Compute,
        recipe: Optimization,
        micro_batching: MicroBatching,
        *,
        packing: bool = False,
        torch_compile: bool = False,
        ranks: Ranks = ALONE,
        enter: Callable[[str], None] = lambda _: None,
        on_precision_change: Callable[[events.PrecisionChanged], None] = lambda _: None,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`packing` lays rows end to end instead of filling them up, where the model can do that.

        `torch_compile` compiles the layers, where that works here; else `warn` gets why not.
        `ranks` share each step. None of these nor `micro_batching` changes the mathematics.
        `enter` gets every phase, `tell` when fp16 is given up.
        """
        self.loaded = loaded
        self.compute = compute
        self.recipe = recipe
        self.ranks = ranks
        self.enter = enter
        self.on_precision_change = on_precision_change
        self.skipped_steps = 0
        self._skips_told = 0
        self.weights_touched = False
        model = loaded.model
        self.own_head = needs_own_head(model)
        self.packing = packing and can_pack(model)
        self.compiled = Compiled([])
        if torch_compile:
            self.compiled = compiled_layers(model, compute.device, warn)
        self.maskless = not self.packing and needs_no_mask(model)
        model.train()
        self.resize(micro_batching)
        self.optimizer = ready_optimizer(model, recipe.learning_rate, recipe.weight_decay)
        self.factor = schedule(recipe.lr_scheduler_type, recipe.warmup_steps, recipe.total_steps)
        self.scaler: Any = scaler_of(compute.precision, compute.device)

    def resize(self, micro_batching: MicroBatching) -> None:
        """Cut steps like this from now on."""
        self.micro_batching = micro_batching
        recompute_activations(self.loaded.model, micro_batching.gradient_checkpointing)

    def pieces(self, rows: Sequence[Row]) -> list[list[Row]]:
        """The rows as micro-batches of few shapes: one row of each may be filled up already."""
        return [self._filled(rows, group) for group in self._groups(rows)]

    def own_pieces(self, rows: Sequence[Row]) -> list[list[Row]]:
        """Those of them that are this rank's."""
        pieces = self.pieces(rows)
        return [pieces[at] for at in self._own(rows, self._groups(rows))]

    def _groups(self, rows: Sequence[Row]) -> list[list[int]]:
        """The places in `rows` of each micro-batch's rows."""
        grouped = packs if self.packing else micro_batches
        lengths = [len(row.input_ids) for row in rows]
        return grouped(lengths, self.ranks.limit(lengths, self.micro_batching.micro_batch_tokens))

    def _own(self, rows: Sequence[Row], groups: Sequence[Sequence[int]]) -> list[int]:
        """Which of a step's micro-batches are this rank's."""
        lengths = [[len(rows[at].input_ids) for at in group] for group in groups]
        return self.ranks.share([sum(n) if self.packing else len(n) * max(n) for n in lengths])

    def _filled(self, rows: Sequence[Row], group: Sequence[int]) -> list[Row]:
        """One micro-batch."""
        return filled(
            [rows[at] for at in group],
            packing=self.packing,
            micro_batch_tokens=self.micro_batching.micro_batch_tokens,
            positions=int(self.loaded.model.config.max_position_embeddings),
            filler=self.loaded.pad_token_id,
        )

    def step(self, rows: Sequence[Row], number: int) -> events.StepResult:
        """Take optimizer step `number` (from 1) over these rows.

        Generators are seeded by step and micro-batch, so that dropout in a resumed run is the
        undisturbed one's, whichever rank takes which.
        An fp16 overflow is skipped and the step done again at a lower scale; where no scale helps,
        in bf16, which has the range of fp32. Whatever else is raised leaves the weights as they
        were, unless `weights_touched` says otherwise; then `abandon` before another step.

        Raises:
            NumericFault: the loss or the gradients are not finite in bf16 or fp32.
        """
        begin = time.perf_counter()
        self.weights_touched = False
        rate = self.recipe.learning_rate * self.factor(number - 1)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        supervised = sum(label != IGNORED for row in rows for label in row.labels[1:])
        if supervised == 0:
            raise NumericFault(f"no supervised token in step {number}")
        while True:
            loss, norm = self._attempt(rows, supervised, number)
            if math.isfinite(loss) and math.isfinite(norm):
                break
            self._overflowed(number, loss)
        skips, self._skips_told = self.skipped_steps - self._skips_told, self.skipped_steps
        return events.StepResult(
            loss=loss,
            grad_norm=norm,
            learning_rate=rate,
            supervised_tokens=supervised,
            tokens=sum(len(row.input_ids) for row in rows),
            seconds=time.perf_counter() - begin,
            skips=skips,
        )

    def abandon(self) -> None:
        """Forget a step that was broken off before its update: it can then be taken again."""
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler = renewed(self.scaler, self.compute.device)

    def use(self, precision: Precision) -> None:
        """Compute in this precision from now on, for this training only."""
        self.compute = replace(self.compute, precision=precision)
        self.scaler = scaler_of(precision, self.compute.device)

    def numbers(self) -> dict[str, Any]:
        """What a checkpoint keeps beside weights and moments, as JSON."""
        return {
            "precision": self.compute.precision.value,
            "skipped_steps": self.skipped_steps,
            "scaler": self.scaler.state_dict(),
        }

    def put_back(self, numbers: Mapping[str, Any]) -> None:
        """Go on with what `numbers` gave; fp16 that was given up stays given up."""
        self.use(Precision(numbers["precision"]))
        self.skipped_steps = self._skips_told = int(numbers["skipped_steps"])
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(numbers["scaler"])

    def _attempt(self, rows: Sequence[Row], supervised: int, number: int) -> tuple[float, float]:
        """The mean loss a supervised token and the gradient norm before clipping.

        Weights move if both are finite. The device is waited for once, when all of the step is
        asked of it, and not in every micro-batch: it works while the next one is prepared.
        """
        ranks = self.ranks
        accumulate = partial(self._accumulate, rows, supervised, number)
        losses = ranks.together(lambda: self.compiled.run(accumulate, number, self.abandon))
        ranks.sum_gradients([p for p in self.loaded.model.parameters() if p.requires_grad])
        own, norm = ranks.together(lambda: self._clip(losses))
        loss = ranks.sum(own)
        if math.isfinite(loss):
            self._update(norm)
        return loss, norm

    def _accumulate(self, rows: Sequence[Row], supervised: int, number: int) -> list[Tensor]:
        """Of this rank's micro-batches what each adds to the mean loss, fp32 and on the device."""
        groups = self._groups(rows)
        losses = []
        with self.attention():
            for at in self._own(rows, groups):
                torch.manual_seed(seed_of("micro-batch", self.recipe.seed, number, at))
                losses.append(self._micro_batch(rows, groups[at], supervised, number))
        if not losses:  # a scaler makes its scale when it first scales
            self.scaler.scale(torch.zeros((), device=self.compute.device))
        return losses

    def _clip(self, losses: Sequence[Tensor]) -> tuple[float, float]:
        """The losses added, and the norm that the summed gradients had before they are clipped."""
        self.enter("optimizer")
        self.scaler.unscale_(self.optimizer)
        clipped = torch.nn.utils.clip_grad_norm_(
            self.loaded.model.parameters(), self.recipe.max_grad_norm
        )
        *numbers, norm = torch.stack([*losses, clipped.float()]).tolist()
        loss = 0.0
        for number in numbers:  # one after the other: `sum` rounds otherwise since Python 3.12
            loss += number
        return loss, norm

    def attention(self) -> AbstractContextManager[None]:
        """How the model attends within a step."""
        if self.packing:
            return packed(self.loaded.model)
        return full_rows(self.loaded.model) if self.maskless else nullcontext()

    def summed(self, piece: Sequence[Row]) -> Tensor:
        """The loss summed over the supervised tokens of one micro-batch, a scalar in fp32."""
        inputs: dict[str, Any] = {}
        if self.packing:
            input_ids, labels, positions, inputs["segments"] = pack(piece)
            inputs["position_ids"] = sent(positions, self.compute.device)
        else:
            input_ids, labels = pad(piece, self.loaded.pad_token_id)
        return summed_loss(
            self.loaded.model,
            sent(input_ids, self.compute.device),
            labels,
            own_head=self.own_head,
            **inputs,
        )

    def _micro_batch(
        self, rows: Sequence[Row], group: Sequence[int], supervised: int, number: int
    ) -> Tensor:
        """Forward and backward of one micro-batch; its share of the mean loss, without a graph."""
        piece = self._filled(rows, group)
        self.enter("forward")
        model = self.loaded.model
        noise = noise_within(model, self.recipe, number, rows, group, piece, packing=self.packing)
        with noise, self.compute.autocast():
            loss = self.summed(piece) / supervised
        self.enter("backward")
        scaled: Any = self.scaler.scale(loss)
        scaled.backward()
        return loss.detach().float()

    def _update(self, norm: float) -> None:
        """Move the weights if the gradient norm is finite, and update the scale."""
        if math.isfinite(norm):
            # An error from here on may come when some of the weights have moved: fused kernels
            # take parameters in groups, count the step first, and a card reports late.
            self.weights_touched = True
            self.scaler.step(self.optimizer)
            self.compute.synchronize()
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)

    def _overflowed(self, number: int, loss: float) -> None:
        """Make ready to take the step again at a lower scale, or in bf16.

        A loss that is not finite overflowed on its way forward, where no scale acts.

        Raises:
            NumericFault: it was not fp16 that overflowed.
        """
        self.abandon()
        finite = math.isfinite(loss)
        if self.compute.precision is not Precision.FP16:
            what = "gradients" if finite else "loss"
            raise NumericFault(f"non-finite {what} at step {number}")
        self.skipped_steps += 1
        skips = self.skipped_steps - self._skips_told
        reason = stuck(self.scaler, skips) if finite else "the loss overflows"
        if reason is not None:
            self.use(Precision.BF16)
            self.on_precision_change(
                events.PrecisionChanged(
                    step=number, before=Precision.FP16, after=Precision.BF16, reason=reason
                )
            )
