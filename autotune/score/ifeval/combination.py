"""Instructions that combine: the request repeated first, and two responses."""

import re
from random import Random

from autotune.score.ifeval.arguments import a_text
from autotune.score.ifeval.instruction import Instruction, Stage, number
from autotune.score.ifeval.leaning import is_salutation, is_spoken, leads_in, leans
from autotune.score.ifeval.length import has_content
from autotune.score.ifeval.own_words import is_telling
from autotune.score.ifeval.pieces import is_whole, paragraphs, pieces

_WORD = re.compile(r"\w+")
_ASTERISKS = re.compile(r"\*{3,}")
_SECOND = re.compile(
    r"^\W*(?:(?:response|version|option|answer|alternative)\W{0,2}(?:2|two|ii|b)\b|second\b)",
    re.IGNORECASE | re.MULTILINE,
)
"""The beginning of what a model itself calls its second response."""

STEM_LETTERS = 5
"""Letters by which words are compared."""


class RepeatPrompt(Instruction):
    """The answer begins with the request, word for word, in capitals or not.

    White space around either does not count (`RepeatPromptThenAnswer`).
    """

    id = "combination:repeat_prompt"
    arguments = {"prompt_to_repeat": a_text}
    amended_at = Stage.BEGIN

    @property
    def asked(self) -> str:
        """The request."""
        return str(self.given["prompt_to_repeat"]).strip()

    def check(self, answer: str) -> bool:
        """Whether it does."""
        return answer.strip().lower().startswith(self.asked.lower())

    def decide_early(self, beginning: str) -> bool | None:
        """Certain once it is repeated, or once it is not."""
        asked = self.asked.lower()
        folded = asked.replace("ς", "σ")
        begun = beginning.lstrip()[: len(asked)].lower()  # never shorter in small letters
        if "σ" not in folded and begun.startswith(asked):
            return True
        common = min(len(begun), len(folded))
        same = begun.replace("ς", "σ")[:common] == folded[:common]
        return None if same else False

    def explain(self, answer: str) -> str:
        """That it does not."""
        return "does not begin with the request, word for word"

    def edit(self, answer: str, draw: Random) -> str | None:
        """The request is put before it, in the place of a first paragraph of the same words."""
        rest = answer.strip()
        spans = paragraphs(rest)
        if spans and _words(rest[slice(*spans[0])]) == _words(self.asked):
            rest = rest[spans[0][1] :].strip()
        return f"{self.asked}\n\n{rest}" if rest else self.asked

    def after(self, answer: str) -> str:
        """What comes after the request; all of an answer that does not begin with it."""
        return answer.lstrip()[len(self.asked) :] if self.check(answer) else answer


class TwoResponses(Instruction):
    """Two different responses, divided by `******`.

    Only before the first and after the last divider may there be nothing but white space, which
    does not count around a response either (`TwoResponsesChecker`).
    """

    id = "combination:two_responses"
    amended_at = Stage.SHAPE

    def check(self, answer: str) -> bool:
        """Whether it has them."""
        parts = [part.strip() for part in answer.split("******")]
        responses = list(filter(None, parts))
        return all(parts[1:-1]) and len(responses) == 2 and responses[0] != responses[1]

    def decide_early(self, beginning: str) -> bool | None:
        """Fails at an empty part, a third response, or two that are the same."""
        *finished, last = beginning.split("******")
        if any(not part.strip() for part in finished[1:]):
            return False
        answers = [part.strip() for part in finished if part.strip()]
        if len(answers) + has_content(last) > 2:
            return False
        return False if len(answers) == 2 and answers[0] == answers[1] else None

    def explain(self, answer: str) -> str:
        """How many there are."""
        parts = [part.strip() for part in answer.split("******") if part.strip()]
        if len(parts) == 2:
            return "two responses that are the same, or a part of nothing between two ******"
        return f"{number(len(parts), 'response')}, exactly 2 divided by ****** are required"

    def edit(self, answer: str, draw: Random) -> str | None:
        """Divided where its second response begins, or a paragraph that begins anew.

        Half of a text is no response, so that one which only goes on is not divided.
        """
        text = _ASTERISKS.sub("", answer).strip()
        second = _SECOND.search(text)
        if second and text[: second.start()].strip():
            parts: list[str] | None = [
                text[: second.start()].strip(),
                text[second.start() :].strip(),
            ]
        else:
            parts = _begun_anew(text, self.about or _questions(self.prompt))
        return "\n******\n".join(parts) if parts else None


def _begun_anew(text: str, about: str) -> list[str] | None:
    """Two parts, the second of which could stand alone; of several the most alike in length.

    It is a paragraph that names again what the text, or the prompt, is about, and leans on nothing.
    """
    spans = paragraphs(text)
    if not spans or is_salutation(text):
        return None
    named = set(_telling(about or text[slice(*pieces(text)[0])]))
    places = [
        start
        for (start, end), (_, before) in zip(spans[1:], spans, strict=False)
        if _begins_anew(text[start:end], named) and not text[:before].endswith(":")
    ]
    if not places:
        return None
    place = min(places, key=lambda start: abs(2 * start - len(text)))
    return [text[:place].strip(), text[place:].strip()]


def _questions(prompt: str) -> str:
    """What a prompt asks, as far as it asks."""
    said = (prompt[slice(*span)] for span in pieces(prompt))
    return " ".join(each for each in said if each.endswith("?"))


def _begins_anew(paragraph: str, named: set[str]) -> bool:
    first = paragraph[slice(*pieces(paragraph)[0])]
    whole = is_whole(first) and first[0].isalpha() and not is_spoken(first)
    alone = not leans(first) and not leads_in(first) and not is_salutation(first)
    return whole and alone and bool(named & set(_telling(first)))


def _telling(text: str) -> list[str]:
    """The beginnings of its telling words: "trees" is "tree"."""
    return [word[:STEM_LETTERS] for word in _words(text) if is_telling(word)]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
