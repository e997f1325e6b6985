"""The one place where the demo corpus asks the scorer whether an answer satisfies a request."""

from collections.abc import Mapping, Sequence

from autotune.democorpus.conversation import DemoConstraint, KwargValue
from autotune.evaluate.checkers import build_check
from autotune.evaluate.instructions import read_arguments
from autotune.evaluate.words import count_capital_words, count_sentences, count_words

__all__ = ["all_hold", "count_capital_words", "count_sentences", "count_words", "holds"]


def holds(instruction_id: str, kwargs: Mapping[str, KwargValue], text: str) -> bool:
    """Whether `text` satisfies one instruction as strict scoring has it; the same every time.

    Raises:
        ArgumentFault: an unknown id, or arguments that do not fit it.
        EnvironmentFault: the published checkers are not installed.
    """
    return bool(text.strip()) and build_check(
        instruction_id, read_arguments(instruction_id, kwargs)
    )(text)


def all_hold(constraints: Sequence[DemoConstraint], text: str) -> bool:
    """Whether `text` satisfies every one of `constraints`."""
    return all(holds(c.instruction_id, c.kwargs, text) for c in constraints)
