"""A word without an option before it, or after the wrong one: which option it was meant for."""

import json
from collections.abc import Collection
from pathlib import Path

from autotune.base.format import quoted
from autotune.base.home import from_home
from autotune.sources.named import MODELS

_RECORDS = {".json", ".jsonl", ".ndjson", ".csv", ".parquet", ".arrow", ".gz", ".zst"}
_HEAD_BYTES = 65536
"""Enough of a file to hold its first record."""


def meant_for(word: str, options: Collection[str]) -> str | None:
    """The option of `options` and its value that a word stands for; None where that is unclear.

    What the word is decides: the kind of a file or folder that is there, else its spelling.
    """
    name = _option(word, from_home(word))
    if name is None or name not in options:
        return None
    return f"{name} {quoted(word)}"


def _option(word: str, path: Path) -> str | None:
    if path.is_dir():
        return _of_folder(path)
    if path.suffix.lower() == ".toml":
        return "--profile"
    if path.is_file():
        return _of_file(path)
    if path.suffix.lower() in _RECORDS:
        return "--data"
    if word.lower() in MODELS:
        return "--model"
    return "--target" if _is_share(word) else None


def _of_folder(path: Path) -> str | None:
    if (path / "run.toml").is_file():
        return "--run-dir"
    has_model = (path / "config.json").is_file() or any(path.glob("*.safetensors"))
    return "--model" if has_model else None


def _of_file(path: Path) -> str | None:
    """By the keys of its first record: prompts have what a scorer asks for, answers a response."""
    from autotune.score.registry import SCORERS

    keys = _first_keys(path)
    if any(make().takes(keys) for make in SCORERS.values()):
        return "--prompts"
    if "response" in keys and "prompt" in keys:
        return "--responses"
    return "--data"


def _first_keys(path: Path) -> set[str]:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        first = json.loads(head.split(b"\n", 1)[0])
    except (OSError, ValueError, RecursionError):
        return set()
    return set(first) if isinstance(first, dict) else set()


def _is_share(word: str) -> bool:
    try:
        return 0 < float(word.rstrip("%")) <= 100
    except ValueError:
        return False
