"""Which kinds of instruction exist, how often each leads a prompt, which go together in one."""

import random
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from autotune.score.ifeval.arguments import Argument


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


@dataclass(frozen=True, slots=True)
class Rule:
    """One verifiable instruction: its kind, and its arguments as `read_arguments` gives them."""

    ask: Ask
    kwargs: dict[str, Argument]

    @property
    def relation(self) -> str | None:
        """`at least` or `less than`; None of a kind that takes none."""
        names = ("relation", "let_relation", "capital_relation")
        return next((str(self.kwargs[name]) for name in names if name in self.kwargs), None)

    @property
    def number(self) -> int:
        """How many it asks for; 0 where it counts nothing."""
        for name, value in self.kwargs.items():
            if isinstance(value, int) and name != "nth_paragraph":
                return value
        return 0


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

WEIGHTS: dict[Ask, int] = {
    **PUBLIC_COUNTS,
    # So rare in the public set that some practice would hold none.
    Ask.SECTIONS: 20,
    Ask.JSON: 24,
    Ask.NTH_PARAGRAPH: 20,
    Ask.CONSTRAINED: 16,
    # They go with fewer kinds and forms than others: without more weight they would be rarer.
    Ask.REPEAT: 64,
    Ask.TWO_RESPONSES: 34,
    Ask.SENTENCES: 64,
    Ask.PLACEHOLDERS: 36,
    Ask.CAPITAL_WORDS: 32,
    # They go with nearly all.
    Ask.NO_COMMA: 54,
    Ask.EXISTENCE: 32,
    Ask.TITLE: 32,
    # Each is a whole task, of which every variant asks for the language.
    Ask.LANGUAGE: 14,
}
"""How often a kind is drawn, as lead or beside one: its count in the public set, but for those
that the rules of composing make too rare or too frequent."""

LANGUAGE_PARTNERS = frozenset(
    {
        Ask.NO_COMMA,
        Ask.QUOTATION,
        Ask.TITLE,
        Ask.TWO_RESPONSES,
        Ask.HIGHLIGHTS,
        Ask.PARAGRAPHS,
        Ask.POSTSCRIPT,
    }
)
"""What can be asked of a text in any language."""

_CLOSED: dict[Ask, frozenset[Ask]] = {
    Ask.JSON: frozenset({Ask.FORBIDDEN, Ask.EXISTENCE}),
    Ask.TWO_RESPONSES: frozenset(
        {
            Ask.FORBIDDEN,
            Ask.EXISTENCE,
            Ask.NO_COMMA,
            Ask.LOWERCASE,
            Ask.TITLE,
            Ask.WORDS,
            Ask.LETTER,
            Ask.LANGUAGE,
        }
    ),
    Ask.CONSTRAINED: frozenset(),
    Ask.LANGUAGE: LANGUAGE_PARTNERS,
    Ask.REPEAT: frozenset({Ask.NO_COMMA, Ask.TITLE, Ask.EXISTENCE, Ask.FREQUENCY}),
}
"""These go with the named kinds only, close to what the public prompts combine."""

_LAYOUTS = frozenset({Ask.BULLETS, Ask.PARAGRAPHS, Ask.SECTIONS, Ask.NTH_PARAGRAPH})

_GROUPS: tuple[frozenset[Ask], ...] = (
    _LAYOUTS,
    frozenset({Ask.UPPERCASE, Ask.LOWERCASE, Ask.CAPITAL_WORDS}),
    frozenset({Ask.HIGHLIGHTS, Ask.CAPITAL_WORDS}),
    frozenset({Ask.SENTENCES, Ask.WORDS}),
    frozenset({Ask.ENDING, Ask.POSTSCRIPT}),
    frozenset({Ask.TITLE, Ask.QUOTATION}),
    *(frozenset({Ask.SENTENCES, layout}) for layout in _LAYOUTS),
    *(
        frozenset({Ask.NTH_PARAGRAPH, other})
        for other in (Ask.TITLE, Ask.POSTSCRIPT, Ask.PLACEHOLDERS)
    ),
    *(frozenset({Ask.PLACEHOLDERS, other}) for other in (Ask.SECTIONS, Ask.PARAGRAPHS)),
    frozenset({Ask.SECTIONS, Ask.LOWERCASE}),
)
"""At most one kind of each group is asked for: two decide the same thing."""

RESHAPES = frozenset(
    {
        Ask.UPPERCASE,
        Ask.LOWERCASE,
        Ask.JSON,
        Ask.CONSTRAINED,
        Ask.REPEAT,
        Ask.TWO_RESPONSES,
        Ask.QUOTATION,
        Ask.NTH_PARAGRAPH,
    }
)
"""Put the whole text into a form that other variants of its task do not ask for."""

ONE_TWO_OR_THREE = (305, 179, 57)
"""How many of the public prompts ask for one, two and three instructions."""


def compatible(first: Ask, second: Ask) -> bool:
    """Whether two kinds can stand in one prompt."""
    if first is second:
        return False
    for one, other in ((first, second), (second, first)):
        if one in _CLOSED and other not in _CLOSED[one]:
            return False
    return not any(first in group and second in group for group in _GROUPS)


def with_partners(
    asks: tuple[Ask, ...], allowed: Collection[Ask], rng: random.Random
) -> tuple[Ask, ...]:
    """`asks`, which begin with the lead, and what makes them one to three: all go together.

    `allowed` are the kinds that may be added, in any order.
    """
    wanted = rng.choices((1, 2, 3), weights=ONE_TWO_OR_THREE)[0]
    while len(asks) < wanted:
        # What goes with few kinds leads or stays away: beside another it would be there too often.
        rest = [
            each
            for each in WEIGHTS
            if each in allowed
            and (each not in _CLOSED)
            and all(compatible(each, other) for other in asks)
        ]
        if not rest:
            break
        asks = (*asks, rng.choices(rest, weights=[WEIGHTS[each] for each in rest])[0])
    return asks
