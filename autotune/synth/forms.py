"""The kinds of text that a request asks for, and which instructions each of them can follow."""

import random
import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from string import Formatter

from autotune.synth import phrases
from autotune.synth.kinds import Ask
from autotune.synth.texts import read_table
from autotune.synth.topics import NOUNS, Sort, Topic

ADJECTIVE_SHARE = 0.4
"""Of requests with room for an adjective ("a funny poem"), and so of those with an audience."""

STYLE_SHARE = 0.12
"""Of requests for a text that are followed by a sentence on its tone or its voice."""

CONTEXT_SHARE = 0.25
"""Of requests for a text that begin with why it is asked for."""


class Kind(StrEnum):
    """How a text is laid out where no instruction says otherwise."""

    PROSE = "prose"
    ANSWER = "answer"
    LETTER = "letter"
    POST = "post"
    PLAN = "plan"
    SHORT = "short"
    DIALOGUE = "dialogue"
    VERSE = "verse"
    ITEMS = "items"
    YES_OR_NO = "yes or no"


_PARTS = frozenset({Ask.PARAGRAPHS, Ask.SECTIONS, Ask.NTH_PARAGRAPH})
_FORMS_TO_FILL = frozenset({Ask.PLACEHOLDERS})
_DATA = frozenset({Ask.JSON})
_CHOICE = frozenset({Ask.CONSTRAINED})
_POINTS = frozenset({Ask.BULLETS})

_UNFIT: dict[Kind, frozenset[Ask]] = {
    Kind.PROSE: _FORMS_TO_FILL | _DATA | _CHOICE,
    Kind.ANSWER: _FORMS_TO_FILL | _CHOICE,
    Kind.LETTER: _DATA | _CHOICE | {Ask.TWO_RESPONSES},
    Kind.POST: _CHOICE | {Ask.NTH_PARAGRAPH, Ask.SECTIONS},
    Kind.PLAN: _CHOICE | {Ask.NTH_PARAGRAPH, Ask.TWO_RESPONSES},
    Kind.SHORT: _CHOICE | _FORMS_TO_FILL | _PARTS | _POINTS,
    Kind.DIALOGUE: _CHOICE | _FORMS_TO_FILL | _DATA | _POINTS | _PARTS,
    Kind.VERSE: _CHOICE | _FORMS_TO_FILL | _DATA | _POINTS | {Ask.NTH_PARAGRAPH},
    Kind.ITEMS: _CHOICE | _FORMS_TO_FILL | _PARTS | {Ask.SENTENCES, Ask.TWO_RESPONSES},
    Kind.YES_OR_NO: _FORMS_TO_FILL | _DATA | _PARTS | {Ask.TWO_RESPONSES, Ask.SENTENCES},
}
"""Instructions that a kind of text would look odd with. A request for JSON goes with what is data,
one of three fixed replies with a question that they answer."""

_ENDS = re.compile(r"[.?!]")
_TEXTS = frozenset({Kind.PROSE, Kind.LETTER, Kind.POST, Kind.VERSE, Kind.DIALOGUE})
"""What is written in a tone, and for a purpose."""


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of text and how it is asked for; the slots of `requests`: `text/forms.toml`."""

    name: str
    kind: Kind
    takes: frozenset[Sort]
    requests: tuple[str, ...]
    share: int = 1

    @property
    def weight(self) -> float:
        """How often it is chosen among those that fit.

        Without its second part a form for one sort of topic, as a resume, would drown among those
        for all of them.
        """
        return self.share / len(self.takes)

    def requests_about(self, topic: Topic) -> tuple[str, ...]:
        """Those requests that the topic has the material for."""
        if topic.sort not in self.takes:
            return ()
        slots = _slots(topic)
        return tuple(r for r in self.requests if _names(r) <= slots.keys() | {"a", "for"})


@cache
def forms() -> tuple[Form, ...]:
    """Every form, in file order; two may have one name."""
    return tuple(
        Form(
            name=row["name"],
            kind=Kind(row["kind"]),
            takes=NOUNS if row["takes"] == ["any"] else frozenset(map(Sort, row["takes"])),
            requests=tuple(row["requests"]),
            share=row.get("share", 1),
        )
        for row in read_table("forms")["form"]
    )


def fits(kind: Kind, asks: Collection[Ask]) -> bool:
    """Whether a kind of text can follow each of `asks`, in one prompt or in several."""
    if Ask.LANGUAGE in asks:
        # What is short is within reach of a small model in another language.
        return kind in (Kind.SHORT, Kind.YES_OR_NO, Kind.ANSWER)
    return not _UNFIT[kind] & set(asks)


def allowed(kind: Kind) -> frozenset[Ask]:
    """The instructions that a kind of text can follow."""
    return frozenset(Ask) - _UNFIT[kind]


def word_task(form: Form, topic: Topic, rng: random.Random) -> str:
    """What is asked for, without an instruction: one of the form's requests about a topic."""
    request = rng.choice(form.requests_about(topic))
    slots = _slots(topic)
    if "passage" in slots:
        slots["passage"] = " ".join(rng.sample(topic.plain_facts, 4))
        slots["fact"] = rng.choice(topic.plain_facts)
    if "question" in slots:
        slots["question"] = rng.choice(topic.questions)
    adjective = rng.choice(phrases.ADJECTIVES) if rng.random() < ADJECTIVE_SHARE else ""
    audience = rng.choice(phrases.AUDIENCES) if rng.random() < ADJECTIVE_SHARE else ""
    noun = adjective or request.partition("{a} ")[2]
    article = "an" if noun[:1] in tuple("aeiou") else "a"
    task = request.format_map({**slots, "a": f"{article} {adjective}".rstrip(), "for": audience})
    toned = bool(adjective) and "{a}" in request
    task = task[0].upper() + task[1:]
    if form.kind not in _TEXTS or len(_ENDS.findall(request)) != 1 or "\n" in task:
        return task
    if not toned and rng.random() < STYLE_SHARE:
        task = f"{task} {rng.choice(phrases.STYLES)}"
    return f"{rng.choice(phrases.CONTEXTS)} {task}" if rng.random() < CONTEXT_SHARE else task


def _slots(topic: Topic) -> dict[str, str]:
    found = {"topic": topic.name, "keyword": topic.keyword}
    if topic.items_about:
        found["items"] = topic.items_about
    if topic.facts:
        found |= {"fact": "", "passage": ""}
    if topic.questions:
        found["question"] = ""
    return found


@cache
def _names(request: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in Formatter().parse(request) if name)
