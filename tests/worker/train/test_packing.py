"""Packed rows: no conversation sees another, and models that cannot be packed are told."""

from typing import Any

import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from autotune.worker.attention.varlen import varlen_works
from autotune.worker.tokens.encode import IGNORED, Row
from autotune.worker.toy import toy_model
from autotune.worker.train.packing import WIDENED_SEGMENT_TOKENS, can_pack, pack, packed
from tests.worker.toys import some_rows

pytestmark = pytest.mark.torch

VOCABULARY = 300
SMALL: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}


def logits_of(model: Any, rows: list[Row]) -> list[torch.Tensor]:
    """(T, V) of each row of a packed batch."""
    input_ids, _, positions, lengths = pack(rows)
    with torch.no_grad(), packed(model):
        whole = model(
            input_ids=input_ids, position_ids=positions, segments=lengths, use_cache=False
        ).logits[0]
    return list(whole.split(lengths))


@pytest.fixture
def toy() -> LlamaForCausalLM:
    return toy_model(0, VOCABULARY).eval()


def test_the_logits_of_a_packed_row_are_those_of_the_row_alone(toy: Any) -> None:
    rows = some_rows([17, 64, 1, 3, 29])
    for row, together in zip(rows, logits_of(toy, rows), strict=True):
        alone = toy(input_ids=torch.tensor([row.input_ids])).logits[0]
        torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_no_token_sees_another_conversation(toy: Any) -> None:
    rows = some_rows([20, 30, 10])
    before = logits_of(toy, rows)
    other = Row([7] * 30, [IGNORED] * 30)
    after = logits_of(toy, [rows[0], other, rows[2]])
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[2], after[2])
    assert not torch.equal(before[1], after[1])


@pytest.mark.parametrize("lengths", [[20, 30, 10], [WIDENED_SEGMENT_TOKENS + 8, 12]])
def test_in_bf16_packed_rows_are_as_near_to_fp32_as_lone_ones_are(
    toy: Any, lengths: list[int]
) -> None:
    rows = some_rows(lengths)
    exact = [logits_of(toy, [row])[0] for row in rows]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        together = logits_of(toy, rows)
        alone = [toy(input_ids=torch.tensor([row.input_ids])).logits[0] for row in rows]
    for ours, lone, right in zip(together, alone, exact, strict=True):
        assert (ours - right).norm() <= 1.1 * (lone - right).norm()


def test_a_cpu_has_no_kernel_for_segments_of_unequal_length() -> None:
    query = torch.zeros((1, 9, 8, 64), dtype=torch.bfloat16)
    assert not varlen_works(query, query[:, :3], None)


def test_the_first_label_of_a_row_is_not_predicted_from_the_row_before() -> None:
    input_ids, labels, positions, lengths = pack([Row([5, 6], [5, 6]), Row([7, 8, 9], [7, 8, 9])])
    assert input_ids.tolist() == [[5, 6, 7, 8, 9]]
    assert labels.tolist() == [[IGNORED, 6, IGNORED, 8, 9]]
    assert positions.tolist() == [[0, 1, 0, 1, 2]]
    assert lengths == [2, 3]


def test_outside_the_context_a_model_attends_as_before(toy: Any) -> None:
    before = toy.config._attn_implementation
    ids = torch.tensor([[5, 6, 7]])
    first = toy(input_ids=ids).logits
    logits_of(toy, some_rows([4, 5]))
    assert toy.config._attn_implementation == before
    assert torch.equal(toy(input_ids=ids).logits, first)


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        (Qwen2ForCausalLM(Qwen2Config(**SMALL)), True),
        (
            GPT2LMHeadModel(
                GPT2Config(
                    n_embd=32,
                    n_layer=2,
                    n_head=4,
                    vocab_size=VOCABULARY,
                    bos_token_id=0,
                    eos_token_id=0,
                )
            ),
            True,
        ),
        (MistralForCausalLM(MistralConfig(**SMALL, sliding_window=None)), True),
        (MistralForCausalLM(MistralConfig(**SMALL, sliding_window=64)), False),
        (
            MambaForCausalLM(
                MambaConfig(
                    vocab_size=VOCABULARY,
                    hidden_size=32,
                    num_hidden_layers=2,
                    state_size=8,
                    bos_token_id=0,
                    eos_token_id=0,
                    pad_token_id=0,
                )
            ),
            False,
        ),
    ],
    ids=["qwen2", "gpt2", "mistral", "mistral with a window", "mamba"],
)
def test_a_model_that_windows_or_recurs_is_not_packed(model: Any, answer: bool) -> None:
    assert can_pack(model) is answer
