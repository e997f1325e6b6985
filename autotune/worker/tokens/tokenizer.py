"""A folder's tokenizer, and whose fault it is where a library cannot read a folder.

No model code is loaded here: a survey needs none, and it takes seconds and tens of megabytes.
"""

import errno
import json
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from autotune.base.errors import AutotuneError, BadInput
from autotune.protocol.failure import Failure
from autotune.worker.memory.errors import classify


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a folder; code from the folder is never run.

    Raises:
        BadInput: there is none that can be used.
    """
    with reading(folder):
        return AutoTokenizer.from_pretrained(
            str(folder), trust_remote_code=False, local_files_only=True
        )


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Within, an error is the folder's fault, unless memory or a library lacked or a disk failed.

    Libraries raise whatever they stumble over: a division by zero for no heads, a type of their own
    for a wrong type.

    Raises:
        BadInput: for any such error, with its words; the worker's output has all of them.
    """
    try:
        yield
    except (AutotuneError, ImportError):
        raise
    except Exception as error:
        if classify(error) is not Failure.OTHER or is_of_the_disk(error):
            raise  # what may go well the next time, in another worker
        traceback.print_exception(error)
        raise unloadable(folder, error) from error


def is_of_the_disk(error: Exception) -> bool:
    """Whether a disk failed to read, which says nothing about the folder.

    A library in Rust, such as the tokenizers', raises a plain exception of which only the words
    say so.
    """
    return getattr(error, "errno", None) == errno.EIO or "Input/output error" in str(error)


def unloadable(folder: Path, error: Exception) -> BadInput:
    """The user's line for a folder that transformers refuses, with the reason it gives."""
    lines = str(error).strip().splitlines() or [""]
    reason = " ".join(line.strip() for line in lines[:2]) if lines[0].endswith(":") else lines[0]
    if not isinstance(error, OSError | ValueError):  # others say little without their name
        reason = f"{type(error).__name__}: {reason}".removesuffix(": ")
    unknown = next(_keys_with(error.args[0], folder), None) if _is_lookup(error) else None
    where = f"; transformers does not know this {unknown} of its config.json" if unknown else ""
    return BadInput(f"model folder {folder}: cannot be loaded ({reason}){where}")


def _is_lookup(error: Exception) -> bool:
    return isinstance(error, KeyError) and len(error.args) == 1 and isinstance(error.args[0], str)


def _keys_with(value: str, folder: Path) -> Iterator[str]:
    """The keys of config.json, and of objects in it, that have this value: `rope_scaling.type`."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    for key, held in config.items():
        inner = held.items() if isinstance(held, dict) else ()
        yield from ([key] if held == value else [f"{key}.{k}" for k, v in inner if v == value])
