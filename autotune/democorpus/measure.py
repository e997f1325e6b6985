"""Turns asked-for instructions into exact ones by measuring a finished text."""

import random
import re

from autotune.democorpus import phrases
from autotune.democorpus.check import count_capital_words
from autotune.democorpus.choose import content_words
from autotune.democorpus.constraints import Ask
from autotune.democorpus.conversation import DemoConstraint, KwargValue
from autotune.democorpus.draft import Draft, marked_words
from autotune.democorpus.topics import Topic

Relation = str
AT_LEAST: Relation = "at least"
LESS_THAN: Relation = "less than"


def constraint(ask: Ask, **kwargs: KwargValue) -> DemoConstraint:
    """A constraint of one instruction id."""
    return DemoConstraint(instruction_id=ask.value, kwargs=kwargs)


def measured(
    ask: Ask, topic: Topic, draft: Draft, text: str, rng: random.Random
) -> list[DemoConstraint] | None:
    """The exact constraints that `text` satisfies for `ask`, None where it offers nothing fair.

    Word and sentence bounds are not measured here: they are chosen first and met by length.
    """
    if ask is Ask.EXISTENCE:
        return _existence(topic, draft, text, rng)
    if ask is Ask.FORBIDDEN:
        return _forbidden(topic, text, rng)
    if ask is Ask.FREQUENCY:
        return _frequency(topic, text, rng)
    if ask is Ask.LETTER:
        return _letter(draft, text, rng)
    if ask is Ask.CAPITAL_WORDS:
        return _capital_words(text, rng)
    if ask is Ask.PLACEHOLDERS:
        count = len(re.findall(r"\[[^\]]+\]", text))
        return [constraint(ask, num_placeholders=max(2, count - rng.randint(0, 1)))]
    if ask is Ask.HIGHLIGHTS:
        return [constraint(ask, num_highlights=draft.marked)] if draft.marked > 1 else None
    return _by_layout(ask, draft, text)


def _by_layout(ask: Ask, draft: Draft, text: str) -> list[DemoConstraint]:
    kwargs: dict[str, KwargValue] = {}
    if ask is Ask.BULLETS:
        kwargs = {"num_bullets": draft.parts}
    elif ask is Ask.PARAGRAPHS:
        kwargs = {"num_paragraphs": draft.parts}
    elif ask is Ask.SECTIONS:
        kwargs = {"section_spliter": draft.splitter, "num_sections": draft.parts}
    elif ask is Ask.NTH_PARAGRAPH:
        nth, line = draft.first_words[0]
        word = line.split()[0].lower()
        kwargs = {"num_paragraphs": draft.parts, "nth_paragraph": nth, "first_word": word}
    elif ask is Ask.POSTSCRIPT:
        marker = "P.P.S" if draft.postscript.startswith("P.P.S") else "P.S."
        kwargs = {"postscript_marker": marker}
    elif ask is Ask.ENDING:
        kwargs = {"end_phrase": draft.ending}
    return [DemoConstraint(instruction_id=ask.value, kwargs=kwargs)]


def _existence(
    topic: Topic, draft: Draft, text: str, rng: random.Random
) -> list[DemoConstraint] | None:
    odd = [word for word, sentence in phrases.ODD_WORDS if sentence in draft.extra]
    own = content_words(topic, text)
    wanted = rng.randint(0 if odd else 1, 2)
    words = odd + rng.sample(own, min(wanted, len(own)))
    rng.shuffle(words)
    return [constraint(Ask.EXISTENCE, keywords=words)] if words else None


def _forbidden(topic: Topic, text: str, rng: random.Random) -> list[DemoConstraint] | None:
    near = [w for s in (*topic.facts, *topic.tips) for w in marked_words(s)]
    rng.shuffle(near)
    common = list(phrases.COMMON_WORDS)
    rng.shuffle(common)
    absent = [
        word
        for word in dict.fromkeys([*near[:3], *common[:4]])
        if not re.search(rf"\b{word}\b", text, re.IGNORECASE)
    ]
    if not absent:
        return None
    words = rng.sample(absent, min(len(absent), rng.randint(1, 3)))
    return [constraint(Ask.FORBIDDEN, forbidden_words=words)]


def _frequency(topic: Topic, text: str, rng: random.Random) -> list[DemoConstraint] | None:
    # Whole words are asked for, so whole words are counted; the scorer also counts parts.
    whole = len(re.findall(rf"\b{topic.keyword}\b", text, re.IGNORECASE))
    parts = text.lower().count(topic.keyword)
    if rng.random() < 0.25:
        bound = max(3, parts + rng.randint(1, 2))
        relation = LESS_THAN
    else:
        bound, relation = min(whole, rng.randint(2, 4)), AT_LEAST
    if bound < 2:
        return None
    return [constraint(Ask.FREQUENCY, keyword=topic.keyword, frequency=bound, relation=relation)]


def _letter(draft: Draft, text: str, rng: random.Random) -> list[DemoConstraint] | None:
    low = text.lower()
    if draft.hashtags and rng.random() < 0.7:
        letter, count = rng.choice((("#", low.count("#")), ("!", low.count("!"))))
        relation, bound = AT_LEAST, count
    elif rng.random() < 0.6:
        letter = rng.choice("aeinorstlhd")
        relation, bound = AT_LEAST, int(low.count(letter) * rng.uniform(0.4, 0.9))
    else:
        letter = rng.choice("zqxjkvwbpgyfcm")
        relation, bound = LESS_THAN, low.count(letter) + rng.randint(1, 3)
    if bound < (2 if relation == AT_LEAST else 1):
        return None
    # "at most once" reads badly in the templates, so an upper bound of two becomes three.
    bound = 3 if relation == LESS_THAN and bound == 2 else bound
    return [constraint(Ask.LETTER, letter=letter, let_frequency=bound, let_relation=relation)]


def _capital_words(text: str, rng: random.Random) -> list[DemoConstraint] | None:
    count = count_capital_words(text)
    if count < 2:
        return None
    if rng.random() < 0.6:
        bound = max(2, count - rng.randint(0, 2))
        return [constraint(Ask.CAPITAL_WORDS, capital_frequency=bound, capital_relation=AT_LEAST)]
    # The lower bound of one goes unsaid: the wording of the upper bound asks for some.
    bound = count + rng.randint(1, 4)
    return [
        constraint(Ask.CAPITAL_WORDS, capital_frequency=bound, capital_relation=LESS_THAN),
        constraint(Ask.CAPITAL_WORDS, capital_frequency=1, capital_relation=AT_LEAST),
    ]
