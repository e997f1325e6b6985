"""Draws the parts of one answer: a form that suits the instructions, and what goes into it."""

import random
from collections.abc import Mapping
from dataclasses import replace

from autotune.democorpus import phrases
from autotune.democorpus.constraints import Ask
from autotune.democorpus.draft import Draft, Marks, Sentence, as_json, marked_words, unmarked
from autotune.democorpus.forms import FORMS, Form, Kind
from autotune.democorpus.topics import Topic, language_texts

Asks = tuple[Ask, ...]

_PROSE_ONLY = frozenset({Ask.PARAGRAPHS, Ask.SECTIONS, Ask.NTH_PARAGRAPH, Ask.TWO_RESPONSES})
_NEEDS_SENTENCES = frozenset({Ask.WORDS, Ask.SENTENCES, Ask.EXISTENCE})
_NEEDS_MARKS = frozenset({Ask.HIGHLIGHTS, Ask.CAPITAL_WORDS, Ask.FREQUENCY})


def choose_form(asks: Asks, rng: random.Random) -> Form:
    """A form whose kind can satisfy all of `asks`."""
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
    if _NEEDS_MARKS & set(asks):
        kinds -= {Kind.VERSE, Kind.ITEMS}
    # A reply to a question has to open the answer, which the layouts in parts do not keep.
    whole = not _PROSE_ONLY & set(asks)
    return rng.choice([f for f in FORMS if f.kind in kinds and (whole or f.name != "question")])


def choose_fields(topic: Topic, rng: random.Random) -> dict[str, str]:
    """What the placeholders of a form's texts stand for in one turn."""
    question, answer, reason = rng.choice(topic.yes_no)
    return {
        "topic": topic.name,
        "items": topic.items_about,
        "fact": unmarked(rng.choice(topic.facts)),
        "question": question,
        "reply": f"{answer.capitalize()}. {reason}",
    }


def choose_draft(
    topic: Topic, form: Form, asks: Asks, fields: Mapping[str, str], rng: random.Random
) -> Draft:
    """The parts of an answer about `topic`; how long it gets is decided later, by measuring."""
    layout = next((ask for ask in asks if ask in _LAID_OUT), None)
    draft = Draft(
        kind=form.kind,
        layout=layout,
        pool=_pool(topic, form, asks, fields, rng),
        parts=2 if Ask.TWO_RESPONSES in asks else rng.choice((2, 2, 3, 3, 4)),
        split=rng.random() < 0.4,
    )
    draft = _frame(draft, form, asks, fields, rng)
    draft = _lines(draft, topic, asks, rng)
    return _decorate(draft, topic, asks, rng)


_OPENS = {"story": 0.9, "diary": 0.9, "question": 1.0}
"""How often an answer of a form has an opening, where that is not the usual share."""

_LAID_OUT = frozenset(
    {Ask.BULLETS, Ask.PARAGRAPHS, Ask.SECTIONS, Ask.NTH_PARAGRAPH, Ask.TWO_RESPONSES}
)


def _pool(
    topic: Topic, form: Form, asks: Asks, fields: Mapping[str, str], rng: random.Random
) -> tuple[Sentence, ...]:
    """Facts and tips in order of preference, each with its place in the natural order."""
    first, second = (topic.tips, topic.facts) if form.tips else (topic.facts, topic.tips)
    if form.kind is Kind.DIALOGUE:
        second = ()
    said = fields["fact"] if form.name == "expansion" else ""
    quiet = bool({Ask.NO_COMMA, Ask.LOWERCASE, Ask.UPPERCASE} & set(asks))
    ranked: list[Sentence] = []
    for offset, group in ((0, first), (len(first), second)):
        rows = [
            Sentence(
                text,
                offset + i,
                ""
                if quiet or rng.random() < 0.75 or text in topic.tips
                else rng.choice(phrases.LEADS),
            )
            for i, text in enumerate(group)
            if (Ask.NO_COMMA not in asks or "," not in text) and unmarked(text) != said
        ]
        rng.shuffle(rows)
        ranked += rows
    if Ask.FREQUENCY in asks:
        ranked.sort(key=lambda s: topic.keyword not in s.text.lower())
    return tuple(ranked)


def _frame(
    draft: Draft, form: Form, asks: Asks, fields: Mapping[str, str], rng: random.Random
) -> Draft:
    """Opening, closing, greeting and sign-off, without commas where none are allowed."""
    comma = "" if Ask.NO_COMMA in asks else ","
    opening = closing = greeting = sign_off = ""
    if form.openings and rng.random() < _OPENS.get(form.name, 0.6):
        opening = rng.choice(form.openings).format(**fields)
    if form.closings and rng.random() < 0.4:
        closing = rng.choice(form.closings).format(**fields)
    if form.kind is Kind.LETTER:
        name = "[name]" if Ask.PLACEHOLDERS in asks else rng.choice(phrases.GREETING_NAMES)
        signed = "[your name]" if Ask.PLACEHOLDERS in asks else rng.choice(phrases.SIGNATURES)
        greeting = f"{rng.choice(phrases.GREETINGS)} {name}{comma}"
        sign_off = f"{rng.choice(phrases.SIGN_OFFS)}{comma}\n{signed}"
    if Ask.TWO_RESPONSES in asks or form.kind is Kind.ITEMS:
        closing = ""
    if Ask.TWO_RESPONSES in asks or Ask.SECTIONS in asks:
        opening = ""
    questions: tuple[str, ...] = ()
    if form.kind is Kind.DIALOGUE:
        later = rng.sample(phrases.STUDENT_LINES, 3)
        questions = (f"What can you tell me about {fields['topic']}?", *later)
    return replace(
        draft,
        opening=opening,
        closing=closing,
        greeting=greeting,
        sign_off=sign_off,
        questions=questions,
    )


