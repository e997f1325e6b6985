"""Draws the arguments of an instruction: how many words, which keywords, which ending."""

import random

from autotune.synth import phrases
from autotune.synth.kinds import Ask, KwargValue, Rule
from autotune.synth.request import LANGUAGES
from autotune.synth.topics import Topic

AT_LEAST = "at least"
LESS_THAN = "less than"

_WORDS = (30, 40, 50, 60, 70, 80, 100, 120)
_SENTENCES = (3, 4, 5, 6, 7)
_SPLITTERS = ("Section", "Section", "SECTION", "Part", "PART")
_COMMON_LETTERS = "aeinorstlhd"
_RARE_LETTERS = "zqxjkvwbpgyfcm"


def draw_arguments(ask: Ask, topic: Topic, rng: random.Random) -> tuple[Rule, ...]:
    """The constraints that say `ask` exactly: one, or two where a bound has two sides.

    Of `Ask.REPEAT` the request itself is the argument, which is not known here.
    """
    if ask is Ask.CAPITAL_WORDS and rng.random() < 0.4:
        # The lower bound of one goes unsaid: the wording of the upper bound asks for some.
        return (
            _constraint(ask, capital_frequency=rng.randint(4, 14), capital_relation=LESS_THAN),
            _constraint(ask, capital_frequency=1, capital_relation=AT_LEAST),
        )
    return (_constraint(ask, **_arguments(ask, topic, rng)),)


def _constraint(ask: Ask, **kwargs: KwargValue) -> Rule:
    return Rule(instruction_id=ask.value, kwargs=kwargs)


def _arguments(ask: Ask, topic: Topic, rng: random.Random) -> dict[str, KwargValue]:
    relation = rng.choice((AT_LEAST, LESS_THAN))
    match ask:
        case Ask.EXISTENCE:
            words = [rng.choice(phrases.ODD_WORDS), *_some(topic.words, rng, 0, 2)]
            return {"keywords": rng.sample(words, len(words))}
        case Ask.FORBIDDEN:
            near = _some(topic.words, rng, 0, 1)
            return {"forbidden_words": [*near, *_some(phrases.COMMON_WORDS, rng, 1, 2)]}
        case Ask.FREQUENCY:
            bound = rng.randint(2, 4) if relation == AT_LEAST else rng.randint(3, 7)
            return {"keyword": topic.keyword, "frequency": bound, "relation": relation}
        case Ask.LETTER:
            return _letter(relation, rng)
        case Ask.LANGUAGE:
            return {"language": rng.choice(list(LANGUAGES))}
        case Ask.WORDS:
            return {"num_words": rng.choice(_WORDS), "relation": relation}
        case Ask.SENTENCES:
            return {"num_sentences": rng.choice(_SENTENCES), "relation": relation}
        case Ask.NTH_PARAGRAPH:
            paragraphs = rng.randint(2, 4)
            return {
                "num_paragraphs": paragraphs,
                "nth_paragraph": rng.randint(1, paragraphs),
                "first_word": rng.choice(phrases.FIRST_WORDS),
            }
        case Ask.SECTIONS:
            return {"section_spliter": rng.choice(_SPLITTERS), "num_sections": rng.randint(2, 4)}
        case Ask.POSTSCRIPT:
            return {"postscript_marker": rng.choice(("P.S.", "P.S.", "P.P.S"))}
        case Ask.ENDING:
            return {"end_phrase": rng.choice(phrases.ENDINGS)}
        case Ask.CAPITAL_WORDS:
            return {"capital_frequency": rng.randint(2, 5), "capital_relation": AT_LEAST}
        case Ask.PARAGRAPHS | Ask.PLACEHOLDERS | Ask.BULLETS | Ask.HIGHLIGHTS:
            return {_COUNTS[ask]: rng.randint(2, 4)}
        case _:
            return {}


_COUNTS = {
    Ask.PARAGRAPHS: "num_paragraphs",
    Ask.PLACEHOLDERS: "num_placeholders",
    Ask.BULLETS: "num_bullets",
    Ask.HIGHLIGHTS: "num_highlights",
}


def _some(words: tuple[str, ...], rng: random.Random, least: int, most: int) -> list[str]:
    return rng.sample(words, min(len(words), rng.randint(least, most)))


def _letter(relation: str, rng: random.Random) -> dict[str, KwargValue]:
    if relation == AT_LEAST:
        letter, bound = rng.choice((*_COMMON_LETTERS, "#", "!")), rng.randint(2, 12)
    else:
        # An upper bound of two would be worded as "at most 1 times".
        letter, bound = rng.choice(_RARE_LETTERS), rng.choice((1, 3, 4, 5, 6))
    return {"letter": letter, "let_frequency": bound, "let_relation": relation}
