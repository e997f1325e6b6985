"""`--model`: folders that can be loaded, and what is said about those that cannot."""

import json
from pathlib import Path

import pytest

from autotune.base.errors import BadInput
from autotune.sources.model import DEMO_WHEEL, resolve_model
from autotune.sources.model_folder import check_model_folder

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 538090408\n"


def safetensors(values: int = 4, name: str = "w") -> bytes:
    """A safetensors file of one vector of zeros, fp32."""
    entry = {"dtype": "F32", "shape": [values], "data_offsets": [0, 4 * values]}
    header = json.dumps({name: entry}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(4 * values)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A whole model folder."""
    monkeypatch.setenv("SMOLSFT_CACHE", str(tmp_path / "cache"))
    model = tmp_path / "my model"
    model.mkdir()
    (model / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    (model / "tokenizer.json").write_text("{}", encoding="utf-8")
    (model / "model.safetensors").write_bytes(safetensors())
    return model


def test_a_whole_folder_is_taken_and_named_after_itself(folder: Path) -> None:
    source = resolve_model(str(folder))
    assert (source.kind, source.folder, source.label) == ("folder", folder.resolve(), "my model")
    assert source.is_prepared


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_and_a_lfs_pointer_are_named(folder: Path, name: str) -> None:
    (folder / name).write_bytes(POINTER)
    with pytest.raises(BadInput, match=rf"{name} is a git-lfs pointer.*git lfs pull"):
        resolve_model(str(folder))
    (folder / name).unlink()
    with pytest.raises(BadInput, match=rf"{name} is missing"):
        resolve_model(str(folder))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.ckpt"])
def test_pickled_weights_are_refused_naming_safetensors(folder: Path, name: str) -> None:
    (folder / "model.safetensors").rename(folder / name)
    with pytest.raises(BadInput, match=rf"pickled \({name}\), and only safetensors"):
        resolve_model(str(folder))


def test_pickles_beside_safetensors_do_not_matter(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"not read")
    assert resolve_model(str(folder)).kind == "folder"


@pytest.mark.parametrize("keep", [0, 7, 20, -1])
def test_a_weight_file_that_broke_off_is_refused(folder: Path, keep: int) -> None:
    (folder / "model.safetensors").write_bytes(safetensors()[:keep])
    with pytest.raises(BadInput, match=r"model\.safetensors is not a whole safetensors file"):
        resolve_model(str(folder))


def test_every_shard_of_an_index_must_be_there(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "a.safetensors").write_bytes(safetensors(name="x"))
    index = {"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(BadInput, match=r"b\.safetensors is missing"):
        check_model_folder(folder)
    (folder / "b.safetensors").write_bytes(safetensors(name="y"))
    check_model_folder(folder)
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(BadInput, match="has no weight_map"):
        check_model_folder(folder)


@pytest.mark.parametrize("text", ["{", "[1]", "\xff"])
def test_a_config_that_is_no_json_object_is_refused(folder: Path, text: str) -> None:
    (folder / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput, match=r"config\.json is not"):
        resolve_model(str(folder))


@pytest.mark.parametrize(
    "text", ["./missing", "/missing/model", "..\\missing", "a/b/c", "model.gguf", "x/y.safetensors"]
)
def test_a_mistyped_path_is_not_asked_of_the_hub(text: str) -> None:
    with pytest.raises(BadInput, match="no such folder"):
        resolve_model(text)


def test_a_file_is_refused_where_a_folder_belongs(folder: Path) -> None:
    with pytest.raises(BadInput, match="is a file; give the folder"):
        resolve_model(str(folder / "model.safetensors"))


def test_the_toy_is_built_in_the_cache(folder: Path, tmp_path: Path) -> None:
    source = resolve_model("toy")
    assert (source.kind, source.gguf, source.is_prepared) == ("toy", None, False)
    assert source.folder.is_relative_to(tmp_path / "cache")


def test_the_demo_is_converted_once_and_its_wheel_not_needed_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = DEMO_WHEEL.cached
    weights.parent.mkdir(parents=True)
    monkeypatch.setattr("autotune.sources.model.wheel_file", lambda file, say: weights)
    source = resolve_model("demo")
    assert (source.kind, source.gguf, source.is_prepared) == ("gguf", weights, False)
    source.folder.parent.mkdir(parents=True)
    folder.rename(source.folder)
    again = resolve_model("demo")
    assert (again.is_prepared, again.gguf, again.folder) == (True, None, source.folder)