def _lines(draft: Draft, topic: Topic, asks: Asks, rng: random.Random) -> Draft:
    """The layouts whose text does not come from the pool."""
    if Ask.JSON in asks:
        return replace(
            draft, lines=(as_json(_record(topic, draft.kind, rng), fenced=rng.random() < 0.25),)
        )
    if draft.kind is Kind.VERSE:
        return replace(draft, lines=topic.verse)
    if draft.kind is Kind.ITEMS:
        count = rng.randint(3, len(topic.items))
        items = tuple(i[0].upper() + i[1:] for i in rng.sample(topic.items, count))
        return replace(draft, lines=items, parts=count)
    return draft


def _record(topic: Topic, kind: Kind, rng: random.Random) -> dict[str, object]:
    """What a JSON answer holds."""
    facts = [unmarked(s) for s in rng.sample(topic.facts, rng.randint(1, 2))]
    tips = [unmarked(s) for s in rng.sample(topic.tips, rng.randint(1, 2))]
    if kind is Kind.ITEMS:
        items = rng.sample(topic.items, rng.randint(3, len(topic.items)))
        return {"list": topic.items_about, "items": items}
    question, answer, reason = rng.choice(topic.yes_no)
    records: tuple[dict[str, object], ...] = (
        {"topic": topic.name, "facts": facts},
        {"title": topic.title, "summary": facts[0], "tips": tips},
        {"subject": topic.name, "facts": facts, "tips": tips},
        {"question": question, "answer": answer, "reason": reason},
    )
    return rng.choice(records)


def _decorate(draft: Draft, topic: Topic, asks: Asks, rng: random.Random) -> Draft:
    """What single instructions add to any layout."""
    changes: dict[str, object] = {}
    extra: list[str] = []
    if Ask.BULLETS in asks and draft.kind is not Kind.ITEMS:
        changes["parts"] = rng.randint(2, 5)
    if Ask.EXISTENCE in asks and Ask.JSON not in asks and rng.random() < 0.6:
        extra += [sentence for _, sentence in rng.sample(phrases.ODD_WORDS, rng.randint(1, 2))]
    if Ask.PLACEHOLDERS in asks:
        extra += [s for _, s in rng.sample(phrases.PLACEHOLDER_LINES, rng.randint(1, 3))]
    if Ask.TITLE in asks:
        changes["title"] = rng.choice(phrases.TITLES).format(title=topic.title)
    if Ask.POSTSCRIPT in asks:
        marker = rng.choice(("P.S.", "P.S.", "P.P.S."))
        line = rng.choice(phrases.POSTSCRIPTS).format(topic=topic.name)
        changes["postscript"] = f"{marker} {line}"
    if Ask.ENDING in asks:
        changes["ending"] = rng.choice(phrases.ENDINGS)
        changes["closing"] = ""
    if Ask.NTH_PARAGRAPH in asks:
        nth = rng.randint(1, draft.parts)
        line = rng.choice(phrases.FIRST_WORDS)[1].format(topic=topic.name)
        changes["first_words"] = ((nth, line),)
    if Ask.SECTIONS in asks:
        choices = ("SECTION", "PART") if Ask.UPPERCASE in asks else _SPLITTERS
        changes["splitter"] = rng.choice(choices)
    if draft.kind is Kind.POST and (Ask.LETTER in asks or rng.random() < 0.3):
        tag = "".join(word.capitalize() for word in topic.title.split())
        changes["hashtags"] = f"#{tag} #LearnSomethingNew #{topic.keyword.capitalize()}"
    if Ask.HIGHLIGHTS in asks:
        changes |= {"marks": Marks.HIGHLIGHT, "marked": rng.randint(2, 4)}
    if Ask.CAPITAL_WORDS in asks:
        changes |= {"marks": Marks.CAPITALS, "marked": rng.randint(1, 3)}
    if Ask.UPPERCASE in asks:
        changes["case"] = str.upper
    if Ask.LOWERCASE in asks:
        changes["case"] = str.lower
    changes |= {"quoted": Ask.QUOTATION in asks, "extra": tuple(extra)}
    return replace(draft, **changes)  # type: ignore[arg-type]


_SPLITTERS = ("Section", "Section", "SECTION", "Part", "PART")


def language_answer(asks: Asks, rng: random.Random) -> tuple[str, str, str, str]:
    """Subject, language code, language name and answer of a request in another language."""
    text = rng.choice(language_texts())
    sentences = text.sentences[: rng.randint(2, len(text.sentences))]
    answer = " ".join(sentences)
    return text.about, text.language, text.name, f'"{answer}"' if Ask.QUOTATION in asks else answer


def content_words(topic: Topic, text: str) -> list[str]:
    """Words of the topic's marked phrases that stand in `text`, each once, in a fixed order."""
    low = text.lower()
    words = dict.fromkeys(w for s in (*topic.facts, *topic.tips) for w in marked_words(s))
    return [word for word in words if word in low and word not in (*_PLAIN_WORDS, topic.keyword)]


_PLAIN = """
    when that this with from they them your more some each have into only very much than then where
    what once both make makes used also instead before after away their were every same long most
    many other under over still
"""
_PLAIN_WORDS = frozenset(_PLAIN.split())
"""Words of marked phrases that would make odd keywords."""
