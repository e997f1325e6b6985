"""Logits, cross-entropy and their gradients in one go, a chunk of positions at a time.

Shapes: S supervised positions, C positions of a chunk, H hidden size, V vocabulary.

The gradient of a summed cross-entropy needs nothing that comes later, so it is computed while a
chunk's logits are there. Nothing is kept of them, and nothing has to be computed again in the
backward pass, which saves one of four products with the head.
"""

from typing import Any

import torch
from torch import Tensor, nn

CHUNK_TOKENS = 256
"""Positions whose logits exist at the same time: 50 MB in fp32 at V = 49 152. Larger chunks did
not run faster; see docs/LOG.md."""


def head_loss(head: nn.Linear, states: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy summed over positions, a scalar in fp32.

    Where no gradient is asked for, none is computed.

    Args:
        head: hidden states to logits, (V, H). Its product is made in autocast's dtype.
        states: (S, H).
        targets: (S,) token ids.
    """
    learns = torch.is_grad_enabled()
    return _HeadLoss.apply(states, head.weight, head.bias, targets, learns)  # type: ignore[no-any-return, no-untyped-call]


class _HeadLoss(torch.autograd.Function):
    """Forward computes the gradients as well; backward hands them on."""

    @staticmethod
    def forward(
        ctx: Any,
        states: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        learns: bool,
    ) -> Tensor:
        kind = states.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight.dtype
        # A weight needs a gradient by itself, also where none is kept.
        wanted = [learns and bool(needed) for needed in ctx.needs_input_grad[:3]]
        cast = weight.to(dtype)  # (V, H)
        total = states.new_zeros((), dtype=torch.float32)
        of_states = torch.empty_like(states) if wanted[0] else None
        of_weight = torch.zeros_like(weight) if wanted[1] else None
        of_bias = torch.zeros_like(bias) if wanted[2] and bias is not None else None
        with torch.autocast(kind, enabled=False):
            for at in range(0, len(targets), CHUNK_TOKENS):
                part = slice(at, at + CHUNK_TOKENS)
                inputs = states[part].to(dtype)  # (C, H)
                loss, slope = _loss_and_slope(inputs, cast, bias, targets[part, None])
                total += loss
                if of_bias is not None:
                    of_bias += slope.sum(dim=0)
                if of_states is not None:
                    of_states[part] = slope @ cast
                if of_weight is not None:
                    of_weight += slope.T @ inputs
                del slope  # before the next chunk's logits are made
        ctx.save_for_backward(*(g for g in (of_states, of_weight, of_bias) if g is not None))
        ctx.wanted = wanted
        return total

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        given = iter(ctx.saved_tensors)
        # In place: the weight's gradient is as large as the head, and nobody reads it twice.
        grads = [next(given).mul_(above[0]) if wanted else None for wanted in ctx.wanted]
        return (*grads, None, None)


def _loss_and_slope(
    inputs: Tensor, weight: Tensor, bias: Tensor | None, wants: Tensor
) -> tuple[Tensor, Tensor]:
    """A chunk's summed loss, and what it changes by with each logit, (C, V).

    Everything is made in the place of the logits: they are the memory that is short.
    """
    logits = nn.functional.linear(inputs, weight, None if bias is None else bias.to(inputs.dtype))
    logits = logits.float()  # (C, V)
    logits -= logits.amax(dim=-1, keepdim=True)
    own = logits.gather(1, wants)  # (C, 1)
    summed = logits.exp_().sum(dim=-1, keepdim=True)  # (C, 1)
    loss = (summed.log() - own).sum()
    slope = logits.div_(summed)  # softmax, less one where the target is
    slope.scatter_add_(1, wants, slope.new_full(wants.shape, -1.0))
    return loss, slope.to(inputs.dtype)
