"""The kinds of text that a request asks for, and which of them can follow which instructions."""

import random
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from autotune.synth.kinds import Ask


class Kind(StrEnum):
    """How a text is laid out where no instruction says otherwise."""

    PROSE = "prose"
    LETTER = "letter"
    POST = "post"
    DIALOGUE = "dialogue"
    VERSE = "verse"
    ITEMS = "items"


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of text and how it is asked for.

    In `requests`, `{topic}` is the topic's name, `{items}` its list's name, `{fact}` a fact and
    `{question}` a yes-or-no question.
    """

    name: str
    kind: Kind
    requests: tuple[str, ...]


_PROSE_ONLY = frozenset({Ask.PARAGRAPHS, Ask.SECTIONS, Ask.NTH_PARAGRAPH, Ask.TWO_RESPONSES})
_NEEDS_SENTENCES = frozenset({Ask.WORDS, Ask.SENTENCES, Ask.EXISTENCE})
_NEEDS_PROSE_LINES = frozenset({Ask.HIGHLIGHTS, Ask.CAPITAL_WORDS, Ask.FREQUENCY})


def choose_form(asks: Collection[Ask], rng: random.Random) -> Form:
    """A form whose kind can follow all of `asks`."""
    kinds = set(Kind)
    if _PROSE_ONLY & set(asks):
        kinds = {Kind.PROSE}
    if Ask.BULLETS in asks:
        kinds &= {Kind.PROSE, Kind.LETTER, Kind.ITEMS}
    elif Ask.JSON not in asks:
        kinds -= {Kind.ITEMS}
    if Ask.PLACEHOLDERS in asks:
        kinds &= {Kind.LETTER, Kind.POST}
    if _NEEDS_SENTENCES & set(asks):
        kinds &= {Kind.PROSE, Kind.LETTER, Kind.POST}
    if _NEEDS_PROSE_LINES & set(asks):
        kinds -= {Kind.VERSE, Kind.ITEMS}
    # A reply to a question has to open the answer, which the layouts in parts do not keep.
    whole = not _PROSE_ONLY & set(asks)
    return rng.choice([f for f in FORMS if f.kind in kinds and (whole or f.name != "question")])


FORMS: tuple[Form, ...] = (
    Form(
        "explanation",
        Kind.PROSE,
        (
            "Tell me about {topic}.",
            "Explain {topic} in simple words.",
            "What should a beginner know about {topic}?",
            "Give a short description of {topic}.",
            "I would like to understand {topic} a little better. Where should I start?",
            "Can you sum up the basics of {topic}?",
        ),
    ),
    Form(
        "blog post",
        Kind.PROSE,
        (
            "I need a blog post about {topic}. Keep it short.",
            "Draft a blog entry on {topic} for curious readers.",
            "I run a small blog. Write a post about {topic} for it.",
        ),
    ),
    Form(
        "essay",
        Kind.PROSE,
        (
            "Please compose a brief essay on {topic}.",
            "Compose a short school essay about {topic}.",
            "Write a small article about {topic} for a local paper.",
        ),
    ),
    Form(
        "speech",
        Kind.PROSE,
        (
            "Write the opening of a friendly speech about {topic}.",
            "I have to say a few words about {topic} in class. What could I say?",
            "Write a one minute talk on {topic}.",
        ),
    ),
    Form(
        "guide",
        Kind.PROSE,
        (
            "Give me some practical advice about {topic}.",
            "Write a small guide to {topic} for beginners.",
            "What are good tips about {topic}?",
            "My friend wants to get into {topic}. What advice would help?",
        ),
    ),
    Form(
        "pitch",
        Kind.PROSE,
        (
            "Write a short pitch for a documentary about {topic}.",
            "Propose a school project about {topic}.",
            "Write a brief review of a book about {topic}.",
        ),
    ),
    Form(
        "expansion",
        Kind.PROSE,
        (
            'Can you say more about this? "{fact}"',
            'Continue from this sentence: "{fact}"',
            'Write a short paragraph that builds on this idea: "{fact}"',
        ),
    ),
    Form(
        "question",
        Kind.PROSE,
        (
            "{question} Explain your answer.",
            "{question}",
            'A child asked me: "{question}" What should I say?',
        ),
    ),
    Form(
        "diary",
        Kind.PROSE,
        (
            "Write a diary entry by someone who spent the day reading about {topic}.",
            "Write a page of a journal about discovering {topic}.",
        ),
    ),
    Form(
        "story",
        Kind.PROSE,
        (
            "Can you tell a very short story about a child who asks about {topic}?",
            "Tell a tiny story in which a grandmother explains {topic}.",
        ),
    ),
    Form(
        "email",
        Kind.LETTER,
        (
            "Please write an email to a friend about {topic}.",
            "Write an email to my class about {topic}.",
            "Draft a brief email to a colleague who asked me about {topic}.",
        ),
    ),
    Form(
        "letter",
        Kind.LETTER,
        (
            "Write a friendly letter to a neighbor about {topic}.",
            "Write a letter to a young relative who wants to know more about {topic}.",
            "Compose a short letter that invites someone to a talk about {topic}.",
        ),
    ),
    Form(
        "post",
        Kind.POST,
        (
            "Write something about {topic} that I can post on social media.",
            "Make a cheerful post about {topic} for a community page.",
            "Announce an evening of talks on {topic}.",
            "Create a flyer for a workshop about {topic}.",
            "Write an advertisement for a course about {topic}.",
        ),
    ),
    Form(
        "dialogue",
        Kind.DIALOGUE,
        (
            "Let a teacher and a student talk about {topic}. Write their dialogue.",
            "Write a conversation in which a student asks a teacher about {topic}.",
        ),
    ),
    Form(
        "verse",
        Kind.VERSE,
        (
            "Write a poem about {topic}.",
            "Write four rhyming lines about {topic}.",
            "Make up a little verse on {topic}.",
            "Write one verse of a song about {topic}.",
            "Write a rhyme about {topic} for small children.",
        ),
    ),
    Form(
        "items",
        Kind.ITEMS,
        (
            "List some {items}.",
            "Name a few {items}.",
            "What are some {items}?",
        ),
    ),
)
"""Every form, in a fixed order."""
