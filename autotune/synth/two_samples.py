"""Two responses made of two samples: what a model says at a second time is another response."""

from collections.abc import Sequence
from itertools import pairwise

from autotune.score.answers import Answer
from autotune.score.ifeval.combination import TwoResponses
from autotune.score.ifeval.pieces import closed, whole_sentences
from autotune.synth.lengths import beginning
from autotune.synth.prompts import PracticePrompt

DIVIDER = "\n******\n"


def pairs(prompt: PracticePrompt, samples: Sequence[Answer]) -> list[tuple[Answer, Answer]]:
    """Neighbours of a task's samples, for a prompt that asks for two responses; else none."""
    return list(pairwise(samples)) if TwoResponses.id in prompt.instruction_id_list else []


def joined(pair: tuple[Answer, Answer], words: int | None) -> str:
    """Both, in whole sentences and with the divider; of each half of so many `words` or all."""
    return DIVIDER.join(_part(each, words) for each in pair)


def _part(answer: Answer, words: int | None) -> str:
    text = answer.response or ""
    whole = text.strip() if answer.finish == "stop" else closed(whole_sentences(text))
    return beginning(whole, words // 2) if words else whole
