"""On a card no call of ours needs a kernel that a build of torch may lack, and results are equal.

There is no card here: within `as_on("cuda")` attention on a CPU's tensors is what it is on a card.
"""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from autotune.protocol.choices import Precision
from autotune.worker.attention.fusable import as_on, attention
from autotune.worker.generate.batches import generate_batch
from autotune.worker.generate.rows import GenerationSettings, RowsEngine
from autotune.worker.tokens.encode import Row
from autotune.worker.weights import load_weights
from tests.worker.calls import assert_any_kernel_serves, recorded_calls
from tests.worker.played_kind import play
from tests.worker.toys import cpu, loaded_toy, save_toy, some_rows, stepper_of

pytestmark = pytest.mark.torch

SHARED = (9, 3, 64)
"""SmolLM2-135M's heads that ask, heads of keys, and the size of one."""


def states(
    heads: int, groups: int, size: int, tokens: int = 40, dtype: torch.dtype = torch.float32
) -> list[torch.Tensor]:
    """Query, key and value as a model lays them: (2, heads, tokens, size)."""
    numbers = torch.Generator().manual_seed(0)
    return [
        torch.randn((2, tokens, h, size), generator=numbers)
        .to(dtype)
        .transpose(1, 2)
        .requires_grad_()
        for h in (heads, groups, groups)
    ]


def with_gradients(given: list[torch.Tensor], **how: Any) -> list[torch.Tensor]:
    out = attention(*given, **how)
    return [out, *torch.autograd.grad(out.square().sum(), given)]


@pytest.mark.parametrize("sizes", [SHARED, (4, 1, 16), (4, 4, 16), (6, 2, 20)])
def test_repeated_heads_give_the_results_and_gradients_of_shared_ones(
    sizes: tuple[int, int, int],
) -> None:
    given = states(*sizes)
    plain = with_gradients(given, causal=True)
    with recorded_calls() as calls, as_on("cuda"):
        ours = with_gradients(given, causal=True)
    assert_any_kernel_serves(calls)
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_a_mask_and_a_scale_are_kept_when_heads_are_repeated() -> None:
    given = states(*SHARED, tokens=13)
    mask = torch.rand((2, 1, 13, 13), generator=torch.Generator().manual_seed(1)) > 0.3
    mask |= torch.eye(13, dtype=torch.bool)
    plain = with_gradients(given, mask=mask, scale=0.3)
    with recorded_calls() as calls, as_on("cuda"):
        ours = with_gradients(given, mask=mask, scale=0.3)
    assert_any_kernel_serves(calls)
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_queries_and_keys_that_autocast_left_wide_are_narrowed_before_they_are_repeated() -> None:
    query, key, value = states(*SHARED)
    with recorded_calls() as calls, as_on("cuda"), torch.autocast("cpu", dtype=torch.bfloat16):
        ours = attention(query, key, value.bfloat16(), causal=True)
    assert_any_kernel_serves(calls)
    assert calls[0].key.dtype is torch.bfloat16
    with torch.autocast("cpu", dtype=torch.bfloat16):
        plain = attention(query, key, value.bfloat16(), causal=True)
    assert torch.equal(ours, plain)


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.BF16])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_padded_training_step_asks_for_no_shared_heads_and_is_the_same_step(
    tmp_path: Path, precision: Precision, checkpointing: bool
) -> None:
    rows = some_rows([30, 17, 44, 9])
    results = []
    for kind in ("cpu", "cuda"):
        stepper = stepper_of(
            loaded_toy(tmp_path / "toy"),
            precision,
            micro_batch_tokens=100,
            gradient_checkpointing=checkpointing,
        )
        with recorded_calls() as calls, as_on(kind):
            results.append([stepper.step(rows, number) for number in (1, 2)])
    assert_any_kernel_serves(calls)
    tolerance = 1e-5 if precision is Precision.FP32 else 1e-2
    for one, other in zip(*results, strict=True):
        assert other.loss == pytest.approx(one.loss, rel=tolerance)
        assert other.grad_norm == pytest.approx(one.grad_norm, rel=tolerance)


def test_plain_answers_ask_for_no_shared_heads_and_are_the_same(tmp_path: Path) -> None:
    loaded = loaded_toy(tmp_path / "toy")
    for prompts in ([[5, 6, 7, 8, 9], [3, 4]], [[5, 6, 7]]):  # with a mask, and without one
        texts = []
        for kind in ("cpu", "cuda"):
            with recorded_calls() as calls, as_on(kind):
                texts.append(generate_batch(loaded, cpu(), prompts, 6, min_new_tokens=6))
        assert_any_kernel_serves(calls)
        assert texts[0] == texts[1]


