"""Packed rows in one kernel: what torch's variable-length attention is given, by its signature.

There is no card here, so functions of torch 2.11's and 2.13's signatures stand in torch's place;
they compute on a CPU what the kernel would.
"""

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import varlen as torchs

from autotune.protocol.choices import Precision
from autotune.worker.attention import varlen
from autotune.worker.attention.kernels import Watch
from autotune.worker.toy import toy_model
from autotune.worker.train.packing import attend
from tests.worker.calls import recorded_calls
from tests.worker.played_kind import play
from tests.worker.toys import loaded_toy, some_rows, stepper_of
from tests.worker.train.test_packing import logits_of

pytestmark = pytest.mark.torch

Given = dict[str, Any]
LENGTHS = [5, 40, 1, 18]


def flash(q: Tensor, k: Tensor, v: Tensor, ends: Tensor, scale: float | None) -> Tensor:
    """(N, h, d) from as many heads of queries and keys, segment by segment."""
    assert q.dtype == k.dtype == v.dtype in (torch.float16, torch.bfloat16)
    assert q.is_contiguous() and k.is_contiguous() and v.is_contiguous()
    assert ends.dtype is torch.int32
    parts = []
    for a, b in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        one = (s[a:b].transpose(0, 1)[None].float() for s in (q, k, v))
        with torch.autocast("cpu", enabled=False):
            out = nn.functional.scaled_dot_product_attention(
                *one, is_causal=True, scale=scale, enable_gqa=q.shape[1] != k.shape[1]
            )
        parts.append(out[0].transpose(0, 1))
    return torch.cat(parts).to(q.dtype)


def of_2_11(seen: list[Given]) -> Callable[..., Tensor]:
    """Its own signature; heads must be as many."""

    def varlen_attn(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        cu_seq_q: Tensor,
        cu_seq_k: Tensor,
        max_q: int,
        max_k: int,
        *,
        return_aux: Any = None,
        scale: float | None = None,
        window_size: tuple[int, int] = (-1, -1),
    ) -> Tensor:
        seen.append({"heads": query.shape[1], "groups": key.shape[1], "scale": scale})
        assert query.shape[1] == key.shape[1] == value.shape[1]
        assert window_size == (-1, 0) and max_q == max_k == int(cu_seq_q.diff().max())
        return flash(query, key, value, cu_seq_q, scale)

    return varlen_attn


def of_2_13(seen: list[Given]) -> Callable[..., Tensor]:
    """Heads may share keys, if that is said."""

    def varlen_attn(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        cu_seq_q: Tensor,
        cu_seq_k: Tensor | None,
        max_q: int,
        max_k: int,
        *,
        return_aux: Any = None,
        scale: float | None = None,
        window_size: tuple[int, int] = (-1, -1),
        enable_gqa: bool = False,
        seqused_k: Tensor | None = None,
        block_table: Tensor | None = None,
        num_splits: int | None = None,
    ) -> Tensor:
        seen.append({"heads": query.shape[1], "groups": key.shape[1], "scale": scale})
        assert enable_gqa or query.shape[1] == key.shape[1]
        assert window_size == (-1, 0) and max_q == max_k == int(cu_seq_q.diff().max())
        return flash(query, key, value, cu_seq_q, scale)

    return varlen_attn


@pytest.fixture(params=[of_2_11, of_2_13])
def seen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Given]]:
    """What the kernel was given, on a CPU that is said to have one."""
    given: list[Given] = []
    monkeypatch.setattr(torchs, "varlen_attn", request.param(given))
    play(monkeypatch, has_varlen=True)
    varlen._works.cache_clear()
    yield given
    varlen._works.cache_clear()


def shared_states(heads: int, groups: int, size: int) -> list[Tensor]:
    """As they come under autocast: query and key rotated in fp32, value in 16 bits."""
    numbers = torch.Generator().manual_seed(0)
    query, key, value = (
        torch.randn((1, of_kind, sum(LENGTHS), size), generator=numbers)
        for of_kind in (heads, groups, groups)
    )
    return [
        query.requires_grad_(),
        key.requires_grad_(),
        value.to(torch.bfloat16).requires_grad_(),
    ]


def attended(given: list[Tensor], scale: float | None = None) -> list[Tensor]:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out, _ = attend(nn.Module(), *given, None, scale, segments=LENGTHS)
    assert out.dtype is torch.bfloat16
    return [out, *torch.autograd.grad(out.float().square().sum(), given)]


