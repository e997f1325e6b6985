"""What the search for what fits asks of all data that a run may train on, whoever trains on it."""

from autotune.data.survey import Survey
from autotune.protocol.plan import Rounds


def longest(survey: Survey, rounds: Rounds) -> int:
    """Tokens of the longest conversation at these rounds."""
    return max(each.longest(rounds) for each in survey.each.values())


def keeps_something(survey: Survey, length: int, rounds: Rounds) -> bool:
    """Whether any data keeps a supervised token at this length and these rounds."""
    return any(each.kept(length, rounds).conversations for each in survey.each.values())


def most_rounds(survey: Survey, rounds: Rounds) -> int:
    """The most rounds that a conversation has, of the first `rounds`."""
    most = max(each.most_rounds for each in survey.each.values())
    return most if rounds == "all" else min(most, rounds)


def whole_rounds(survey: Survey, length: int, rounds: Rounds) -> int:
    """The most of the first `rounds` at which every conversation stays whole, 1 at least."""
    every = range(most_rounds(survey, rounds), 0, -1)
    return next((r for r in every if longest(survey, r) <= length), 1)
