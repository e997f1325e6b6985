"""What is loaded is what is in the folder, or the folder is refused with the weight at fault."""

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from autotune.base.errors import BadInput
from autotune.worker.attention.kernels import heads_of
from autotune.worker.model import load_tokenizer
from autotune.worker.tokens.tokenizer import reading
from autotune.worker.toy import toy_tokenizer
from autotune.worker.weights import all_finite, load_weights
from tests.worker.toys import loaded_toy, save_toy

pytestmark = pytest.mark.torch

Weights = dict[str, torch.Tensor]
Spoil = Callable[[Path], None]

NORM, UP = "model.norm.weight", "model.layers.1.mlp.up_proj.weight"


def config(**values: Any) -> Spoil:
    """Another config.json."""

    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")

    return change


def weights(change: Callable[[Weights], object]) -> Spoil:
    """Other weights in the file."""

    def rewrite(folder: Path) -> None:
        found = {name: t.clone() for name, t in load_file(folder / "model.safetensors").items()}
        change(found)
        save_file(found, folder / "model.safetensors", metadata={"format": "pt"})

    return rewrite


def head(found: Weights) -> None:
    found["lm_head.weight"] = found["model.embed_tokens.weight"] + 1


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (config(num_hidden_layers=1), r"has 9 weights that .* no place for \(model\.layers\.1\."),
        (config(num_hidden_layers=3), r"lacks 9 weights of its model \(model\.layers\.2\."),
        (config(vocab_size=300), r"embed_tokens\.weight is 259 x 64 in the file, and 300 x 64"),
        (config(intermediate_size=96), r"down_proj\.weight is 64 x 160 .* 64 x 96 .* 5 more do"),
        (config(num_key_value_heads=1), r"k_proj\.weight is 32 x 64 in the file, and 16 x 64"),
        (
            config(tie_word_embeddings=False),
            r"lacks lm_head\.weight, and .* tie_word_embeddings false",
        ),
        (weights(head), "its head is not its embedding, and .* tie_word_embeddings true"),
        (weights(lambda w: w.pop(NORM)), rf"lacks 1 weight of its model \({NORM}\)"),
        (weights(lambda w: w.update(v_head=w[NORM] + 1)), r"has 1 weight that .* \(v_head\)"),
        (weights(lambda w: w[NORM].fill_(float("nan"))), rf"1 weight is not finite \({NORM} has"),
        (weights(lambda w: w[UP][0, 0].fill_(float("inf"))), rf"not finite \({UP} has NaN or inf"),
        (weights(lambda w: w[UP][-1, -1].fill_(float("-inf"))), "1 weight is not finite"),
        (config(hidden_size="64"), r"cannot be loaded \(.*'hidden_size'.* expected int"),
        (config(num_attention_heads=0), r"cannot be loaded \(ZeroDivisionError"),
        (config(hidden_act="nope"), r"KeyError: 'nope'\); .* this hidden_act of its config"),
        (config(model_type="nope"), "model type `nope`"),
    ],
)
def test_what_would_not_be_the_folder_s_model_is_one_sentence(
    tmp_path: Path, spoil: Spoil, said: str
) -> None:
    spoil(save_toy(tmp_path))
    with pytest.raises(BadInput, match=said) as refused:
        load_weights(tmp_path)
    assert str(refused.value).startswith(f"model folder {tmp_path}: ")
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("values", [{"num_attention_heads": 0}, {"hidden_size": "64"}, {}])
def test_looking_for_kernels_leaves_a_faulty_config_to_the_loading(
    tmp_path: Path, values: dict[str, Any]
) -> None:
    """It comes first, and has to say nothing of the model."""
    config(**values)(save_toy(tmp_path))
    assert (heads_of(tmp_path) is None) is bool(values)


def test_old_tables_beside_the_weights_and_a_head_that_is_the_embedding_are_loaded(
    tmp_path: Path,
) -> None:
    def more(found: Weights) -> None:
        found["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.zeros(8)
        found["lm_head.weight"] = found["model.embed_tokens.weight"].clone()

    weights(more)(save_toy(tmp_path))
    model = load_weights(tmp_path)
    assert model.lm_head.weight is model.model.embed_tokens.weight


def test_a_head_of_its_own_is_loaded_where_the_config_says_so(tmp_path: Path) -> None:
    save_toy(tmp_path)
    weights(head)(tmp_path)
    config(tie_word_embeddings=False)(tmp_path)
    model = load_weights(tmp_path)
    assert torch.equal(model.lm_head.weight, model.model.embed_tokens.weight + 1)


def test_a_token_that_only_the_tokenizer_s_own_files_have_is_named(tmp_path: Path) -> None:
    save_toy(tmp_path)
    tokenizer = toy_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|tool|>"]})
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(BadInput, match=r"tokens up to 259 \('<\|tool\|>'\).* 259 rows, 0 to 258"):
        loaded_toy(tmp_path)


def test_a_tokenizer_that_is_none_is_the_folder_s_fault(tmp_path: Path) -> None:
    (save_toy(tmp_path) / "tokenizer.json").write_text('{"model": {"type": "nope"}}', "utf-8")
    with pytest.raises(BadInput, match="cannot be loaded"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_one_number_that_is_none_is_found_wherever_it_stands(number: float) -> None:
    for at in (0, 4_999, 9_999):
        tensor = torch.full((10_000,), -3.4e38)
        assert all_finite(tensor)
        tensor[at] = number
        assert not all_finite(tensor)
    assert all_finite(torch.zeros(0))


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EIO, "Input/output error"), Exception("Input/output error (os error 5)")],
)
def test_a_disk_that_failed_to_read_once_is_not_the_fault_of_the_folder(
    tmp_path: Path, error: Exception
) -> None:
    """Another worker may read it; a folder at fault is refused for good."""
    with pytest.raises(type(error)) as raised, reading(tmp_path):
        raise error
    assert raised.value is error
