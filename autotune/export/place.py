"""Where an export lies: a folder that is complete or not there, and never in place of other things.

It is made beside its place and moved there whole. `export.json` in it says what it is and has the
digest of each of its files, by which the next one knows that it may take its place: nobody trained
into the folder since, nor changed a setting in it.
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
from autotune.sources.digest import sha256_of

MARK = "export.json"

Form = Literal["gguf", "trl", "axolotl", "llamafactory", "script", "lm-eval"]
"""What a model or its training can be handed on as."""


class Made(Boundary):
    """What an export is of: the form, and the sha256 of each file of weights by its name.

    `files` has the sha256 of each file that was written, by its path from the folder.
    """

    to: Form
    weights: dict[str, str]
    files: dict[str, str] = {}


def demand_place(out: Path, made: Made) -> None:
    """Refuse a place where something else lies, before anything is computed for it.

    Raises:
        BadInput: there is a file, a link, a folder with other files, an export of another model, or
            one in which files were added or changed since.
    """
    if is_link(out) or (out.exists() and not out.is_dir()):
        what = "a link" if is_link(out) else "a file"
        raise BadInput(f"--out {out}: is {what}; give the name of a new folder")
    if not out.is_dir() or not any(out.iterdir()):
        return
    found = _made(out)
    if found is None:
        raise BadInput(f"--out {out}: holds other files; give the name of a new folder")
    if (found.to, found.weights) != (made.to, made.weights):
        what = "an export of another model" if found.to == made.to else f"an export --to {found.to}"
        raise BadInput(f"--out {out}: holds {what}; give another folder, or remove that one")
    if strange := sorted(_files(out).items() - found.files.items()):
        raise BadInput(
            f"--out {out}: {strange[0][0]} is not as the export wrote it, and would be lost; give"
            " another folder, or move that one away"
        )


def _files(folder: Path) -> dict[str, str]:
    """The sha256 of each file but the mark, by its path from the folder; of a link no digest."""
    return {
        path.relative_to(folder).as_posix(): "" if is_link(path) else sha256_of(path)
        for path in folder.rglob("*")
        if path.name != MARK and (is_link(path) or path.is_file())
    }


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
        written = made.model_copy(update={"files": _files(work)})
        write_text_atomic(work / MARK, written.model_dump_json(indent=1) + "\n")
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
