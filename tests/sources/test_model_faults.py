"""Folders whose files do not belong to each other: refused by their headers, before torch."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autotune.base.errors import BadInput
from autotune.sources.model_folder import check_model_folder

ROWS, WIDTH, LAYERS = 12, 4, 2
BYTES = {"F32": 4, "BF16": 2, "I8": 1, "F8_E4M3": 1, "U8": 1}

Tensors = dict[str, tuple[str, list[int]]]


def tensors() -> Tensors:
    """Names, types and shapes of a small Llama."""
    found: Tensors = {"model.embed_tokens.weight": ("F32", [ROWS, WIDTH])}
    for layer in range(LAYERS):
        found[f"model.layers.{layer}.mlp.up_proj.weight"] = ("F32", [8, WIDTH])
        found[f"model.layers.{layer}.input_layernorm.weight"] = ("F32", [WIDTH])
    return found


def write(path: Path, described: Tensors) -> None:
    """A safetensors file of zeros."""
    header, at = {}, 0
    for name, (dtype, shape) in described.items():
        size = BYTES[dtype]
        for each in shape:
            size *= each
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(at))


def change(folder: Path, name: str, **values: Any) -> None:
    """Put other values into a JSON file of the folder."""
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small model whose files agree."""
    config = {
        "model_type": "llama",
        "vocab_size": ROWS,
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
    }
    vocabulary = {f"t{number}": number for number in range(ROWS - 1)}
    tokenizer = {
        "model": {"type": "BPE", "vocab": vocabulary},
        "added_tokens": [{"id": ROWS - 1, "content": "<|im_end|>"}],
    }
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer), "utf-8")
    write(tmp_path / "model.safetensors", tensors())
    check_model_folder(tmp_path)
    return tmp_path


def config(**values: Any) -> Callable[[Path], None]:
    return lambda folder: change(folder, "config.json", **values)


def weights(**types: Any) -> Callable[[Path], None]:
    """Other types or shapes of tensors; `up` is the first layer's matrix."""
    name = "model.layers.0.mlp.up_proj.weight"
    return lambda folder: write(folder / "model.safetensors", tensors() | {name: types["up"]})


def index(where: str, **more: str) -> Callable[[Path], None]:
    """A shard in the place of the one file; its tensors are looked for in `where`."""

    def make(folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "a.safetensors")
        names = dict.fromkeys(tensors(), where) | more
        text = json.dumps({"weight_map": names})
        (folder / "model.safetensors.index.json").write_text(text, "utf-8")

    return make


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (config(vocab_size=ROWS + 7), "vocab_size 19, model.embed_tokens.weight has 12 rows"),
        (config(vocab_size=ROWS - 1), "vocab_size 11, model.embed_tokens.weight has 12 rows"),
        (config(hidden_size=8), "hidden_size 8, model.embed_tokens.weight has 4 columns"),
        (config(num_hidden_layers=1), "num_hidden_layers 1, its weights have 2 layers (0 to 1)"),
        (config(num_hidden_layers=3), "num_hidden_layers 3, its weights have 2 layers (0 to 1)"),
        (weights(up=("I8", [8, WIDTH])), "quantised (model.layers.0.mlp.up_proj.weight is I8)"),
        (weights(up=("F8_E4M3", [8, WIDTH])), "up_proj.weight is F8_E4M3"),
        (config(quantization_config={"quant_method": "gptq"}), "its weights are quantised (gptq)"),
        (index(where="../elsewhere/a.safetensors"), "in '../elsewhere/a.safetensors', which is no"),
        (index(where="/models/a.safetensors"), "in '/models/a.safetensors', which is no file of"),
        (index(where="..\\a.safetensors"), "which is no file of this folder"),
        (index(where="C:\\models\\a.safetensors"), "which is no file of this folder"),
        (index(where="b.safetensors"), "b.safetensors is missing"),
        (
            index(where="a.safetensors", norm="a.safetensors"),
            "a.safetensors lacks norm, which",
        ),
    ],
)
def test_files_that_do_not_belong_together_are_named(
    folder: Path, spoil: Callable[[Path], None], said: str
) -> None:
    spoil(folder)
    with pytest.raises(BadInput) as refused:
        check_model_folder(folder)
    assert said in str(refused.value)
    assert str(refused.value).startswith(f"model folder {folder}: ")
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize(
    "tokenizer",
    [
        {"added_tokens": [{"id": ROWS, "content": "<|new|>"}]},
        {"model": {"type": "BPE", "vocab": {"a": 0, "<|new|>": ROWS}}},
        {"model": {"type": "Unigram", "vocab": [["a", 0.0]] * ROWS + [["<|new|>", 0.0]]}},
    ],
    ids=["added", "vocabulary", "pieces"],
)
def test_a_token_past_the_embedding_is_named_also_where_only_the_tokenizer_is_needed(
    folder: Path, tokenizer: dict[str, Any], weights: bool
) -> None:
    change(folder, "tokenizer.json", **tokenizer)
    with pytest.raises(BadInput, match=r"tokens up to 12 \('<\|new\|>'\).* 12 rows, 0 to 11"):
        check_model_folder(folder, weights=weights)


def test_an_embedding_with_rows_to_spare_is_fine(folder: Path) -> None:
    write(
        folder / "model.safetensors",
        tensors() | {"model.embed_tokens.weight": ("BF16", [ROWS + 52, WIDTH])},
    )
    change(folder, "config.json", vocab_size=ROWS + 52)
    check_model_folder(folder)


def test_shards_in_a_folder_of_their_own_within_the_model_s_are_read(folder: Path) -> None:
    (folder / "shards").mkdir()
    (folder / "model.safetensors").rename(folder / "shards" / "a.safetensors")
    found = {"weight_map": dict.fromkeys(tensors(), "shards/a.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(found), "utf-8")
    check_model_folder(folder)


def test_one_file_goes_before_an_index_as_it_does_where_it_is_loaded(folder: Path) -> None:
    found = {"weight_map": {"w": "gone.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(found), "utf-8")
    check_model_folder(folder)


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "optimizer.safetensors"])
def test_weights_of_another_kind_are_not_taken_for_the_model(folder: Path, name: str) -> None:
    (folder / "model.safetensors").rename(folder / name)
    with pytest.raises(BadInput, match=rf"model\.safetensors is missing \({name} is there"):
        check_model_folder(folder)


def test_an_adapter_is_called_one(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}", "utf-8")
    with pytest.raises(BadInput, match="holds a LoRA adapter"):
        check_model_folder(folder)


def test_layers_of_several_kinds_and_those_that_look_ahead_are_left_to_the_model(
    folder: Path,
) -> None:
    more = {
        "model.layers.2.eh_proj.weight": ("F32", [WIDTH]),
    }
    write(folder / "model.safetensors", tensors() | more)
    change(folder, "config.json", num_nextn_predict_layers=1)
    check_model_folder(folder)
    tower = {f"vision.blocks.{at}.weight": ("F32", [WIDTH]) for at in range(5)}
    write(folder / "model.safetensors", tensors() | tower)
    check_model_folder(folder)
