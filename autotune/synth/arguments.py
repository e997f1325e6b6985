"""Draws the arguments of an instruction: how many words, which keywords, which ending.

Ranges and their weights are near those of the public prompts, cut off where a small model cannot
follow any more: 300 words are asked for, 1 200 are not.
"""

import random

from autotune.score.ifeval.arguments import Argument
from autotune.synth import phrases
from autotune.synth.forms import Form, Kind
from autotune.synth.kinds import Ask, Rule
from autotune.synth.topics import Topic

AT_LEAST = "at least"
LESS_THAN = "less than"

LANGUAGES = {
    **{"es": "Spanish", "fr": "French", "de": "German", "it": "Italian", "pt": "Portuguese"},
    **{"hi": "Hindi", "ru": "Russian", "vi": "Vietnamese", "sw": "Swahili", "ar": "Arabic"},
}
"""ISO 639-1 codes of languages that are asked for, and their names; a small model has seen the
first five most."""

_FAMILIAR = 5
_FAMILIAR_SHARE = 0.75

_AT_LEAST_SHARE: dict[Ask, float] = {
    Ask.FREQUENCY: 0.74,
    Ask.LETTER: 0.67,
    Ask.WORDS: 0.65,
    Ask.SENTENCES: 0.46,
    Ask.CAPITAL_WORDS: 0.72,
}
"""How often the bound is a lower one, as in the public prompts."""

_NUMBERS: dict[Ask, tuple[int, ...]] = {
    Ask.PARAGRAPHS: (2, 2, 3, 3, 3, 4, 4, 5, 5, 6),
    Ask.SECTIONS: (2, 2, 3, 3, 4, 4, 5),
    Ask.PLACEHOLDERS: (1, 1, 2, 3, 3, 3, 4, 5, 6, 8),
    Ask.BULLETS: (2, 2, 3, 3, 3, 3, 4, 4, 5, 6, 8, 10),
    Ask.HIGHLIGHTS: (1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 5, 6, 8),
}
_NUMBER_NAMES: dict[Ask, str] = {
    Ask.PARAGRAPHS: "num_paragraphs",
    Ask.PLACEHOLDERS: "num_placeholders",
    Ask.BULLETS: "num_bullets",
    Ask.HIGHLIGHTS: "num_highlights",
}
_BOUNDS: dict[tuple[Ask, str], tuple[int, ...]] = {
    (Ask.WORDS, AT_LEAST): (50, 80, 100, 100, 120, 150, 150, 200, 200, 200, 250, 300, 300, 300),
    (Ask.WORDS, LESS_THAN): (40, 50, 50, 60, 80, 100, 100, 120, 150, 200, 250, 300),
    (Ask.SENTENCES, AT_LEAST): (3, 4, 5, 5, 6, 7, 8, 10, 10, 12, 15, 20),
    (Ask.SENTENCES, LESS_THAN): (4, 5, 5, 6, 6, 7, 8, 10, 10, 12, 15, 20),
    (Ask.FREQUENCY, AT_LEAST): (1, 2, 2, 2, 2, 2, 3, 3, 4, 5, 6, 8),
    (Ask.FREQUENCY, LESS_THAN): (2, 2, 3, 3, 4, 5, 6),
    (Ask.CAPITAL_WORDS, AT_LEAST): (1, 1, 2, 3, 3, 4, 5, 5, 8, 10, 15),
    (Ask.CAPITAL_WORDS, LESS_THAN): (3, 4, 5, 10, 10, 15, 20),
}
_SPLITTERS = ("SECTION", "SECTION", "SECTION", "Section", "Section", "PARAGRAPH", "Part", "PART")
_MARKERS = ("P.S.", "P.S.", "P.P.S")
_COMMON_LETTERS = "aeinorstlhdcmupg"
_RARE_LETTERS = "qjzxkvwbyf"
_SYMBOLS = "#!"


def draw_rule(ask: Ask, form: Form, topic: Topic, rng: random.Random) -> Rule:
    """The instruction with arguments for a text of `form` about `topic`.

    Of `Ask.REPEAT` the request itself is the argument, which is not known here.
    """
    return Rule(ask=ask, kwargs=_arguments(ask, form, topic, rng))


