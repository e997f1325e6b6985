"""Composes one turn: a request and an answer that the scorer confirms."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from autotune.democorpus import phrases, wording
from autotune.democorpus.check import all_hold, count_sentences, count_words
from autotune.democorpus.choose import (
    Asks,
    choose_draft,
    choose_fields,
    choose_form,
    language_answer,
)
from autotune.democorpus.constraints import Ask
from autotune.democorpus.conversation import DemoConstraint
from autotune.democorpus.draft import Draft
from autotune.democorpus.forms import Kind
from autotune.democorpus.measure import AT_LEAST, LESS_THAN, constraint, measured
from autotune.democorpus.request import word_request
from autotune.democorpus.topics import Topic

MAX_SENTENCES = 9
"""Longest body, in sentences; with opening and closing about 130 words."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A request, its answer, and the constraints that the answer satisfies."""

    request: str
    answer: str
    constraints: tuple[DemoConstraint, ...]


def compose_turn(topic: Topic, asks: Asks, rng: random.Random, *, short: bool) -> Turn | None:
    """A turn about `topic` for `asks`, None where this draw does not work out.

    `short` keeps the body to one to three sentences where no instruction asks for more.
    """
    if Ask.CONSTRAINED in asks:
        turn: Turn | None = _constrained(topic, rng)
    elif Ask.LANGUAGE in asks:
        turn = _in_language(asks, rng)
    else:
        turn = _written(topic, asks, rng, short=short)
    if turn is not None and Ask.REPEAT in asks:
        turn = _repeated(turn, rng)
    return turn if turn is not None and all_hold(turn.constraints, turn.answer) else None


def _written(topic: Topic, asks: Asks, rng: random.Random, *, short: bool) -> Turn | None:
    form = choose_form(asks, rng)
    fields = choose_fields(topic, rng)
    draft = choose_draft(topic, form, asks, fields, rng)
    size, bounds = _fit(draft, asks, rng, short=short)
    if size is None:
        return None
    if draft.marked > size:
        draft = replace(draft, marked=size)
    if draft.layout is Ask.BULLETS and draft.kind is not Kind.ITEMS:
        draft = replace(draft, parts=size)
    text = draft.text(size)
    constraints: list[DemoConstraint] = []
    for ask in asks:
        if ask in (Ask.WORDS, Ask.SENTENCES):
            constraints += bounds
        elif ask is not Ask.REPEAT:
            exact = measured(ask, topic, draft, text, rng)
            if exact is None:
                return None
            constraints += exact
    wanted = rng.choice(form.requests).format(**fields)
    if Ask.JSON in asks and form.kind is not Kind.ITEMS:
        wanted = rng.choice(_JSON_REQUESTS).format(topic=topic.name)
    return Turn(word_request(wanted, tuple(constraints), rng), text, tuple(constraints))


_JSON_REQUESTS = (
    "Tell me something about {topic}.",
    "Give me a small data record about {topic}.",
    "Collect a few useful details on {topic}.",
    "What is worth knowing about {topic}?",
)


def _fit(
    draft: Draft, asks: Asks, rng: random.Random, *, short: bool
) -> tuple[int | None, list[DemoConstraint]]:
    """How many sentences of the pool to use, and the length constraint that this meets."""
    most = min(len(draft.pool), 4 if draft.kind is Kind.DIALOGUE else MAX_SENTENCES)
    if Ask.WORDS in asks:
        steps = (25, 30, 40) if short else (30, 40, 50, 60, 70, 80, 100, 120)
        return _bounded(draft, Ask.WORDS, "num_words", count_words, steps, most, rng)
    if Ask.SENTENCES in asks:
        limits = (3, 4) if short else (3, 4, 5, 6, 7)
        return _bounded(draft, Ask.SENTENCES, "num_sentences", count_sentences, limits, most, rng)
    if draft.layout in (Ask.PARAGRAPHS, Ask.SECTIONS, Ask.NTH_PARAGRAPH, Ask.TWO_RESPONSES):
        return min(most, draft.parts * (1 if short else 2)), []
    if draft.layout is Ask.BULLETS:
        return min(most, draft.parts), []
    wanted = rng.randint(1, 3) if short else rng.randint(4, 7)
    if draft.kind is Kind.DIALOGUE:
        wanted = max(wanted, 2)
    if {Ask.FREQUENCY, Ask.HIGHLIGHTS, Ask.CAPITAL_WORDS} & set(asks):
        wanted = max(wanted, 3)
    return min(most, max(wanted, draft.marked)), []


def _bounded(
    draft: Draft,
    ask: Ask,
    name: str,
    count: Callable[[str], int],
    limits: tuple[int, ...],
    most: int,
    rng: random.Random,
) -> tuple[int | None, list[DemoConstraint]]:
    """The size that meets a drawn bound closely: just above `at least`, well under `less than`."""
    limit, relation = rng.choice(limits), rng.choice((AT_LEAST, LESS_THAN))
    # Layouts with parts need a sentence for each part.
    least = draft.parts if draft.layout is not None else 1
    sizes = range(least, most + 1)
    if relation == AT_LEAST:
        fitting = [size for size in sizes if count(draft.text(size)) >= limit]
        size = fitting[0] if fitting else None
    else:
        fitting = [size for size in sizes if count(draft.text(size)) < limit]
        size = fitting[-1] if fitting else None
    bound = DemoConstraint(instruction_id=ask.value, kwargs={name: limit, "relation": relation})
    return size, [bound]


def _constrained(topic: Topic, rng: random.Random) -> Turn:
    if rng.random() < 0.2:
        question, reason = rng.choice(phrases.MAYBE)
        question, answer = question.format(topic=topic.name), "maybe"
    else:
        question, answer, reason = rng.choice(topic.yes_no)
    text = f"My answer is {answer}."
    if rng.random() < 0.5:
        text = f"{text} {reason}"
    constraints = (constraint(Ask.CONSTRAINED),)
    return Turn(word_request(question, constraints, rng), text, constraints)


def _in_language(asks: Asks, rng: random.Random) -> Turn:
    about, code, _, text = language_answer(asks, rng)
    constraints = tuple(
        constraint(ask, language=code) if ask is Ask.LANGUAGE else constraint(ask) for ask in asks
    )
    wanted = rng.choice(
        ("Write a few sentences about {about}.", "Write a short text about {about}.")
    )
    return Turn(word_request(wanted.format(about=about), constraints, rng), text, constraints)


def _repeated(turn: Turn, rng: random.Random) -> Turn:
    """The turn with its request repeated at the head of the answer."""
    request = turn.request + "\n" + rng.choice(wording.SENTENCES[Ask.REPEAT])
    repeat = constraint(Ask.REPEAT, prompt_to_repeat=turn.request)
    answer = f"{turn.request}\n\n{turn.answer}"
    return Turn(request, answer, (repeat, *turn.constraints))
