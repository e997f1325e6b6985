"""What is stated of an optimizer is what torch's class keeps, in memory and in a checkpoint."""

from typing import Any

import pytest
import torch
from torch import nn

from autotune.base.optimizer_state import KEPT, State
from autotune.worker.train.optimizer import make_state, optimizer_over, ready_optimizer

pytestmark = pytest.mark.torch

SGD = State("SGD with momentum", moments=("momentum_buffer",), counts_steps=False)


def sgd(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


def step(optimizer: torch.optim.Optimizer, model: nn.Module) -> None:
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()


def kept(optimizer: torch.optim.Optimizer, model: nn.Module) -> list[dict[str, torch.Tensor]]:
    return [dict(optimizer.state[parameter]) for parameter in model.parameters()]


@pytest.mark.parametrize(
    "state, make", [(KEPT, lambda p: optimizer_over(p, 0.1)), (SGD, sgd)], ids=lambda x: str(x)[:20]
)
def test_the_state_that_is_made_is_the_one_that_the_optimizer_works_with(
    state: State, make: Any
) -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 5)
    optimizer = make(model.parameters())
    make_state(optimizer, state)
    before = kept(optimizer, model)
    step(optimizer, model)
    after = kept(optimizer, model)
    names = {*state.moments, *(["step"] if state.counts_steps else [])}
    for old, new, weight in zip(before, after, model.parameters(), strict=True):
        assert set(old) == set(new) == names
        assert all(old[name] is new[name] and new[name].any() for name in names)  # none made anew
        wide = sum(new[name].numel() * new[name].element_size() for name in state.moments)
        assert wide == weight.numel() * state.bytes_per_weight


def test_the_optimizer_that_trains_is_ready_with_all_that_it_is_said_to_keep() -> None:
    model = nn.Linear(3, 5)
    optimizer = ready_optimizer(model, 0.1, 0.0)
    for state, weight in zip(kept(optimizer, model), model.parameters(), strict=True):
        assert [tuple(state[name].shape) for name in KEPT.moments] == [tuple(weight.shape)] * 2
