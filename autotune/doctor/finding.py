"""What a check found: a state, a fact, and what a person can do about it."""

from enum import StrEnum

from autotune.base.model import Boundary


class State(StrEnum):
    """What a finding means for work on this machine.

    `BLOCKS`: a command that computes by the profile for this machine is refused. `NOTE`: it works,
    and a person should know. `OK`: as it should be, or a fact without a remedy.
    """

    OK = "ok"
    NOTE = "note"
    BLOCKS = "blocks"


class Finding(Boundary):
    """One line of the examination; `remedy` is None where there is nothing to do."""

    check: str
    state: State
    fact: str
    remedy: str | None = None


class Examination(Boundary):
    """All findings, in the order in which they are shown."""

    profile: str
    findings: tuple[Finding, ...]

    @property
    def blocks(self) -> tuple[Finding, ...]:
        """What is in the way."""
        return tuple(each for each in self.findings if each.state is State.BLOCKS)


def ok(check: str, fact: str) -> Finding:
    """A fact that asks for nothing."""
    return Finding(check=check, state=State.OK, fact=fact)


def note(check: str, fact: str, remedy: str | None = None) -> Finding:
    """A fact that a person should know."""
    return Finding(check=check, state=State.NOTE, fact=fact, remedy=remedy)


def blocks(check: str, fact: str, remedy: str) -> Finding:
    """A fact that is in the way of the work."""
    return Finding(check=check, state=State.BLOCKS, fact=fact, remedy=remedy)