@pytest.mark.parametrize("scale", [None, 0.3])
def test_under_autocast_the_kernel_is_used_and_gives_what_segments_alone_give(
    seen: list[Given], scale: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = shared_states(9, 3, 64)
    with recorded_calls() as calls:
        ours = attended(given, scale)
    # The kernel was tried at these heads and this scale, then asked once for all segments.
    assert len(seen) == 2
    assert all(call["heads"] == 9 and call["scale"] == scale for call in seen)
    assert {call.query.dtype for call in calls} <= {torch.float32, torch.bfloat16}
    play(monkeypatch, has_varlen=False)
    varlen._works.cache_clear()
    plain = attended(given, scale)
    assert len(seen) == 2
    for a, b in zip(ours, plain, strict=True):
        assert varlen.near(a.float(), b.float())


def test_a_whole_model_packs_through_the_kernel_with_the_logits_of_lone_rows(
    seen: list[Given],
) -> None:
    toy: Any = toy_model(0, 300).eval()
    rows = some_rows([17, 64, 1, 3, 29])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        together = logits_of(toy, rows)
        tried = len(seen)
        alone = [toy(input_ids=torch.tensor([row.input_ids])).logits[0] for row in rows]
    assert tried == 1 + 2  # once to see whether it is right, then once a layer
    for ours, lone in zip(together, alone, strict=True):
        torch.testing.assert_close(ours, lone, rtol=2e-2, atol=2e-2)


def test_it_is_tried_at_the_first_step_of_a_training_that_recomputes_its_activations(
    seen: list[Given], tmp_path: Path
) -> None:
    """Checkpointing counts what a layer keeps; the trial within the layer must not be counted."""
    losses = []
    for checkpointing in (False, True):
        varlen._works.cache_clear()
        stepper = stepper_of(
            loaded_toy(tmp_path),
            Precision.BF16,
            packing=True,
            gradient_checkpointing=checkpointing,
        )
        assert stepper.packing
        before = len(seen)
        losses.append(stepper.step(some_rows([17, 64, 29]), 1).loss)
        assert len(seen) > before + 2
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


def test_the_ends_of_segments_go_to_a_card_without_waiting_for_it(
    seen: list[Given], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: list[Tensor] = []

    def noted(tensor: Tensor, _: torch.device) -> Tensor:
        gone.append(tensor)
        return tensor

    monkeypatch.setattr(varlen, "sent", noted)
    varlen.boundaries.cache_clear()
    assert varlen.boundaries((3, 2), torch.device("cuda", 0)).tolist() == [0, 3, 5]
    varlen.boundaries.cache_clear()
    assert len(gone) == 1


def test_a_watch_of_the_dispatcher_sees_the_kernel_that_is_used_and_not_those_of_the_trial(
    seen: list[Given],
) -> None:
    query, key, _ = (states.detach().bfloat16() for states in shared_states(4, 2, 16))
    with Watch() as watch:
        assert varlen.varlen_works(query, key, None)
    assert not watch.seen
    assert len(seen) == 1


def test_a_kernel_that_is_wrong_for_the_models_heads_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = of_2_13([])

    def wrong_for_nine(query: Tensor, *rest: Any, enable_gqa: bool = False, **how: Any) -> Tensor:
        out = right(query, *rest, enable_gqa=enable_gqa, **how)
        return out * 1.5 if query.shape[1] == 9 else out

    wrong_for_nine.__signature__ = inspect.signature(right)  # type: ignore[attr-defined]
    monkeypatch.setattr(torchs, "varlen_attn", wrong_for_nine)
    play(monkeypatch, has_varlen=True)
    varlen._works.cache_clear()
    nine, four = (
        [s.detach().bfloat16() for s in shared_states(*heads)] for heads in ((9, 3, 64), (4, 2, 16))
    )
    assert not varlen.varlen_works(nine[0], nine[1], None)
    assert varlen.varlen_works(four[0], four[1], None)
    varlen._works.cache_clear()


def test_what_was_found_before_does_not_count_where_no_kernel_may_be_looked_for(
    seen: list[Given], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a test on a card can play a build without the kernel after another one has used it."""
    query, key, _ = (states.detach().bfloat16() for states in shared_states(4, 2, 16))
    assert varlen.varlen_works(query, key, None)
    play(monkeypatch, has_varlen=False)
    assert not varlen.varlen_works(query, key, None)


def test_fp32_has_no_such_kernel(seen: list[Given]) -> None:
    query, key, _ = shared_states(4, 2, 16)
    assert not varlen.varlen_works(query, key, None)
    assert not seen
