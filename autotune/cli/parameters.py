"""The options that several commands have in common, as the command line spells them.

`--target`: a share of the prompts, written as a number or as a percentage.
"""

import math
from pathlib import Path
from typing import Annotated, overload

import typer

from autotune.base.errors import BadInput

Profile = Annotated[
    str | None, typer.Option("--profile", metavar="NAME|FILE", help="Default: by the machine.")
]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="FOLDER|HUB-ID|demo|toy", help="Model to fine-tune."),
]
Data = Annotated[
    str | None, typer.Option("--data", metavar="FILE|HUB-ID|demo", help="Conversations.")
]
Format = Annotated[
    str | None,
    typer.Option("--format", help="messages, conversations, alpaca or prompt_completion."),
]
Prompts = Annotated[
    str | None,
    typer.Option("--prompts", metavar="FILE|ifeval|demo", help="Prompts to score on."),
]
PromptLimit = Annotated[
    str | None,
    typer.Option("--prompt-limit", metavar="N|all", help="Number of prompts (fixed subset)."),
]
ScorerOption = Annotated[
    str | None,
    typer.Option(
        "--scorer",
        metavar="ifeval|exact",
        help="Scorer of the answers: instructions that a program checks, or exact final answers.",
    ),
]
Holdout = Annotated[
    bool | None,
    typer.Option(
        "--holdout/--no-holdout",
        help="Choose the best by one half of the prompts, report its score on the other.",
    ),
]
Full = Annotated[
    bool | None,
    typer.Option(
        "--full/--early",
        help="Score every checkpoint in full, also where the target is out of its reach.",
    ),
]
ThinkOption = Annotated[
    str | None,
    typer.Option(
        "--think",
        metavar="keep|strip",
        help="Judge answers with their <think>...</think>, or what follows it.",
    ),
]
MaxNewTokens = Annotated[
    int | None,
    typer.Option("--max-new-tokens", metavar="N", help="Longest answer of an evaluation."),
]
Length = Annotated[
    int | None, typer.Option("--model-max-length", metavar="N", help="Longest sequence in tokens.")
]
MaxRounds = Annotated[
    str | None, typer.Option("--max-rounds", metavar="N|all", help="User+assistant pairs kept.")
]
MaxConversations = Annotated[
    str | None,
    typer.Option("--max-conversations", metavar="N|all", help="Number of conversations to use."),
]
SupervisionOption = Annotated[
    str | None,
    typer.Option("--supervision", metavar="content|course", help="Which tokens are supervised."),
]
TruncationOption = Annotated[
    str | None, typer.Option("--truncation", metavar="right|left", help="Side that is truncated.")
]
SkipBad = Annotated[
    int | None, typer.Option("--skip-bad", metavar="N", help="Faulty records to tolerate.")
]
VramBudget = Annotated[
    str | None, typer.Option("--vram-budget", metavar="auto|7.2GiB", help="Memory to use.")
]
DeviceOption = Annotated[
    str | None, typer.Option("--device", metavar="auto|cuda[:N]|cpu", help="Where to compute.")
]
PrecisionOption = Annotated[
    str | None,
    typer.Option("--precision", metavar="auto|fp16|bf16|fp32", help="Compute precision."),
]
Seed = Annotated[int | None, typer.Option("--seed", help="Same seed, same result.")]
RunFolder = Annotated[
    Path | None,
    typer.Option(
        "--run-dir",
        metavar="FOLDER",
        help="Default: the unfinished one of these settings in runs/, or a new one.",
    ),
]
Target = Annotated[
    str, typer.Option("--target", metavar="0..1|25%", help="Prompt-strict accuracy to reach.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]


RULE = "must be above 0 and at most 1, or a percentage such as 25%"


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
