"""A folder in the Hugging Face layout: complete, safetensors only, no stand-ins for its files.

And of one piece: the weights are those that config.json and tokenizer.json speak of.
"""

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

from autotune.base.errors import BadInput
from autotune.sources.digest import is_lfs_pointer
from autotune.sources.model_faults import vocabulary_faults, weight_faults
from autotune.sources.tensors import Described, described_tensors

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_WHOLE = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_ADAPTER = "adapter_config.json"


def check_model_folder(folder: Path, *, weights: bool = True) -> None:
    """Refuse a folder that cannot be loaded, or not as it stands, naming the file at fault.

    Who needs the tokenizer only leaves the weights out. Of the weights their headers are read.

    Raises:
        BadInput: config.json, tokenizer.json or the weights are missing, torn, pickled only,
            quantised, git-lfs pointers, or do not belong to each other.
    """
    described = (folder / "config.json", folder / "tokenizer.json")
    heavy = _weight_files(folder) if weights else {}
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
    config, tokenizer = (_read_json(folder, path) for path in described)
    tensors = _tensors(folder, heavy) if weights else None
    for fault in weight_faults(config, tensors or {}) if weights else ():
        raise _fault(folder, *fault)
    for fault in vocabulary_faults(config, tokenizer, tensors):
        raise _fault(folder, *fault)


def is_model_folder(folder: Path, *, weights: bool = True) -> bool:
    """Whether `check_model_folder` accepts the folder."""
    try:
        check_model_folder(folder, weights=weights)
    except BadInput:
        return False
    return True


def _weight_files(folder: Path) -> Mapping[Path, frozenset[str]]:
    """The files that the weights are loaded from, each with the tensors that an index puts there.

    One `model.safetensors` goes before an index, as it does for transformers.
    """
    if (folder / _ADAPTER).is_file():
        raise _fault(
            folder,
            f"holds a LoRA adapter ({_ADAPTER}), whose weights are those of another model",
            "merge it into that model (merge_and_unload of peft), save it and give that folder",
        )
    if (folder / _WHOLE).is_file():
        return {folder / _WHOLE: frozenset()}
    index = folder / _INDEX
    if index.is_file() and not is_lfs_pointer(index):
        return _indexed(folder, index)
    pickles = sorted(p.name for pattern in _PICKLES for p in folder.glob(pattern))
    if pickles:
        raise _fault(
            folder,
            f"its weights are pickled ({pickles[0]}), and only safetensors are loaded",
            "convert it with save_pretrained(safe_serialization=True), or choose another model",
        )
    others = sorted(p.name for p in folder.glob("*.safetensors"))
    what = f"{_WHOLE} is missing"
    if others:
        what += f" ({others[0]} is there, and nothing says that it is the model)"
    raise _fault(folder, what, "give a folder with a whole model in it")


def _indexed(folder: Path, index: Path) -> Mapping[Path, frozenset[str]]:
    """The shards of an index, all within the folder."""
    names = _read_json(folder, index).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise _fault(folder, f"{_INDEX} has no weight_map", "copy the model folder again")
    found: dict[Path, set[str]] = {}
    for tensor, name in names.items():
        if not isinstance(name, str) or _leads_outside(name):
            raise _fault(
                folder,
                f"{_INDEX} looks for {tensor} in {name!r}, which is no file of this folder",
                "copy the whole model folder, with the index that was saved with it",
            )
        found.setdefault(folder / name, set()).add(tensor)
    return {path: frozenset(found[path]) for path in sorted(found)}


def _leads_outside(name: str) -> bool:
    """Whether a file name, read as on any system, has a root, a drive or a way up."""
    kinds = (PurePosixPath(name), PureWindowsPath(name))
    return not name or any(path.anchor or ".." in path.parts for path in kinds)


def _tensors(folder: Path, files: Mapping[Path, frozenset[str]]) -> Mapping[str, Described]:
    """All tensors of these files; a download that broke off is shorter than its header says."""
    found: dict[str, Described] = {}
    for path, wanted in files.items():
        try:
            tensors = described_tensors(path)
        except (ValueError, OSError) as error:
            raise _fault(
                folder, f"{path.name} is not a whole safetensors file", "download it again"
            ) from error
        missing = sorted(wanted - tensors.keys())
        if missing:
            raise _fault(
                folder,
                f"{path.name} lacks {missing[0]}, which {_INDEX} looks for there",
                "copy the whole model folder, with the index that was saved with it",
            )
        found |= tensors
    return found


def _read_json(folder: Path, path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise _fault(folder, f"{path.name} is not JSON", "copy the model folder again") from error
    if not isinstance(found, dict):
        raise _fault(folder, f"{path.name} is not a JSON object", "copy the model folder again")
    return found


def _fault(folder: Path, what: str, remedy: str) -> BadInput:
    return BadInput(f"model folder {folder}: {what}; {remedy}")
