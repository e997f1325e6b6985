"""The loss at supervised positions against cross-entropy over all logits."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    FalconH1Config,
    FalconH1ForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from autotune.worker.tokens.encode import IGNORED, Row
from autotune.worker.toy import toy_model
from autotune.worker.train.batches import pad
from autotune.worker.train.head import CHUNK_TOKENS
from autotune.worker.train.loss import needs_own_head, summed_loss
from tests.worker.toys import some_rows

pytestmark = pytest.mark.torch

VOCABULARY = 259
SMALL: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 0,
}


def plain_loss(model: Any, input_ids: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """Every logit at once, as a textbook has it."""
    logits = model(input_ids=input_ids, attention_mask=mask).logits[:, :-1].float()
    return nn.functional.cross_entropy(
        logits.reshape(-1, logits.shape[-1]),
        labels[:, 1:].reshape(-1),
        ignore_index=IGNORED,
        reduction="sum",
    )


def loss_of(model: Any, rows: list[Row], filler: int = 0) -> float:
    return float(summed_loss(model, *pad(rows, filler)).detach())


def gradients(model: Any) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def value_and_gradients(model: Any, loss: Tensor) -> tuple[float, dict[str, Tensor]]:
    model.zero_grad(set_to_none=True)
    loss.backward()
    return float(loss.detach()), gradients(model)


def assert_equal(model: Any, rows: list[Row], **options: Any) -> None:
    """Ours has no mask for the padding, and agrees with a model that has one."""
    input_ids, labels = pad(rows, 0)
    lengths = torch.tensor([[len(row.input_ids)] for row in rows])
    mask = (torch.arange(input_ids.shape[1]) < lengths).long()
    ours = value_and_gradients(model, summed_loss(model, input_ids, labels, **options))
    theirs = value_and_gradients(model, plain_loss(model, input_ids, labels, mask))
    assert ours[0] == pytest.approx(theirs[0], rel=1e-5)
    assert ours[1].keys() == theirs[1].keys()
    for name, gradient in ours[1].items():
        torch.testing.assert_close(gradient, theirs[1][name], rtol=1e-4, atol=1e-5, msg=name)


@pytest.fixture
def toy() -> LlamaForCausalLM:
    return toy_model(0, VOCABULARY)


@pytest.mark.parametrize("lengths", [[40], [40, 40], [17, 64, 3, 29], [2]])
def test_the_loss_and_its_gradients_are_those_of_all_logits(toy: Any, lengths: list[int]) -> None:
    assert_equal(toy, some_rows(lengths))


@pytest.mark.parametrize("supervised", [1, CHUNK_TOKENS - 1, CHUNK_TOKENS, CHUNK_TOKENS + 1, 600])
def test_no_position_is_lost_where_one_chunk_ends(toy: Any, supervised: int) -> None:
    row = some_rows([supervised + 10])[0]
    labels = [IGNORED] * 10 + row.input_ids[10:]
    assert_equal(toy, [Row(row.input_ids, labels)])


def test_a_label_at_the_first_position_counts_for_nothing(toy: Any) -> None:
    row = some_rows([30])[0]
    with_label = Row(row.input_ids, [row.input_ids[0], *row.labels[1:]])
    without = Row(row.input_ids, [IGNORED, *row.labels[1:]])
    assert loss_of(toy, [with_label]) == loss_of(toy, [without])


def test_a_batch_without_labels_has_a_loss_of_zero(toy: Any) -> None:
    row = Row([5, 6, 7], [IGNORED] * 3)
    assert loss_of(toy, [row]) == 0.0


def test_padding_has_no_influence_whatever_it_is_filled_with(toy: Any) -> None:
    rows = some_rows([12, 50])
    apart = sum(loss_of(toy, [row]) for row in rows)
    for filler in (0, 2, 200):
        assert loss_of(toy, rows, filler) == pytest.approx(apart, rel=1e-5)


@pytest.mark.parametrize(
    ("kind", "config", "own_head"),
    [
        (Qwen2ForCausalLM, Qwen2Config(**SMALL), False),
        (
            GPT2LMHeadModel,
            GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, bos_token_id=0),
            False,
        ),
        (Gemma2ForCausalLM, Gemma2Config(**SMALL, head_dim=8), True),
        (GraniteForCausalLM, GraniteConfig(**SMALL, logits_scaling=8.0), True),
        (CohereForCausalLM, CohereConfig(**SMALL, logit_scale=0.0625), True),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_models_that_change_their_logits_keep_their_own_head(
    kind: Any, config: Any, own_head: bool
) -> None:
    torch.manual_seed(0)
    model = kind(config).eval()
    assert needs_own_head(model) is own_head
    assert not model.training
    assert_equal(model, some_rows([20, 31]), own_head=own_head)


def test_a_head_that_no_configuration_tells_of_is_found_by_trying(toy: Any) -> None:
    assert not needs_own_head(toy)
    head = toy.get_output_embeddings()

    class Doubled(LlamaForCausalLM):
        """Multiplies its logits, and says so nowhere."""

        def forward(self, *args: Any, **kwargs: Any) -> Any:
            output = super().forward(*args, **kwargs)
            output.logits = output.logits * 2
            return output

    torch.nn.init.normal_(head.weight, std=0.5)  # as large as a trained head
    doubled = Doubled(toy.config)
    doubled.load_state_dict(toy.state_dict())
    assert needs_own_head(doubled)
    assert_equal(doubled, some_rows([20, 31]), own_head=True)
    assert not needs_own_head(toy)


def test_falcon_h1_is_known_by_its_configuration() -> None:
    config = FalconH1Config(**SMALL, mamba_d_ssm=32, mamba_n_heads=4, lm_head_multiplier=0.5)
    assert needs_own_head(FalconH1ForCausalLM(config))