def _arguments(ask: Ask, form: Form, topic: Topic, rng: random.Random) -> dict[str, Argument]:
    lower = form.kind is not Kind.SHORT and rng.random() < _AT_LEAST_SHARE.get(ask, 0)
    relation = AT_LEAST if lower else LESS_THAN
    match ask:
        case Ask.EXISTENCE:
            odd = (rng.choice(phrases.ODD_WORDS),) if rng.random() < 0.3 else ()
            words = (*_some(topic.words, rng, 1, 4 - 2 * len(odd)), *odd)
            return {"keywords": tuple(rng.sample(words, len(words)))}
        case Ask.FORBIDDEN:
            near = _some(topic.words, rng, 0, 2)
            words = (*near, *_some(phrases.COMMON_WORDS, rng, 0 if near else 1, 2))
            return {"forbidden_words": tuple(dict.fromkeys(words))}
        case Ask.FREQUENCY:
            bound = _bound(ask, relation, form, rng)
            return {"keyword": topic.keyword, "frequency": bound, "relation": relation}
        case Ask.LETTER:
            return _letter(relation, form, rng)
        case Ask.LANGUAGE:
            codes = list(LANGUAGES)
            familiar = rng.random() < _FAMILIAR_SHARE
            return {"language": rng.choice(codes[:_FAMILIAR] if familiar else codes[_FAMILIAR:])}
        case Ask.WORDS:
            return {"num_words": _bound(ask, relation, form, rng), "relation": relation}
        case Ask.SENTENCES:
            return {"num_sentences": _bound(ask, relation, form, rng), "relation": relation}
        case Ask.NTH_PARAGRAPH:
            paragraphs = rng.choice((2, 2, 3, 3, 3, 4, 4, 4, 5, 6))
            nth = 1 if rng.random() < 0.5 else rng.randint(1, paragraphs)
            word = rng.choice((*phrases.FIRST_WORDS, *topic.words))
            return {"num_paragraphs": paragraphs, "nth_paragraph": nth, "first_word": word}
        case Ask.SECTIONS:
            days = form.name == "itinerary" and rng.random() < 0.5
            splitter = "Day" if days else rng.choice(_SPLITTERS)
            return {"section_spliter": splitter, "num_sections": rng.choice(_NUMBERS[ask])}
        case Ask.POSTSCRIPT:
            return {"postscript_marker": rng.choice(_MARKERS)}
        case Ask.ENDING:
            return {"end_phrase": rng.choice(phrases.ENDINGS)}
        case Ask.CAPITAL_WORDS:
            bound = _bound(ask, relation, form, rng)
            return {"capital_frequency": bound, "capital_relation": relation}
        case Ask.PARAGRAPHS | Ask.PLACEHOLDERS | Ask.BULLETS | Ask.HIGHLIGHTS:
            return {_NUMBER_NAMES[ask]: rng.choice(_NUMBERS[ask])}
        case _:
            return {}


def _bound(ask: Ask, relation: str, form: Form, rng: random.Random) -> int:
    bounds = _BOUNDS[ask, relation]
    # Most upper bounds say nothing to a joke or a haiku; they are in order.
    return rng.choice(bounds[: len(bounds) // 2] if form.kind is Kind.SHORT else bounds)


def _some(words: tuple[str, ...], rng: random.Random, least: int, most: int) -> list[str]:
    return rng.sample(words, min(len(words), rng.randint(least, most)))


def _letter(relation: str, form: Form, rng: random.Random) -> dict[str, Argument]:
    if relation == LESS_THAN:
        letter, bound = rng.choice(_RARE_LETTERS), rng.choice((1, 1, 2, 3, 4, 5, 6))
    elif form.kind is Kind.POST and rng.random() < 0.4:
        letter, bound = rng.choice(_SYMBOLS), rng.randint(2, 5)
    elif rng.random() < 0.35:
        letter, bound = rng.choice(_RARE_LETTERS), rng.randint(1, 5)
    else:
        letter, bound = rng.choice(_COMMON_LETTERS), rng.choice((2, 4, 5, 6, 8, 10, 15, 20, 30))
    return {"letter": letter, "let_frequency": bound, "let_relation": relation}
