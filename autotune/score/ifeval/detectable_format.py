"""Instructions on the form of an answer: sections, bullets, highlights, titles, JSON."""

import json
import re
from random import Random

from autotune.score.ifeval.arguments import Argument, a_count, a_text, as_count
from autotune.score.ifeval.bullets import with_bullets
from autotune.score.ifeval.instruction import (
    Counted,
    Growing,
    Instruction,
    Stage,
    is_or_are,
    needs,
    quote,
)
from autotune.score.ifeval.json_prefix import MAX_NESTING, cannot_become_json, is_json, nesting
from autotune.score.ifeval.linear import count_bullets, has_title
from autotune.score.ifeval.own_words import (
    in_case_of,
    phrases,
    replaced,
    spread,
)
from autotune.score.ifeval.pieces import divided, paragraphs
from autotune.score.ifeval.titles import own_title, title_for
from autotune.score.ifeval.yes_or_no import answer_of

_HIGHLIGHT = re.compile(r"\*[^\n\*]*\*")
_DOUBLE = re.compile(r"\*\*[^\n\*]*\*\*")
_YES_OR_NO = re.compile(
    r"\W*(?:yes\b[\s,.:;!-]*|(?:no|maybe|perhaps)(?:\s*[,.:;!-])+\s*)", re.IGNORECASE
)
_STAR_SIGN = re.compile(r"^([^\S\n]*)\*(?=[^\S\n])", re.MULTILINE)

ALLOWED = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
"""The answers that a constrained response holds one of."""

CHOICE = 3
"""Phrases to choose from for each that is highlighted: enough to spread them over a text, few
enough for them to be the best."""


class ConstrainedResponse(Growing):
    """One of three given answers is there, letter for letter (`ConstrainedResponseChecker`)."""

    id = "detectable_format:constrained_response"

    def check(self, answer: str) -> bool:
        """Whether it is."""
        return any(allowed in answer for allowed in ALLOWED)

    def explain(self, answer: str) -> str:
        """The three."""
        *others, last = map(quote, ALLOWED)
        return f"holds none of {', '.join(others)} and {last}"

    def edit(self, answer: str, draw: Random) -> str | None:
        """The one that its first two sentences say stands first, in the place of a mere "yes"."""
        says = answer_of(answer, self.prompt)
        if says is None:
            return None
        begun = _YES_OR_NO.match(answer)
        rest = answer[begun.end() :].strip() if begun else answer.strip()
        return f"My answer is {says}. {rest[:1].upper()}{rest[1:]}".rstrip()


class JsonFormat(Instruction):
    """The whole answer is JSON, perhaps in a fence (`JsonFormat`).

    Too deep a nesting is refused unread.
    """

    id = "detectable_format:json_format"
    amended_at = Stage.WRAP

    def check(self, answer: str) -> bool:
        """Whether it is."""
        if nesting(answer) > MAX_NESTING:
            raise ValueError(f"JSON nested deeper than {MAX_NESTING}")
        return is_json(answer)

    def decide_early(self, beginning: str) -> bool | None:
        """Fails once nothing can make it JSON."""
        return False if cannot_become_json(beginning) else None

    def explain(self, answer: str) -> str:
        """That it is not, or too deep."""
        if nesting(answer) > MAX_NESTING:
            return f"JSON nested deeper than {MAX_NESTING}, the deepest that is read"
        return "not valid JSON as a whole"

    def edit(self, answer: str, draw: Random) -> str | None:
        """The JSON that is in it, without what is said around it; else its text becomes a value.

        Paragraphs become a list, but for a text without commas, which a list would bring in.
        """
        first, last = answer.find("{"), answer.rfind("}")
        inner = answer[first : last + 1] if 0 <= first < last else ""
        if inner and self.follows(inner):
            return inner
        text = answer.strip()
        parts = [text[start:end] for start, end in paragraphs(text)]
        key = in_case_of(text, draw.choice(("answer", "response", "text")))
        value = parts if len(parts) > 1 and "," in text else text
        return json.dumps({key: value}, ensure_ascii=False, indent=2)


