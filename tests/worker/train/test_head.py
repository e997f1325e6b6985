"""Cross-entropy and its gradients chunk by chunk, against autograd over all logits."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autotune.worker.train.head import CHUNK_TOKENS, head_loss

pytestmark = pytest.mark.torch

HIDDEN, VOCABULARY = 24, 311


def plain(head: nn.Linear, states: Tensor, targets: Tensor) -> Tensor:
    return nn.functional.cross_entropy(head(states).float(), targets, reduction="sum")


def some(positions: int, *, bias: bool = False) -> tuple[nn.Linear, Tensor, Tensor]:
    torch.manual_seed(positions)
    head = nn.Linear(HIDDEN, VOCABULARY, bias=bias)
    states = torch.randn(positions, HIDDEN, requires_grad=True)
    return head, states, torch.randint(VOCABULARY, (positions,))


def gradients(loss: Tensor, *leaves: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss, leaves)


@pytest.mark.parametrize("positions", [1, CHUNK_TOKENS, CHUNK_TOKENS + 1, 3 * CHUNK_TOKENS - 5])
@pytest.mark.parametrize("bias", [False, True])
def test_loss_and_gradients_are_those_of_all_logits_at_once(positions: int, bias: bool) -> None:
    head, states, targets = some(positions, bias=bias)
    leaves = (states, *head.parameters())
    ours, theirs = head_loss(head, states, targets), plain(head, states, targets)
    torch.testing.assert_close(ours, theirs)
    # As in a step: divided by the count, scaled for fp16.
    for one, other in zip(
        gradients(ours * 3.0 / 7, *leaves), gradients(theirs * 3.0 / 7, *leaves), strict=True
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_in_16_bits_it_is_as_near_to_fp32_as_autograd_is(dtype: torch.dtype) -> None:
    head, states, targets = some(2 * CHUNK_TOKENS)
    exact = gradients(plain(head, states, targets), states, head.weight)
    with torch.autocast("cpu", dtype=dtype):
        ours = gradients(head_loss(head, states, targets), states, head.weight)
        theirs = gradients(plain(head, states, targets), states, head.weight)
    for mine, usual, right in zip(ours, theirs, exact, strict=True):
        assert mine.dtype is torch.float32
        error, allowed = (mine - right).norm(), (usual - right).norm()
        assert error <= 1.05 * allowed + 1e-6 * right.norm()


def test_a_frozen_head_gets_no_gradient_and_passes_one_on() -> None:
    head, states, targets = some(5)
    head.requires_grad_(False)
    head_loss(head, states, targets).backward()  # type: ignore[no-untyped-call]
    assert head.weight.grad is None
    assert states.grad is not None and states.grad.abs().sum() > 0


def test_only_a_chunk_of_logits_exists_at_a_time() -> None:
    head, states, targets = some(6 * CHUNK_TOKENS)
    sizes: list[int] = []

    class Seen(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            out = func(*args, **(kwargs or {}))
            if isinstance(out, Tensor) and out.dim() == 2 and out.shape[-1] == VOCABULARY:
                sizes.append(out.shape[0])
            return out

    with Seen():
        head_loss(head, states, targets).backward()  # type: ignore[no-untyped-call]
    assert max(sizes) == CHUNK_TOKENS


def test_where_no_gradient_is_asked_for_none_is_computed() -> None:
    head, states, targets = some(2 * CHUNK_TOKENS)
    products = Products()
    with torch.no_grad(), products:
        loss = head_loss(head, states, targets)
    assert products.count == 2  # the logits of two chunks
    torch.testing.assert_close(loss, plain(head, states, targets))


class Products(torch.utils._python_dispatch.TorchDispatchMode):
    """Counts products of matrices."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func in (torch.ops.aten.mm.default, torch.ops.aten.addmm.default)
        return func(*args, **(kwargs or {}))
