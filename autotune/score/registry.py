"""The scorers by name: a new one is a folder with a `Scorer`, and a line here."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from autotune.base.errors import BadInput
from autotune.base.later import later

if TYPE_CHECKING:
    from autotune.score.prompts import Prompt
    from autotune.score.scorer import Scorer

SCORERS: "dict[str, Callable[[], Scorer]]" = {
    "ifeval": later("autotune.score.ifeval.scorer:IFEval"),
    "exact": later("autotune.score.exact.scorer:Exact"),
}
"""What `--scorer` takes.

Example:
    With the line `"rhymes": later("autotune.score.rhymes.scorer:Rhymes")`, `eval MODEL --scorer
    rhymes --prompts FILE` scores by `find_scorer("rhymes")`.
"""


def unknown_scorer() -> str:
    """The rule that a name which no scorer has breaks."""
    return f"must be one of {', '.join(sorted(SCORERS))}"


def find_scorer(name: str) -> "Scorer":
    """The scorer of a name.

    Raises:
        BadInput: there is none.
    """
    if name not in SCORERS:
        raise BadInput(f"scorer {name}: {unknown_scorer()}")
    return SCORERS[name]()


def read_prompts(scorer: "Scorer", path: Path) -> "tuple[Prompt, ...]":
    """The prompts of a file, read by a scorer; those of another one are named as such.

    Raises:
        BadInput: as `Scorer.read_prompts`, or that.
    """
    from autotune.score.prompts import RefusedPrompt

    try:
        return scorer.read_prompts(path)
    except RefusedPrompt as fault:
        if scorer.takes(fault.record):
            raise
        others = [each for make in SCORERS.values() if (each := make()).takes(fault.record)]
        if not others:
            raise
        one, several = others[0].judges_by
        raise BadInput(
            f"{fault.place}: has {one}; prompts with {several} are for --scorer {others[0].name}"
        ) from None
