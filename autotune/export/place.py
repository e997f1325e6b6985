"""Where an export lies: a folder that is complete or not there, and never in place of other things.

It is made beside its place and moved there whole. `export.json` in it says what it is, by which the
next one knows that it may take its place.
"""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from autotune.base.errors import BadInput, EnvironmentFault
from autotune.base.files import as_new_files, is_link, remove_tree, sync_folder, write_text_atomic
from autotune.base.manifest import put_in_place
from autotune.base.model import Boundary

MARK = "export.json"

Form = Literal["gguf", "trl", "axolotl", "llamafactory", "script", "lm-eval"]
"""What a model or its training can be handed on as."""


class Made(Boundary):
    """What an export is of: the form, and the sha256 of each file of weights by its name."""

    to: Form
    weights: dict[str, str]


def demand_place(out: Path, made: Made) -> None:
    """Refuse a place where something else lies, before anything is computed for it.

    Raises:
        BadInput: there is a file, a link, a folder with other files, or an export of another model.
    """
    if is_link(out) or (out.exists() and not out.is_dir()):
        what = "a link" if is_link(out) else "a file"
        raise BadInput(f"--out {out}: is {what}; give the name of a new folder")
    if not out.is_dir() or not any(out.iterdir()):
        return
    found = _made(out)
    if found is None:
        raise BadInput(f"--out {out}: holds other files; give the name of a new folder")
    if found != made:
        what = "an export of another model" if found.to == made.to else f"an export --to {found.to}"
        raise BadInput(f"--out {out}: holds {what}; give another folder, or remove that one")


def _made(folder: Path) -> Made | None:
    try:
        return Made.model_validate_json((folder / MARK).read_bytes())
    except (OSError, ValidationError):
        return None


@contextlib.contextmanager
def whole_export(out: Path, made: Made) -> Iterator[Path]:
    """A folder to write into that becomes `out` when all went well, and goes otherwise.

    Raises:
        BadInput: see `demand_place`.
        EnvironmentFault: the disk is full, or cannot be written.
    """
    demand_place(out, made)
    out = out.absolute()
    work = out.with_name(f".{out.name}.tmp")
    parents = [folder for folder in out.parents if not folder.exists()]
    try:
        remove_tree(work)
        work.mkdir(parents=True)
        yield work
        write_text_atomic(work / MARK, made.model_dump_json(indent=1) + "\n")
        for folder in (work, *(p for p in work.rglob("*") if p.is_dir())):
            as_new_files(folder)
            sync_folder(folder)
        put_in_place(work, out)
    except OSError as error:
        _leave_nothing(work, parents)
        raise EnvironmentFault(
            f"--out {out}: cannot be written ({error.strerror or error}); free disk space or choose"
            " another folder"
        ) from error
    except BaseException:
        _leave_nothing(work, parents)
        raise


def _leave_nothing(work: Path, parents: list[Path]) -> None:
    """Remove what was begun, and the folders that were made for it."""
    shutil.rmtree(work, ignore_errors=True)
    with contextlib.suppress(OSError):
        for folder in parents:
            folder.rmdir()