def test_a_token_that_is_read_alone_folds_its_heads_instead_of_repeating_keys(
    tmp_path: Path,
) -> None:
    loaded = loaded_toy(tmp_path / "toy")
    with recorded_calls() as calls, as_on("cuda"):
        generate_batch(loaded, cpu(), [[5, 6, 7]], 3, min_new_tokens=3)
    later = [call for call in calls if not call.causal]
    assert later
    assert {call.key.shape[1] for call in later} == {2}  # the toy has 4 heads that ask
    assert {call.query.shape[2] for call in later} == {2}


def test_a_model_with_a_window_attends_in_it_as_before(tmp_path: Path) -> None:
    config = MistralConfig(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        sliding_window=8,
    )
    torch.manual_seed(0)
    MistralForCausalLM(config).save_pretrained(tmp_path)
    model = load_weights(tmp_path).eval()
    ids = torch.arange(3, 33)[None]
    before = model(input_ids=ids).logits
    with recorded_calls() as calls, as_on("cuda"):
        after = model(input_ids=ids).logits
    assert_any_kernel_serves(calls)
    assert calls[0].mask is not None
    torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-5)
    changed = torch.cat([torch.full((1, 10), 7), ids[:, 10:]], dim=1)
    assert torch.equal(model(input_ids=changed).logits[:, -1], before[:, -1])


def test_a_model_that_cannot_use_fused_kernels_keeps_its_own_attention(tmp_path: Path) -> None:
    auto: Any = AutoModelForCausalLM
    folder = save_toy(tmp_path / "toy")
    load_weights(folder)
    eager = auto.from_pretrained(str(folder), attn_implementation="eager").eval()
    with recorded_calls() as calls, as_on("cuda"):
        eager(input_ids=torch.tensor([[5, 6, 7]]))
    assert not calls


def test_heads_of_any_size_are_filled_up_to_what_a_kernel_reads_at_once(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=300,
        hidden_size=40,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=10,
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    model = load_weights(tmp_path).eval()
    ids = torch.tensor([[5, 6, 7, 8]])
    before = model(input_ids=ids).logits
    with recorded_calls() as calls, as_on("cuda"):
        after = model(input_ids=ids).logits
    assert_any_kernel_serves(calls)
    torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-5)


def test_a_cpu_reads_shared_heads_itself(tmp_path: Path) -> None:
    model = loaded_toy(tmp_path / "toy").model
    row: Row = some_rows([12])[0]
    with recorded_calls() as calls:
        model(input_ids=torch.tensor([row.input_ids]))
    assert all(call.grouped and call.key.shape[1] == 2 for call in calls)


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.BF16])
def test_a_packed_training_step_asks_for_no_shared_heads_and_is_the_same_step(
    tmp_path: Path, precision: Precision
) -> None:
    rows = some_rows([30, 17, 44, 9])
    results = []
    for kind in ("cpu", "cuda"):
        stepper = stepper_of(
            loaded_toy(tmp_path / "toy"), precision, micro_batch_tokens=100, packing=True
        )
        assert stepper.packing
        with recorded_calls() as calls, as_on(kind):
            results.append(stepper.step(rows, 1))
    assert_any_kernel_serves(calls)
    assert len(calls) == 2 * len(rows)  # a segment a layer
    tolerance = 1e-5 if precision is Precision.FP32 else 1e-2
    assert results[1].loss == pytest.approx(results[0].loss, rel=tolerance)
    assert results[1].grad_norm == pytest.approx(results[0].grad_norm, rel=tolerance)


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.BF16])
@pytest.mark.parametrize("padding", [0.0, math.inf])
def test_answers_by_rows_ask_for_no_shared_heads_and_are_the_same(
    tmp_path: Path,
    precision: Precision,
    padding: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Reading prompts whole and in parts, words alone and guessed, rows one by one and together."""
    play(monkeypatch, most_padding=padding)
    loaded = loaded_toy(tmp_path / "toy")
    prompts = [[5, 6, 7] * 30, [3, 4], [8] * 50]
    settings = GenerationSettings(
        max_new_tokens=12, batch_size=2, prefill_tokens=64, min_new_tokens=12
    )
    texts = []
    for kind in ("cpu", "cuda"):
        answers: dict[int, list[int]] = {}
        with recorded_calls() as calls, as_on(kind):
            RowsEngine(
                loaded,
                cpu(precision),
                settings,
                prompts,
                lambda reply, answers=answers: answers.update({reply.number: reply.answer}),  # type: ignore[misc]
            ).run()
        texts.append(answers)
    assert_any_kernel_serves(calls)
    assert {call.causal for call in calls} == {True, False}
    assert any(call.mask is not None for call in calls)
    assert len(texts[0]) == 3
    assert texts[0] == texts[1]
