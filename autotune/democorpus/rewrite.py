"""Follow-up rounds that change the answer before them: its case, its frame, its ending."""

import random

from autotune.democorpus import phrases, wording
from autotune.democorpus.check import all_hold
from autotune.democorpus.constraints import Ask
from autotune.democorpus.conversation import DemoConstraint
from autotune.democorpus.measure import constraint
from autotune.democorpus.topics import Topic
from autotune.democorpus.turn import Turn

_KEEPS_FRAME = frozenset(
    {Ask.JSON, Ask.CONSTRAINED, Ask.LANGUAGE, Ask.REPEAT, Ask.TWO_RESPONSES, Ask.QUOTATION}
)
"""Answers to these are not rewritten: a title or a postscript would break them."""


def rewrite(topic: Topic, last: Turn, rng: random.Random) -> Turn | None:
    """A request to change the last answer and the changed answer; None where it cannot be."""
    asked = {Ask(each.instruction_id) for each in last.constraints}
    if asked & _KEEPS_FRAME:
        return None
    ask = rng.choice(list(wording.REWRITES))
    if ask in asked or (ask is Ask.ENDING and Ask.POSTSCRIPT in asked):
        return None
    answer, made = _changed(ask, topic, last.answer, rng)
    if answer == last.answer or not all_hold([made], answer):
        return None
    marker = str(made.kwargs.get("postscript_marker", ""))
    phrase = str(made.kwargs.get("end_phrase", ""))
    request = rng.choice(wording.REWRITES[ask]).format(marker=marker, phrase=phrase)
    return Turn(request, answer, (made,))


def _changed(ask: Ask, topic: Topic, text: str, rng: random.Random) -> tuple[str, DemoConstraint]:
    if ask is Ask.LOWERCASE:
        return text.lower(), constraint(ask)
    if ask is Ask.UPPERCASE:
        return text.upper(), constraint(ask)
    if ask is Ask.QUOTATION:
        return f'"{text}"', constraint(ask)
    if ask is Ask.TITLE:
        title = rng.choice(phrases.TITLES).format(title=topic.title)
        return f"<<{title}>>\n\n{text}", constraint(ask)
    if ask is Ask.POSTSCRIPT:
        line = rng.choice(phrases.POSTSCRIPTS).format(topic=topic.name)
        return f"{text}\n\nP.S. {line}", constraint(ask, postscript_marker="P.S.")
    phrase = rng.choice(phrases.ENDINGS)
    return f"{text}\n\n{phrase}", constraint(Ask.ENDING, end_phrase=phrase)
