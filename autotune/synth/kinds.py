"""Which instructions exist, how often each is asked for, and which go together in one request."""

import random
from enum import StrEnum

from autotune.base.model import Boundary

KwargValue = int | str | list[str]
"""A value of an instruction's arguments, as in the public IFEval files."""


class Ask(StrEnum):
    """The instruction ids of IFEval."""

    EXISTENCE = "keywords:existence"
    FREQUENCY = "keywords:frequency"
    FORBIDDEN = "keywords:forbidden_words"
    LETTER = "keywords:letter_frequency"
    LANGUAGE = "language:response_language"
    SENTENCES = "length_constraints:number_sentences"
    PARAGRAPHS = "length_constraints:number_paragraphs"
    WORDS = "length_constraints:number_words"
    NTH_PARAGRAPH = "length_constraints:nth_paragraph_first_word"
    PLACEHOLDERS = "detectable_content:number_placeholders"
    POSTSCRIPT = "detectable_content:postscript"
    BULLETS = "detectable_format:number_bullet_lists"
    CONSTRAINED = "detectable_format:constrained_response"
    HIGHLIGHTS = "detectable_format:number_highlighted_sections"
    SECTIONS = "detectable_format:multiple_sections"
    JSON = "detectable_format:json_format"
    TITLE = "detectable_format:title"
    TWO_RESPONSES = "combination:two_responses"
    REPEAT = "combination:repeat_prompt"
    ENDING = "startend:end_checker"
    QUOTATION = "startend:quotation"
    CAPITAL_WORDS = "change_case:capital_word_frequency"
    UPPERCASE = "change_case:english_capital"
    LOWERCASE = "change_case:english_lowercase"
    NO_COMMA = "punctuation:no_comma"


class Rule(Boundary):
    """One verifiable instruction: its IFEval id and its arguments, without unused keys."""

    instruction_id: str
    kwargs: dict[str, KwargValue]


WEIGHTS: dict[Ask, int] = {
    Ask.NO_COMMA: 7,
    Ask.SENTENCES: 7,
    Ask.WORDS: 7,
    Ask.HIGHLIGHTS: 6,
    Ask.FORBIDDEN: 6,
    Ask.FREQUENCY: 6,
    Ask.LOWERCASE: 6,
    Ask.BULLETS: 6,
    Ask.QUOTATION: 5,
    Ask.EXISTENCE: 5,
    Ask.TITLE: 5,
    Ask.LETTER: 4,
    Ask.PLACEHOLDERS: 4,
    Ask.PARAGRAPHS: 4,
    Ask.POSTSCRIPT: 4,
    Ask.ENDING: 4,
    Ask.UPPERCASE: 4,
    Ask.CAPITAL_WORDS: 4,
    Ask.TWO_RESPONSES: 3,
    Ask.JSON: 3,
    Ask.SECTIONS: 3,
    Ask.NTH_PARAGRAPH: 3,
    Ask.CONSTRAINED: 3,
    Ask.REPEAT: 2,
    Ask.LANGUAGE: 2,
}
"""How often an instruction leads a request. Close to its share in public instruction-following
prompts; repeating the request is kept rare so that a small model does not learn to echo."""

PUBLIC_COUNTS: dict[Ask, int] = {
    Ask.NO_COMMA: 66,
    Ask.WORDS: 50,
    Ask.FORBIDDEN: 49,
    Ask.HIGHLIGHTS: 48,
    Ask.SENTENCES: 46,
    Ask.REPEAT: 41,
    Ask.QUOTATION: 40,
    Ask.LOWERCASE: 39,
    Ask.EXISTENCE: 39,
    Ask.FREQUENCY: 39,
    Ask.TITLE: 37,
    Ask.LETTER: 33,
    Ask.BULLETS: 31,
    Ask.LANGUAGE: 31,
    Ask.PLACEHOLDERS: 27,
    Ask.PARAGRAPHS: 27,
    Ask.POSTSCRIPT: 26,
    Ask.ENDING: 26,
    Ask.UPPERCASE: 25,
    Ask.TWO_RESPONSES: 24,
    Ask.CAPITAL_WORDS: 20,
    Ask.JSON: 17,
    Ask.SECTIONS: 14,
    Ask.NTH_PARAGRAPH: 12,
    Ask.CONSTRAINED: 10,
}
"""How many of the 541 public IFEval prompts ask for each kind, counted in that set."""

