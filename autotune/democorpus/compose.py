"""Composes the demo conversations from a seed, each answer confirmed before it is kept."""

import random
from collections.abc import Callable, Iterator
from typing import TypeVar

from autotune.democorpus import wording
from autotune.democorpus.constraints import WEIGHTS, Ask, choose_asks, deck
from autotune.democorpus.conversation import DemoConversation, DemoMessage
from autotune.democorpus.rewrite import rewrite
from autotune.democorpus.topics import Topic, training_topics
from autotune.democorpus.turn import Turn, compose_turn
from autotune.errors import BadInput

Card = TypeVar("Card")

MULTI_TURN_EVERY = 5
"""Every fifth conversation has two to four rounds."""

MAX_CHARACTERS = 1400
"""Longest conversation, all messages together; SmolLM2 needs a token for about four of them."""

MAX_ATTEMPTS = 200
"""Draws before a conversation is given up; most need one to three."""


def compose(seed: int, count: int) -> tuple[DemoConversation, ...]:
    """`count` different conversations; a smaller count with the same seed is their beginning.

    Raises:
        BadInput: a negative count, or one for which the material runs out.
    """
    if count < 0:
        raise BadInput(f"demo conversations {count}: must be at least 0; ask for 600, say")
    leads = endless(f"{seed}:leads", deck)
    topics = endless(f"{seed}:topics", lambda rng: shuffled(training_topics(), rng))
    seen: set[str] = set()
    kept: list[DemoConversation] = []
    for index in range(count):
        turns = _turns(f"{seed}:{index}", next(leads), next(topics), index, seen)
        seen.update(turn.request for turn in turns[:1])
        seen.update(turn.answer for turn in turns)
        kept.append(_conversation(turns))
    return tuple(kept)


def endless(seed: str, fresh: Callable[[random.Random], list[Card]]) -> Iterator[Card]:
    """Cards of one shuffled deck after the other."""
    rng = random.Random(seed)
    while True:
        yield from fresh(rng)


def shuffled(topics: tuple[Topic, ...], rng: random.Random) -> list[Topic]:
    """The topics in a new order."""
    return rng.sample(topics, len(topics))


def _turns(name: str, lead: Ask, topic: Topic, index: int, seen: set[str]) -> list[Turn]:
    """The rounds of one conversation that repeats neither a request nor an answer."""
    multi = index % MULTI_TURN_EVERY == MULTI_TURN_EVERY - 1
    for attempt in range(MAX_ATTEMPTS):
        # A string seeds by its SHA-512, so the draw is the same in every process.
        rng = random.Random(f"{name}:{attempt}")
        first = compose_turn(topic, choose_asks(lead, rng), rng, short=multi)
        if first is None or first.request in seen:
            continue
        turns = _with_more(topic, first, rng) if multi else [first]
        answers = [turn.answer for turn in turns]
        size = sum(len(turn.request) + len(turn.answer) for turn in turns)
        fresh = len(set(answers)) == len(answers) and seen.isdisjoint(answers)
        if fresh and size <= MAX_CHARACTERS:
            return turns
    raise BadInput(
        f"demo conversation {index + 1}: no new one about {topic.name} was found in"
        f" {MAX_ATTEMPTS} draws; ask for fewer conversations"
    )


def _with_more(topic: Topic, first: Turn, rng: random.Random) -> list[Turn]:
    """The first round and one to three more on the same topic."""
    turns = [first]
    rounds = rng.choices((2, 3, 4), weights=(50, 33, 17))[0]
    while len(turns) < rounds:
        change = rng.random() < 0.35
        turn = rewrite(topic, turns[-1], rng) if change else _next_task(topic, rng)
        if turn is not None:
            turns.append(turn)
    return turns


def _next_task(topic: Topic, rng: random.Random) -> Turn | None:
    lead = rng.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))[0]
    if lead in (Ask.REPEAT, Ask.LANGUAGE):
        return None
    turn = compose_turn(topic, (lead,), rng, short=True)
    if turn is None:
        return None
    request = rng.choice(wording.FOLLOW_UPS).format(request=turn.request)
    return Turn(request, turn.answer, turn.constraints)


def _conversation(turns: list[Turn]) -> DemoConversation:
    messages = [
        message
        for turn in turns
        for message in (
            DemoMessage(role="user", content=turn.request),
            DemoMessage(role="assistant", content=turn.answer),
        )
    ]
    return DemoConversation(
        messages=tuple(messages), constraints=tuple(turn.constraints for turn in turns)
    )
