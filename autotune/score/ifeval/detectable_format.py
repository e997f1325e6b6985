"""Instructions on the form of an answer: sections, bullets, highlights, titles, JSON."""

import re

from autotune.score.ifeval.arguments import a_count, a_text, as_count
from autotune.score.ifeval.instruction import Growing, Instruction, Published, is_or_are, needs
from autotune.score.ifeval.json_prefix import MAX_NESTING, cannot_become_json, nesting
from autotune.score.ifeval.linear import count_bullets, has_title

_HIGHLIGHT = re.compile(r"\*[^\n\*]*\*")
_DOUBLE = re.compile(r"\*\*[^\n\*]*\*\*")


class ConstrainedResponse(Growing):
    """One of three given answers is there."""

    id = "detectable_format:constrained_response"

    def explain(self, answer: str) -> str:
        """The three."""
        return 'holds none of "My answer is yes.", "My answer is no." and "My answer is maybe."'


class JsonFormat(Published):
    """The whole answer is JSON, perhaps in a fence. Too deep a nesting is refused unread."""

    id = "detectable_format:json_format"

    def check(self, answer: str) -> bool:
        """Whether it is."""
        checker = self.checker
        if nesting(answer) > MAX_NESTING:
            raise ValueError(f"JSON nested deeper than {MAX_NESTING}")
        return bool(checker.check_following(answer))

    def decide_early(self, beginning: str) -> bool | None:
        """Fails once nothing can make it JSON."""
        return False if cannot_become_json(beginning) else None

    def explain(self, answer: str) -> str:
        """That it is not, or too deep."""
        if nesting(answer) > MAX_NESTING:
            return f"JSON nested deeper than {MAX_NESTING}, the deepest that is read"
        return "not valid JSON as a whole"


class MultipleSections(Growing):
    """Enough sections, each headed by a word and a number."""

    id = "detectable_format:multiple_sections"
    arguments = {"section_spliter": a_text, "num_sections": a_count}

    def explain(self, answer: str) -> str:
        """How many there are."""
        splitter, wanted = str(self.given["section_spliter"]).strip(), self.given["num_sections"]
        count = len(re.findall(re.escape(splitter) + r"\s?\d+", answer))
        asked = f"at least {wanted} {is_or_are(wanted)} required"
        return f'{count} headed "{splitter} 1", "{splitter} 2" and so on, {asked}'


class NumberBulletLists(Instruction):
    """So many bullets. The published pattern takes quadratic time."""

    id = "detectable_format:number_bullet_lists"
    arguments = {"num_bullets": a_count}

    def check(self, answer: str) -> bool:
        """Whether there are just so many."""
        return count_bullets(answer) == self.given["num_bullets"]

    def decide_early(self, beginning: str) -> bool | None:
        """Fails at one too many."""
        return False if count_bullets(beginning) > as_count(self.given["num_bullets"]) else None

    def explain(self, answer: str) -> str:
        """How many there are."""
        return needs(count_bullets(answer), "bullet", "exactly", self.given["num_bullets"])


class NumberHighlightedSections(Growing):
    """Enough parts between asterisks."""

    id = "detectable_format:number_highlighted_sections"
    arguments = {"num_highlights": a_count}

    def explain(self, answer: str) -> str:
        """How many there are."""
        single = sum(bool(found.strip("*").strip()) for found in _HIGHLIGHT.findall(answer))
        double = sum(bool(found[2:-2].strip()) for found in _DOUBLE.findall(answer))
        limit = self.given["num_highlights"]
        return needs(single + double, "*highlighted* part", "at least", limit)


class Title(Instruction):
    """A title in double angle brackets. The published pattern takes quadratic time."""

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
