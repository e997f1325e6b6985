"""One of IFEval's instructions: what follows it, what is certain of it early, why a text fails.

And the edit that makes a text follow it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import IntEnum, auto
from random import Random
from typing import ClassVar

from autotune.base.errors import EnvironmentFault
from autotune.score.ifeval.arguments import Argument, Arguments, Reader, as_count


class Stage(IntEnum):
    """When an answer is amended for an instruction, so that no edit undoes one before it.

    What takes text away comes first, what puts the whole of it into a form comes last.
    """

    CUT = auto()
    LIST = auto()
    SHAPE = auto()
    ADD = auto()
    POSTSCRIPT = auto()
    BEGIN = auto()
    END = auto()
    CASE = auto()
    PUNCTUATION = auto()
    WRAP = auto()


class Instruction(ABC):
    """An instruction with the arguments that one prompt gives it.

    Judging takes time linear in the text.

    Example:
        class NoComma(Instruction):
            id = "punctuation:no_comma"

            def check(self, answer): return "," not in answer
            def decide_early(self, beginning): return False if "," in beginning else None
            def explain(self, answer): return "a comma, none is allowed"
            def edit(self, answer, draw): return answer.replace(",", "")
    """

    id: ClassVar[str]
    """What prompts call it."""

    arguments: ClassVar[Mapping[str, Reader]] = {}
    """The arguments that it takes, each with the reader that checks one value."""

    amended_at: ClassVar[Stage] = Stage.ADD
    """When its edit comes among those of a prompt's instructions."""

    strains: ClassVar[bool] = False
    """Whether the edit leaves words that the answer does not lead to: one that follows the
    instruction by itself is better."""

    def __init__(self, given: Arguments, prompt: str = "", about: str = "") -> None:
        """`given` are arguments as `read_arguments` gives them.

        An edit may look at the whole `prompt` and at what that is `about`, a noun phrase, where
        these are known; a verdict never does.
        """
        self.given = given
        self.prompt = prompt
        self.about = about

    @abstractmethod
    def check(self, answer: str) -> bool:
        """Whether a text follows it; may raise on a text it cannot deal with.

        Raises:
            ImportError: a package that it needs is not installed.
        """

    def decide_early(self, beginning: str) -> bool | None:
        """The strict verdict on every answer that begins so; None while it is open.

        It must be true of `check`: False only if every text that begins so fails, and True only if
        every one passes (short of the cap on an answer's length, which `early` sees to). Why is
        said where it is not plain; `tests/score/ifeval/test_early_verdicts.py` looks for a text
        that proves one wrong.
        """
        return None

    @abstractmethod
    def explain(self, answer: str) -> str:
        """Why an answer fails, with the checker's own numbers: what it has and what it needs."""

    @property
    def stage(self) -> Stage:
        """When it amends, its arguments considered."""
        return self.amended_at

    def amend(self, answer: str, draw: Random) -> str | None:
        """The answer with as little changed as makes it follow; itself where it does already.

        None where no edit can, or where it would spoil the text. What is returned passes `check`;
        the same generator state gives the same text.

        Raises:
            EnvironmentFault: a package that the check needs is not installed.
        """
        if not answer.strip():
            return None
        if self.follows(answer):
            return answer
        edited = self.edit(answer, draw)
        return edited if edited is not None and self.follows(edited) else None

    def edit(self, answer: str, draw: Random) -> str | None:
        """A text made from an answer that fails, to be checked; None where nothing is tried.

        Its own words stay as far as possible.
        """
        return None

    def follows(self, text: str) -> bool:
        """What `check` says; a text that it raises on does not follow.

        Raises:
            EnvironmentFault: a package that the check needs is not installed.
        """
        try:
            return self.check(text)
        except ImportError as fault:
            raise lacks(fault) from fault
        except Exception:  # what a checker cannot deal with does not follow
            return False


class Growing(Instruction):
    """Asks for something to be there; once it is, it stays."""

    def decide_early(self, beginning: str) -> bool | None:
        """Certain as soon as it is there."""
        return True if self.check(beginning) else None


class Counted(Instruction):
    """Compares a count with a limit."""

    noun: ClassVar[str]
    """What is counted, for one."""

    @abstractmethod
    def count(self, text: str) -> int:
        """The count."""

    @property
    def relation(self) -> Argument:
        """One of `arguments.RELATIONS`."""
        return self.given["relation"]

    @property
    @abstractmethod
    def limit(self) -> Argument:
        """What the count is compared with."""

    @property
    def stage(self) -> Stage:
        """Few enough is reached by taking away."""
        return Stage.CUT if self.relation == "less than" else self.amended_at

    def check(self, answer: str) -> bool:
        """Whether the count is as asked."""
        limit = as_count(self.limit)
        count = self.count(answer)
        return count < limit if self.relation == "less than" else count >= limit

    def certain_count(self, beginning: str) -> int:
        """The part of the count that no further text makes smaller."""
        return self.count(beginning)

    def decide_early(self, beginning: str) -> bool | None:
        """Certain once the limit is reached."""
        reached = self.certain_count(beginning) >= as_count(self.limit)
        return self.relation == "at least" if reached else None

    def explain(self, answer: str) -> str:
        """The count beside the limit."""
        return needs(self.count(answer), self.noun, self.relation, self.limit)


def lacks(fault: ImportError) -> EnvironmentFault:
    """What to say of a package that a check needs and cannot import.

    It must end the scoring: else every answer would fail, and nobody would know why.
    """
    return EnvironmentFault(
        f"scoring needs the package {fault.name}, which cannot be imported ({fault});"
        " install smolsft-autotune again"
    )


def number(count: int, noun: str) -> str:
    """A count with its noun: `1 word`, `2 words`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def needs(count: int, noun: str, relation: Argument, limit: Argument) -> str:
    """What there is and what is asked for: `3 words, at least 5 are required`."""
    return f"{number(count, noun)}, {relation} {limit} {is_or_are(limit)} required"


def is_or_are(limit: Argument) -> str:
    """`is` or `are`."""
    return "is" if limit == 1 else "are"


def quote(text: Argument) -> str:
    """A text in double quotation marks."""
    return f'"{str(text).strip()}"'
