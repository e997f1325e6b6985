"""The miniature step that loads a card's kernels, run on the CPU: what it calls and draws."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn

from autotune.protocol.choices import Precision
from autotune.protocol.job import DeviceSpec
from autotune.worker.compute import open_compute
from autotune.worker.warmup import warm_up

pytestmark = pytest.mark.torch

CPU = torch.device("cpu")


@contextmanager
def recorded(owner: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The arguments of each call of a function, which is called all the same."""
    calls: list[Any] = []
    real = getattr(owner, name)

    def record(*given: Any, **named: Any) -> Any:
        calls.append((given, named))
        return real(*given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, record)
        yield calls


@pytest.mark.parametrize("precision", Precision)
def test_no_random_number_is_drawn(precision: Precision) -> None:
    before = torch.get_rng_state()
    warm_up(CPU, precision)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [
        (Precision.FP16, torch.float16),
        (Precision.BF16, torch.bfloat16),
        (Precision.FP32, torch.float32),
    ],
)
def test_attention_runs_both_ways_and_products_in_the_precision_of_the_job(
    monkeypatch: pytest.MonkeyPatch, precision: Precision, dtype: torch.dtype
) -> None:
    attend = "scaled_dot_product_attention"
    with recorded(nn.functional, attend, monkeypatch) as calls:
        warm_up(CPU, precision)
    training, answering = calls
    assert training[1] == {"is_causal": True}
    assert answering[1]["attn_mask"].dtype is torch.bool
    assert {tensor.dtype for tensor in training[0]} == {dtype}
    assert training[0][0].requires_grad and not answering[0][0].requires_grad


def test_the_optimizer_is_the_fused_one_and_takes_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded(torch, "_fused_adamw_", monkeypatch) as steps:
        warm_up(CPU, Precision.FP32)
    assert len(steps) == 1


def test_a_card_is_opened_with_the_precision_of_the_job_warmed_up_before_its_cap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Stop(Exception):
        pass

    class Meter:
        def __init__(self, index: int, *, warm_up: Callable[[], None]) -> None:
            self.warm_up = warm_up

        def begin(self, limit_bytes: int) -> None:
            self.warm_up()
            raise Stop

    warmed: list[tuple[torch.device, Precision]] = []
    monkeypatch.setattr("autotune.worker.memory.cuda.CudaMemory", Meter)
    monkeypatch.setattr("autotune.worker.warmup.warm_up", lambda *given: warmed.append(given))
    spec = DeviceSpec(kind="cuda", index=1, precision=Precision.BF16, limit_bytes=2**33)
    with pytest.raises(Stop):
        open_compute(spec)
    assert warmed == [(torch.device("cuda", 1), Precision.BF16)]
