"""`--target`: a share of the prompts, written as a number or as a percentage."""

import math
from typing import TYPE_CHECKING, Annotated, overload

import typer

from autotune.base.errors import BadInput

if TYPE_CHECKING:
    from autotune.config.project import Project

DEFAULT_TARGET = "0.25"

DEMO_TARGET = "0.15"
"""Of the demo's own prompts; between what its strategies reach (docs/LOG.md).
`benchmarks/demo_seeds.py` shows which of them meet it."""

Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="0..1|25%",
        help=f"Share of prompts to pass.  [default: {DEFAULT_TARGET}]",
    ),
]

DemoTarget = Annotated[
    str,
    typer.Option("--target", metavar="0..1|25%", help="Share of prompts to pass."),
]

RULE = "must be above 0 and at most 1, or a percentage such as 25%"


def wanted_target(typed: str | None, project: "Project | None" = None) -> float:
    """The target of a run: what was typed, else that of `smolsft.toml`, else the default.

    Raises:
        BadInput: what was typed is no share.
    """
    if typed is None and project is not None and project.target is not None:
        return project.target
    return read_target(DEFAULT_TARGET if typed is None else typed)


@overload
def read_target(text: str) -> float: ...


@overload
def read_target(text: None) -> None: ...


def read_target(text: str | None) -> float | None:
    """A target as typed, `0.25` or `25%`, as a share above 0 and up to 1; None where none was.

    A bare `25` is asked about and not taken: 25 % is meant, or 0.25, or a slip of the comma.

    Raises:
        BadInput: any other text.
    """
    if text is None:
        return None
    percent = text.rstrip().endswith("%")
    number = _number(text.rstrip().removesuffix("%"))
    share = number / 100 if percent and number is not None else number
    if share is not None and 0 < share <= 1:
        return share
    near = _nearest(text)
    raise BadInput(f"--target {text}: {RULE}" + (f"; did you mean {near:g}?" if near else ""))


def _nearest(text: str) -> float | None:
    """The share that was probably meant: a percentage without its sign, a decimal comma."""
    number = _number(text.rstrip().removesuffix("%").replace(",", "."))
    if number is None or number <= 0:
        return None
    share = number / 100 if number > 1 or "%" in text else number
    return share if share <= 1 else None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
