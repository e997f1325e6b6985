"""How often a step waits for its device: once for all of its numbers, whatever its cut."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from autotune.protocol.choices import Precision
from autotune.worker.train import step as step_module
from autotune.worker.train.step import Stepper
from tests.worker.toys import loaded_toy, save_toy, some_rows, stepper_of

pytestmark = pytest.mark.torch

LENGTHS = [12, 61, 33, 40, 7, 18]
aten: Any = torch.ops.aten

READS = (aten._local_scalar_dense.default, aten.masked_select.default)
"""What a card has to finish its work for, since the program goes on with the result's value."""


class Waits(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what a card would be waited for. `labels` are on the CPU and looked for there."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.counted: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        masks = args[1] if func in (aten.index.Tensor, aten.index_put.default) else ()
        if func in READS or any(m is not None and m.dtype is torch.bool for m in masks):
            self.counted[str(func)] += 1
        return func(*args, **(kwargs or {}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_toy(tmp_path_factory.mktemp("toy"))


def waits(stepper: Stepper, monkeypatch: pytest.MonkeyPatch) -> tuple[Counter[str], int]:
    """What the second step reads one by one, and how many times it reads several numbers."""
    stepper.step(some_rows(LENGTHS), 1)
    read, lists = Tensor.tolist, [0]

    def counted(tensor: Tensor) -> Any:
        lists[0] += 1
        return read(tensor)

    with monkeypatch.context() as patch, Waits() as mode:
        patch.setattr(Tensor, "tolist", counted)
        stepper.step(some_rows(LENGTHS), 2)
    return mode.counted, lists[0]


@pytest.mark.parametrize("precision", list(Precision))
@pytest.mark.parametrize("packing", [False, True])
@pytest.mark.parametrize("gradient_checkpointing", [False, True])
def test_a_step_reads_its_numbers_once_however_many_micro_batches_it_has(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    precision: Precision,
    packing: bool,
    gradient_checkpointing: bool,
) -> None:
    few, many = (
        stepper_of(
            loaded_toy(folder),
            precision,
            micro_batch_tokens=tokens,
            packing=packing,
            gradient_checkpointing=gradient_checkpointing,
        )
        for tokens in (10_000, 1)
    )
    rows = some_rows(LENGTHS)
    assert len(few.pieces(rows)) < len(many.pieces(rows)) == len(LENGTHS)
    one, other = waits(few, monkeypatch), waits(many, monkeypatch)
    assert one[1] == other[1] == 1
    # AdamW on a CPU reads its step count; on a card it does not, and no cut changes it.
    assert one[0] == other[0]


def test_the_loss_is_the_sum_of_the_micro_batches_in_order_and_nothing_is_rounded_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summed, shares = step_module.summed_loss, []
    rows = some_rows(LENGTHS)

    def kept(*arguments: Any, **options: Any) -> Tensor:
        loss = summed(*arguments, **options)
        shares.append(float(loss.detach() / supervised))
        return loss

    monkeypatch.setattr(step_module, "summed_loss", kept)
    stepper = stepper_of(loaded_toy(folder), micro_batch_tokens=1)
    supervised = sum(label != -100 for row in rows for label in row.labels[1:])
    result = stepper.step(rows, 1)
    total = 0.0
    for share in shares:
        total += share
    assert len(shares) == len(rows)
    assert result.loss == total


def test_in_fp16_a_loss_that_overflows_is_told_from_gradients_that_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss of one micro-batch of several; no lower scale helps, so bf16 takes over at once."""
    summed, calls, told = step_module.summed_loss, [0], []

    def sometimes(*arguments: Any, **options: Any) -> Tensor:
        calls[0] += 1
        loss = summed(*arguments, **options)
        return loss * float("inf") if calls[0] == 2 else loss

    monkeypatch.setattr(step_module, "summed_loss", sometimes)
    stepper = stepper_of(loaded_toy(folder), Precision.FP16, micro_batch_tokens=1)
    stepper.on_precision_change = told.append
    result = stepper.step(some_rows(LENGTHS), 1)
    assert [change.reason for change in told] == ["the loss overflows"]
    assert result.skips == 1
    assert stepper.compute.precision is Precision.BF16
