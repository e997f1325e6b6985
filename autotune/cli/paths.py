"""Paths that `eval` and `synth` are given, looked at before anything is fetched or answered."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from autotune.base.errors import BadInput
from autotune.base.files import no_plain_file
from autotune.base.home import from_home
from autotune.cli.misplaced import meant_for
from autotune.data.file_kinds import readable


def demand_writable(option: str, place: Path | None) -> None:
    """Refuse a file to write that is none, before hours of answers are made for it.

    Raises:
        BadInput: it is a folder, or its folder is not there or lets nothing be written.
    """
    if place is None:
        return
    if place.is_dir():
        raise BadInput(f"{option} {place}: is a folder; give the name of a file to write")
    if not place.absolute().parent.is_dir():
        raise BadInput(
            f"{option} {place}: its folder {place.parent} is not there; make it, or give another"
            " file"
        )
    try:
        # What the system says of rights is not all: a disk may be there to be read only.
        with tempfile.TemporaryFile(dir=place.absolute().parent):
            pass
    except OSError as error:
        raise BadInput(
            f"{option} {place}: nothing can be written to {place.absolute().parent}"
            f" ({error.strerror or error}); give a file in another folder"
        ) from None


def demand_answers(responses: Path | None) -> None:
    """Refuse a place for answers that is no file, before prompts are fetched.

    Raises:
        BadInput: it is a folder, or is not there.
    """
    if responses is None or responses.is_file():
        return
    what = "is a folder" if responses.is_dir() else no_plain_file(responses)
    raise BadInput(
        f"--responses {responses}: {what}; give a file of answers ({readable('.jsonl')})"
    )


def demand_folder(targets: Sequence[str]) -> None:
    """Refuse a file where a model is meant, and say what a file of answers is given as.

    Raises:
        BadInput: that.
    """
    if targets and from_home(targets[0]).is_file():
        meant = meant_for(targets[0], ("--responses", "--prompts", "--profile"))
        near = f"; did you mean {meant}?" if meant else ""
        raise BadInput(
            f"eval {targets[0]}: is a file; give the folder that holds model.safetensors{near}"
        )
