"""A folder in the Hugging Face layout: complete, safetensors only, no stand-ins for its files."""

import json
from pathlib import Path

from autotune.errors import BadInput
from autotune.sources.digest import is_lfs_pointer

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_INDEX = "model.safetensors.index.json"


def check_model_folder(folder: Path, *, weights: bool = True) -> None:
    """Refuse a folder that cannot be loaded, naming the file at fault.

    Who needs the tokenizer only leaves the weights out.

    Raises:
        BadInput: config.json, tokenizer.json or the weights are missing, torn, pickled only, or
            git-lfs pointers.
    """
    described = (folder / "config.json", folder / "tokenizer.json")
    heavy = _weight_files(folder) if weights else ()
    for path in (*described, *heavy):
        if not path.is_file():
            raise _fault(
                folder, f"{path.name} is missing", "copy the whole model folder, or give a hub id"
            )
        if is_lfs_pointer(path):
            raise _fault(
                folder,
                f"{path.name} is a git-lfs pointer, not the file itself",
                "run git lfs pull in it",
            )
    for path in described:
        _check_json(folder, path)
    for path in heavy:
        _check_whole(folder, path)


def is_model_folder(folder: Path, *, weights: bool = True) -> bool:
    """Whether `check_model_folder` accepts the folder."""
    try:
        check_model_folder(folder, weights=weights)
    except BadInput:
        return False
    return True


def _weight_files(folder: Path) -> tuple[Path, ...]:
    """The files that hold the weights: those that an index lists, else all that are there."""
    index = folder / _INDEX
    if index.is_file() and not is_lfs_pointer(index):
        names = _check_json(folder, index).get("weight_map")
        if not isinstance(names, dict) or not names:
            raise _fault(folder, f"{_INDEX} has no weight_map", "copy the model folder again")
        return tuple(folder / str(name) for name in sorted(set(names.values())))
    found = tuple(sorted(folder.glob("*.safetensors")))
    if found:
        return found
    pickles = sorted(p.name for pattern in _PICKLES for p in folder.glob(pattern))
    if pickles:
        raise _fault(
            folder,
            f"its weights are pickled ({pickles[0]}), and only safetensors are loaded",
            "convert it with save_pretrained(safe_serialization=True), or choose another model",
        )
    raise _fault(folder, "model.safetensors is missing", "give a folder with a whole model in it")


def _check_json(folder: Path, path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise _fault(folder, f"{path.name} is not JSON", "copy the model folder again") from error
    if not isinstance(found, dict):
        raise _fault(folder, f"{path.name} is not a JSON object", "copy the model folder again")
    return found


def _check_whole(folder: Path, path: Path) -> None:
    """Compare the file's size with its own header; a download that broke off is shorter."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np"):
            pass
    except (SafetensorError, OSError) as error:
        raise _fault(
            folder, f"{path.name} is not a whole safetensors file", "download it again"
        ) from error


def _fault(folder: Path, what: str, remedy: str) -> BadInput:
    return BadInput(f"model folder {folder}: {what}; {remedy}")
