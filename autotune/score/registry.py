"""The scorers by name: a new one is a folder with a `Scorer`, and a line here."""

from collections.abc import Callable

from autotune.base.errors import BadInput
from autotune.score.exact.scorer import Exact
from autotune.score.ifeval.scorer import IFEval
from autotune.score.scorer import Scorer

SCORERS: dict[str, Callable[[], Scorer]] = {
    "exact": Exact,
    "ifeval": IFEval,
}
"""What `--scorer` takes.

Example:
    With the line `"rhymes": Rhymes`, `eval MODEL --scorer rhymes --prompts FILE` scores by
    `find_scorer("rhymes")`.
"""


def find_scorer(name: str) -> Scorer:
    """The scorer of a name.

    Raises:
        BadInput: there is none.
    """
    if name not in SCORERS:
        raise BadInput(f"scorer {name}: must be one of {', '.join(sorted(SCORERS))}")
    return SCORERS[name]()