LAYOUTS = frozenset(
    {
        Ask.BULLETS,
        Ask.PARAGRAPHS,
        Ask.SECTIONS,
        Ask.NTH_PARAGRAPH,
        Ask.JSON,
        Ask.TWO_RESPONSES,
        Ask.CONSTRAINED,
        Ask.LANGUAGE,
    }
)
"""Each of these decides the shape of the whole answer, so at most one is asked for."""

_CLOSED: dict[Ask, frozenset[Ask]] = {
    Ask.JSON: frozenset({Ask.FORBIDDEN, Ask.EXISTENCE}),
    Ask.TWO_RESPONSES: frozenset({Ask.FORBIDDEN, Ask.EXISTENCE, Ask.NO_COMMA, Ask.LOWERCASE}),
    Ask.CONSTRAINED: frozenset(),
    Ask.LANGUAGE: frozenset({Ask.NO_COMMA, Ask.QUOTATION}),
    Ask.REPEAT: frozenset({Ask.EXISTENCE, Ask.TITLE, Ask.BULLETS}),
}
"""These go with the named instructions only."""

_GROUPS: tuple[frozenset[Ask], ...] = (
    LAYOUTS,
    frozenset({Ask.UPPERCASE, Ask.LOWERCASE, Ask.CAPITAL_WORDS}),
    frozenset({Ask.HIGHLIGHTS, Ask.CAPITAL_WORDS}),
    frozenset({Ask.SENTENCES, Ask.WORDS}),
    frozenset({Ask.ENDING, Ask.POSTSCRIPT}),
    frozenset({Ask.TITLE, Ask.QUOTATION}),
    *(
        frozenset({Ask.SENTENCES, other})
        for other in (Ask.BULLETS, Ask.SECTIONS, Ask.PARAGRAPHS, Ask.NTH_PARAGRAPH)
    ),
    *(
        frozenset({Ask.NTH_PARAGRAPH, other})
        for other in (Ask.TITLE, Ask.POSTSCRIPT, Ask.PLACEHOLDERS)
    ),
    *(frozenset({Ask.PLACEHOLDERS, other}) for other in (Ask.SECTIONS, Ask.PARAGRAPHS)),
    frozenset({Ask.SECTIONS, Ask.LOWERCASE}),
)
"""At most one instruction of each group is asked for."""


def compatible(first: Ask, second: Ask) -> bool:
    """Whether two instructions can stand in one request."""
    if first is second:
        return False
    for one, other in ((first, second), (second, first)):
        if one in _CLOSED and other not in _CLOSED[one]:
            return False
    return not any(first in group and second in group for group in _GROUPS)


def shuffled_asks(rng: random.Random) -> list[Ask]:
    """Every instruction as often as its weight says, shuffled: any stretch is a fair sample."""
    cards = [ask for ask, weight in WEIGHTS.items() for _ in range(weight)]
    rng.shuffle(cards)
    return cards


def choose_asks(lead: Ask, rng: random.Random) -> tuple[Ask, ...]:
    """The lead and up to two more that go with it: about 55 % alone, 33 % two, 12 % three."""
    asks = [lead]
    wanted = rng.choices((1, 2, 3), weights=(55, 33, 12))[0]
    while len(asks) < wanted:
        # Another layout would decide too much of the answer: a lead that has one is enough.
        rest = [a for a in WEIGHTS if all(compatible(a, b) for b in asks) and a not in _CLOSED]
        if not rest:
            break
        asks.append(rng.choices(rest, weights=[WEIGHTS[a] for a in rest])[0])
    return tuple(asks)
