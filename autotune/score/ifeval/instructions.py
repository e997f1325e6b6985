"""The 25 kinds of instruction that IFEval verifies: a new one is a class, and a line here.

What follows each is defined by the checkers that Google Research published with the paper
(arXiv:2311.07911), `instruction_following_eval/instructions.py`. Each class here says the rule, in
parentheses the published class that it is the rule of, and where it decides otherwise why. That the
verdicts are those of the published classes is held by `tests/score/ifeval/test_as_published.py`.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from autotune.score.ifeval.arguments import Argument, ArgumentFault, Arguments, Reader
from autotune.score.ifeval.change_case import (
    CapitalWordFrequency,
    EnglishCapital,
    EnglishLowercase,
)
from autotune.score.ifeval.combination import RepeatPrompt, TwoResponses
from autotune.score.ifeval.detectable_content import NumberPlaceholders, Postscript
from autotune.score.ifeval.detectable_format import (
    ConstrainedResponse,
    JsonFormat,
    MultipleSections,
    NumberBulletLists,
    NumberHighlightedSections,
    Title,
)
from autotune.score.ifeval.instruction import Instruction
from autotune.score.ifeval.keywords import (
    Existence,
    ForbiddenWords,
    Frequency,
    LetterFrequency,
)
from autotune.score.ifeval.languages import ResponseLanguage
from autotune.score.ifeval.length import (
    NthParagraphFirstWord,
    NumberParagraphs,
    NumberSentences,
    NumberWords,
)
from autotune.score.ifeval.punctuation import NoComma
from autotune.score.ifeval.startend import EndChecker, Quotation

CLASSES: Mapping[str, type[Instruction]] = MappingProxyType(
    {
        each.id: each
        for each in (
            CapitalWordFrequency,
            EnglishCapital,
            EnglishLowercase,
            RepeatPrompt,
            TwoResponses,
            NumberPlaceholders,
            Postscript,
            ConstrainedResponse,
            JsonFormat,
            MultipleSections,
            NumberBulletLists,
            NumberHighlightedSections,
            Title,
            Existence,
            ForbiddenWords,
            Frequency,
            LetterFrequency,
            ResponseLanguage,
            NthParagraphFirstWord,
            NumberParagraphs,
            NumberSentences,
            NumberWords,
            NoComma,
            EndChecker,
            Quotation,
        )
    }
)
"""Instruction id -> its class.

Example:
    `CLASSES["punctuation:no_comma"]({}).check("Yes, no")` is False.
"""

Instructions = Mapping[str, Mapping[str, Reader]]
"""Instruction id -> its arguments, each with the reader that checks one value."""

INSTRUCTIONS: Instructions = MappingProxyType(
    {name: kind.arguments for name, kind in CLASSES.items()}
)
"""Those of IFEval."""


def instruction_of(
    instruction: str, given: Arguments, prompt: str = "", about: str = ""
) -> Instruction:
    """The instruction of an id with arguments as `read_arguments` gives them.

    Its edit may look at the `prompt` and at what that is `about` (`Instruction`).

    Raises:
        ArgumentFault: an unknown instruction.
    """
    if instruction not in CLASSES:
        raise ArgumentFault(f"unknown instruction id {instruction!r}{nearest(instruction)}")
    return CLASSES[instruction](given, prompt, about)


def read_arguments(
    instruction: str, given: Mapping[str, Any], known: Instructions = INSTRUCTIONS
) -> dict[str, Argument]:
    """The checked arguments of one instruction; arguments that are None count as not given.

    `known` are the instructions of the scorer that will judge.

    Raises:
        ArgumentFault: an unknown instruction or argument, one that lacks, or a wrong value.
    """
    if instruction not in known:
        raise ArgumentFault(f"unknown instruction id {instruction!r}{nearest(instruction, known)}")
    readers = known[instruction]
    arguments: dict[str, Argument] = {}
    for name, value in given.items():
        if value is None:
            continue
        if name not in readers:
            raise ArgumentFault(_unknown(instruction, name, list(readers)))
        try:
            arguments[name] = readers[name](value)
        except ArgumentFault as fault:
            raise ArgumentFault(f"{name} of {instruction} {fault}") from None
    missing = [name for name in readers if name not in arguments]
    if missing:
        raise ArgumentFault(f"{instruction} lacks {missing[0]}; without it no verdict is possible")
    nth, paragraphs = arguments.get("nth_paragraph"), arguments.get("num_paragraphs")
    if isinstance(nth, int) and isinstance(paragraphs, int) and nth > paragraphs:
        raise ArgumentFault(
            f"nth_paragraph of {instruction} is {nth}: must be at most num_paragraphs, {paragraphs}"
        )
    return arguments


def nearest(instruction: str, among: Instructions = INSTRUCTIONS) -> str:
    """`; the nearest known is ...`: also found when only the half after the colon is right."""
    known = sorted(among)
    same_end = [name for name in known if name.split(":")[-1] == instruction.split(":")[-1]]
    close = same_end or get_close_matches(instruction, known, n=1, cutoff=0.0)
    return f"; the nearest known is {close[0]!r}"


def _unknown(instruction: str, name: str, known: list[str]) -> str:
    if not known:
        return f"{instruction} takes no arguments, not {name!r}"
    close = get_close_matches(name, known, n=1, cutoff=0.0)
    return f"{instruction} has no argument {name!r}; the nearest known is {close[0]!r}"
