"""Any way to cut a step, padded or packed, recomputed or kept: the same loss and gradients.

With noise on the embeddings, which shows where a row came to lie and how long it was taken to be;
without it, `test_step.py` compares whole steps.
"""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autotune.protocol.plan import MicroBatching
from autotune.worker.tokens.encode import Row
from autotune.worker.train.step import Stepper
from tests.worker.toys import loaded_toy, some_rows, stepper_of

pytestmark = pytest.mark.torch


@dataclass
class Taken:
    """What a step did without moving a weight: its loss, its gradients, the tokens it read."""

    loss: float
    gradients: list[torch.Tensor]
    tokens: list[int]


def taken(stepper: Stepper, rows: list[Row], micro_batching: MicroBatching, packing: bool) -> Taken:
    """Step 1 of a warm-up has a rate of 0, so the same weights serve every cut."""
    stepper.resize(micro_batching)
    stepper.packing = packing
    gradients: list[torch.Tensor] = []
    tokens: list[int] = []

    def read(_: Any, args: Any, inputs: dict[str, Any]) -> None:
        tokens.extend(int(token) for token in inputs["input_ids"].flatten() if token)  # 0 fills up

    def updated(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        gradients.extend(p.grad.clone() for p in parameters)

    hooks = [
        stepper.loaded.model.model.register_forward_pre_hook(read, with_kwargs=True),
        stepper.optimizer.register_step_pre_hook(updated),
    ]
    loss = stepper.step(rows, 1).loss
    for hook in hooks:
        hook.remove()
    return Taken(loss, gradients, sorted(tokens))


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Stepper:
    """A stepper of a large clip, so that gradients are seen as they are."""
    folder = tmp_path_factory.mktemp("toy")
    return stepper_of(loaded_toy(folder), max_grad_norm=1e9, neftune_noise_alpha=5.0)


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(2, 48), min_size=1, max_size=8),
    micro_batch_tokens=st.integers(1, 400),
    gradient_checkpointing=st.booleans(),
    packing=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_every_partition_has_the_same_loss_and_gradients_and_uses_each_row_once(
    still: Stepper,
    lengths: list[int],
    micro_batch_tokens: int,
    gradient_checkpointing: bool,
    packing: bool,
    seed: int,
) -> None:
    rows = some_rows(lengths, seed=seed)
    before = [p.clone() for p in still.loaded.model.parameters()]
    micro_batching = MicroBatching(
        micro_batch_tokens=micro_batch_tokens, gradient_checkpointing=gradient_checkpointing
    )
    whole = taken(
        still, rows, MicroBatching(micro_batch_tokens=10**6, gradient_checkpointing=False), False
    )
    pieces = taken(still, rows, micro_batching, packing)
    assert pieces.loss == pytest.approx(whole.loss, rel=1e-5)
    for one, other in zip(pieces.gradients, whole.gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
    every = sorted(token for row in rows for token in row.input_ids)
    assert pieces.tokens == whole.tokens == every
    for one, other in zip(still.loaded.model.parameters(), before, strict=True):
        assert torch.equal(one, other)