class MultipleSections(Counted):
    """Enough sections, each headed by a word and a number, wherever in a line.

    Between them is at most one white space (`SectionChecker`). The published checker reads the word
    as a pattern.
    """

    id = "detectable_format:multiple_sections"
    arguments = {"section_spliter": a_text, "num_sections": a_count}
    amended_at = Stage.SHAPE

    @property
    def splitter(self) -> str:
        """The word."""
        return str(self.given["section_spliter"]).strip()

    @property
    def relation(self) -> Argument:
        """No upper limit can be asked for."""
        return "at least"

    @property
    def limit(self) -> Argument:
        """The number of sections."""
        return self.given["num_sections"]

    def count(self, text: str) -> int:
        """The headings."""
        return len(re.findall(re.escape(self.splitter) + r"\s?\d+", text))

    def explain(self, answer: str) -> str:
        """How many there are."""
        word, wanted = self.splitter, self.limit
        asked = f"at least {wanted} {is_or_are(wanted)} required"
        return f'{self.count(answer)} headed "{word} 1", "{word} 2" and so on, {asked}'

    def edit(self, answer: str, draw: Random) -> str | None:
        """Headings spelt otherwise are mended, else it is divided and each part gets one."""
        splitter = self.splitter
        spelt = re.compile(rf"\b{re.escape(splitter)}(?=\s?\d)", re.IGNORECASE)
        mended = spelt.sub(lambda _: splitter, answer)
        if self.follows(mended):
            return mended
        without = re.compile(rf"^\W*{re.escape(splitter)}\s?\d+\W*", re.IGNORECASE | re.MULTILINE)
        parts = divided(without.sub("", answer).strip(), as_count(self.limit))
        headed = [f"{splitter} {n}\n{part}" for n, part in enumerate(parts or (), 1)]
        return "\n\n".join(headed) or None


class NumberBulletLists(Instruction):
    """So many lines that begin with a dash or a single asterisk (`BulletListChecker`).

    The published pattern takes quadratic time.
    """

    id = "detectable_format:number_bullet_lists"
    arguments = {"num_bullets": a_count}
    amended_at = Stage.LIST

    def check(self, answer: str) -> bool:
        """Whether there are just so many."""
        return count_bullets(answer) == self.given["num_bullets"]

    def decide_early(self, beginning: str) -> bool | None:
        """Fails at one too many."""
        return False if count_bullets(beginning) > as_count(self.given["num_bullets"]) else None

    def explain(self, answer: str) -> str:
        """How many there are."""
        return needs(count_bullets(answer), "bullet", "exactly", self.given["num_bullets"])

    def edit(self, answer: str, draw: Random) -> str | None:
        """Its own list is cut; where it has none that is long enough, sentences become one."""
        return with_bullets(answer, as_count(self.given["num_bullets"]))


class NumberHighlightedSections(Counted):
    """Enough parts between asterisks, on one line and not blank.

    Those between two on either side are counted by themselves and added
    (`HighlightSectionChecker`).
    """

    id = "detectable_format:number_highlighted_sections"
    arguments = {"num_highlights": a_count}
    noun = "*highlighted* part"

    @property
    def relation(self) -> Argument:
        """No upper limit can be asked for."""
        return "at least"

    @property
    def limit(self) -> Argument:
        """The number of parts."""
        return self.given["num_highlights"]

    def count(self, text: str) -> int:
        """The parts."""
        single = sum(bool(found.strip("*").strip()) for found in _HIGHLIGHT.findall(text))
        double = sum(bool(found[2:-2].strip()) for found in _DOUBLE.findall(text))
        return single + double

    def edit(self, answer: str, draw: Random) -> str | None:
        """Telling phrases are put between asterisks, on lines that have none; bullets become `-`.

        Of more than are needed those of several words, and then the longest.
        """
        text = _STAR_SIGN.sub(r"\1-", answer)
        found = [s for line in _HIGHLIGHT.findall(text) for s in [line.strip("*").strip()] if s]
        found += [s for line in _DOUBLE.findall(text) for s in [line[2:-2].strip()] if s]
        missing = as_count(self.given["num_highlights"]) - len(found)
        free = [span for span in phrases(text) if "*" not in _line_around(text, span[0])]
        best = sorted(free[: max(0, CHOICE * missing)])
        chosen = spread(best, max(0, missing), draw)
        if chosen is None:
            return None
        return replaced(text, [(span, f"*{text[slice(*span)]}*") for span in chosen])


class Title(Instruction):
    """A title in double angle brackets, on one line and not blank (`TitleChecker`).

    The published pattern takes quadratic time.
    """

    id = "detectable_format:title"

    def check(self, answer: str) -> bool:
        """Whether there is one."""
        return has_title(answer)

    def decide_early(self, beginning: str) -> bool | None:
        """Once it is there, it stays."""
        return True if self.check(beginning) else None

    def explain(self, answer: str) -> str:
        """That there is none."""
        return "no title in double angle brackets, as in <<title>>"

    def edit(self, answer: str, draw: Random) -> str | None:
        """Its first line, where that is a title; else what its prompt is about becomes one."""
        text = answer.strip()
        title, rest = own_title(text)
        if title:
            return f"<<{title}>>\n{rest}"
        named = title_for(text, self.prompt, self.about, draw)
        return f"<<{in_case_of(text, named)}>>\n\n{text}" if named else None


def _line_around(text: str, place: int) -> str:
    end = text.find("\n", place)
    return text[text.rfind("\n", 0, place) + 1 : end if end >= 0 else len(text)]
