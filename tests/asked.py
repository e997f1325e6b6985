"""Prompts of every kind of instruction, and texts made to break their checkers; both seeded."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

from autotune.score.ifeval.instructions import read_arguments
from autotune.score.ifeval.prompts import IFEvalPrompt
from autotune.score.ifeval.scorer import MAX_CHARACTERS

ARGUMENTS: dict[str, tuple[dict[str, Any], ...]] = {
    "change_case:capital_word_frequency": (
        {"capital_frequency": 2, "capital_relation": "at least"},
        {"capital_frequency": 2, "capital_relation": "less than"},
    ),
    "change_case:english_capital": ({},),
    "change_case:english_lowercase": ({},),
    "combination:repeat_prompt": (
        {"prompt_to_repeat": "Name a sea."},
        {"prompt_to_repeat": "ΟΔΟΣ ΑΣ"},
    ),
    "combination:two_responses": ({},),
    "detectable_content:number_placeholders": ({"num_placeholders": 2},),
    "detectable_content:postscript": (
        {"postscript_marker": "P.S."},
        {"postscript_marker": "P.P.S"},
        {"postscript_marker": "ΑΣ"},
    ),
    "detectable_format:constrained_response": ({},),
    "detectable_format:json_format": ({},),
    "detectable_format:multiple_sections": ({"section_spliter": "Section", "num_sections": 2},),
    "detectable_format:number_bullet_lists": ({"num_bullets": 2},),
    "detectable_format:number_highlighted_sections": ({"num_highlights": 2},),
    "detectable_format:title": ({},),
    "keywords:existence": ({"keywords": ["sea", "C++"]},),
    "keywords:forbidden_words": ({"forbidden_words": ["sea"]}, {"forbidden_words": ["C++", "a"]}),
    "keywords:frequency": (
        {"keyword": "sea", "frequency": 2, "relation": "at least"},
        {"keyword": "sea", "frequency": 2, "relation": "less than"},
    ),
    "keywords:letter_frequency": (
        {"letter": "a", "let_frequency": 4, "let_relation": "less than"},
        {"letter": "#", "let_frequency": 2, "let_relation": "at least"},
        {"letter": "Σ", "let_frequency": 2, "let_relation": "at least"},
        {"letter": "ς", "let_frequency": 1, "let_relation": "less than"},
    ),
    "language:response_language": ({"language": "de"},),
    "length_constraints:nth_paragraph_first_word": (
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Sea"},
        {"num_paragraphs": 3, "nth_paragraph": 1, "first_word": "name"},
    ),
    "length_constraints:number_paragraphs": ({"num_paragraphs": 2},),
    "length_constraints:number_sentences": (
        {"num_sentences": 3, "relation": "less than"},
        {"num_sentences": 2, "relation": "at least"},
    ),
    "length_constraints:number_words": (
        {"num_words": 5, "relation": "less than"},
        {"num_words": 5, "relation": "at least"},
    ),
    "punctuation:no_comma": ({},),
    "startend:end_checker": ({"end_phrase": "The end."},),
    "startend:quotation": ({},),
}
"""Instruction id -> small arguments for it, so that short texts go either way."""

PIECES: tuple[str, ...] = (
    *(
        "\n",
        "\n\n",
        " ",
        "  ",
        "\t",
        "\r\n",
        "\u00a0",
        "\u2028",
        "\u3000",
        "\x00",
        "\ufeff",
        "\ufffd",
    ),
    *("*", "**", "***", "******", "-", "--", "- a\n", "* a\n", "*a*", "#", "`", "```", "```json"),
    *("[", "]", "[a]", "{", "}", "(", ")", "<", "<<", ">>", "<<Sea>>", '"', "'", "''", "``", "\\"),
    *(
        ".",
        "...",
        ". . .",
        "!",
        "?",
        "?!",
        ",",
        ":",
        ";",
        "–",
        "€",
        "$",
        "%",
        "@",
        "1",
        "9,9",
        "1.\n",
    ),
    *("a", "A", "sea", "Sea", "seas", "SEA", "C++", "Name a sea.", "name", "I. ", "Dr. ", "e.g. "),
    *("It goes. ", "So it is! ", 'He said "No." ', "(Yes.) ", "NASA ", "U.S. ", "CAN'T ", "gonna "),
    *("P.S.", "P. P. S", "Section 1", "Section", "My answer is no.", "The end.", "Das ist schön. "),
    *(
        "Σ",
        "ς",
        "σ",
        "ΑΣ",
        "ΟΔΟΣ",
        "İ",
        "ß",
        "ẞ",
        "ǅ",
        "ﷺ",
        "é",
        "\u0301",
        "ệ",
        "हिन्दी ",
        "中。",
        "١٢",
    ),
    *(
        '{"a": ',
        "[1, ",
        "1.5e",
        "tru",
        "true",
        "null",
        '"\\u00',
        "\U0001f600",
        "http://a.b ",
        "a@b.cd ",
    ),
)
"""What checkers look for, halves of it, and what trips text up."""


def prompt_of(*instructions: tuple[str, Mapping[str, Any]], key: int = 1) -> IFEvalPrompt:
    """A prompt that asks for these."""
    return IFEvalPrompt(
        key=key,
        prompt="p",
        instruction_id_list=tuple(name for name, _ in instructions),
        kwargs=tuple(read_arguments(name, given) for name, given in instructions),
    )


def every_single_prompt() -> tuple[IFEvalPrompt, ...]:
    """One prompt for each set of arguments above."""
    return tuple(
        prompt_of((name, given)) for name, choices in ARGUMENTS.items() for given in choices
    )


def fuzzed(count: int, seed: int) -> Iterator[tuple[IFEvalPrompt, str]]:
    """`count` prompts of one to three instructions, each with an answer that means no good.

    Half are short, most of the rest as long as answers get in a thousand tokens, and one in a
    hundred is as long as the scorer reads, or a little longer.
    """
    draw = random.Random(seed)
    names = sorted(ARGUMENTS)
    for number in range(count):
        chosen = draw.sample(names, draw.randint(1, 3))
        prompt = prompt_of(*((name, draw.choice(ARGUMENTS[name])) for name in chosen), key=number)
        share = draw.random()
        if share < 0.5:
            length = draw.randint(0, 300)
        elif share < 0.99:
            length = draw.randint(300, 8_000)
        else:
            length = draw.choice([MAX_CHARACTERS - 1, MAX_CHARACTERS, MAX_CHARACTERS + 1])
        yield prompt, _text(draw, length)


def _text(draw: random.Random, length: int) -> str:
    kind = draw.randrange(4)
    if kind == 0:  # any characters at all
        top = draw.choice([0x7F, 0x2FF, 0xD7FF, 0x10FFFF])
        letters = (chr(draw.randint(0, top)) for _ in range(length))
        return "".join("?" if "\ud800" <= letter <= "\udfff" else letter for letter in letters)
    if kind == 1:  # pieces without order
        made = ""
        while len(made) < length:
            made += "".join(draw.choices(PIECES, k=50))
        return made[:length]
    unit = "".join(draw.choices(PIECES, k=draw.randint(1, 4)))  # a loop
    made = (unit * (length // len(unit) + 1))[:length]
    if kind == 2:
        return made
    begin, end = "".join(draw.choices(PIECES, k=3)), "".join(draw.choices(PIECES, k=3))
    return (begin + made)[: max(0, length - len(end))] + end  # and one between other things
