"""What a model thinks before it answers, `<think>...</think>`, and which text is then judged.

Tools differ, and figures with them: Qwen3-1.7B has 28 or 59 % prompt strict (pull request 3240 of
lm-evaluation-harness). That harness judges all of an answer unless `think_end_token` is set, and
then what follows the last such token; an answer without one stays whole. open-instruct always cuts
so. lighteval cuts as well, and an answer that never stops thinking is an empty one there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autotune.protocol.choices import Think
from autotune.score.answers import Answer

OPEN, CLOSE = "<think>", "</think>"


@dataclass(frozen=True, slots=True)
class Thoughts:
    """How many answers think, and how many of these never come to an end of it."""

    answers: int
    unfinished: int


def thoughts_of(answers: Iterable[Answer]) -> Thoughts:
    """The count over some answers."""
    texts = [answer.response for answer in answers if answer.response is not None]
    unfinished = [never_ends(text) for text in texts]
    thinking = sum(
        CLOSE in text or open_end for text, open_end in zip(texts, unfinished, strict=True)
    )
    return Thoughts(thinking, sum(unfinished))


def never_ends(text: str) -> bool:
    """Whether an answer begins a thought, the first or another, and ends in the middle of it."""
    return text.rpartition(CLOSE)[2].lstrip().startswith(OPEN)


def without_thoughts(text: str) -> str:
    """What follows the last `</think>`, without white space before it.

    Many chat templates write the opening tag themselves, so an answer may hold the closing one
    only. A thought that never ends is followed by nothing: the empty text. `<think>` further on in
    an answer is a word like any other.
    """
    if never_ends(text):
        return ""
    return text.rpartition(CLOSE)[2].lstrip() if CLOSE in text else text


def judged(answers: Sequence[Answer], think: Think) -> Sequence[Answer]:
    """The answers with the text that is judged; the very same ones where all of it is."""
    if think is Think.KEEP:
        return answers
    return tuple(
        answer
        if answer.response is None
        else answer.model_copy(update={"response": without_thoughts(answer.response)})
        for answer in answers
    )
