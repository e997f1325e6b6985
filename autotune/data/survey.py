"""The shape of the data in tokens, and what any length and number of rounds keeps of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from autotune.base.errors import EnvironmentFault
from autotune.base.model import Boundary
from autotune.data.truncation import RoundSpan, last_round, window
from autotune.protocol.choices import Truncation
from autotune.protocol.data_notes import DataNote
from autotune.protocol.plan import Rounds


class SurveyFile(Boundary):
    """What the survey job writes: per conversation the spans of its rounds, in order.

    A conversation that the tokenizer can make no row of keeps its place, with no rounds; `dropped`
    counts it.

    `rows` are the conversations' row numbers in the data file, `notes` what was found there. Both
    are empty in files of earlier versions.
    """

    conversations: tuple[tuple[RoundSpan, ...], ...]
    dropped: dict[str, int]
    literal_markers: int
    """How often a template token such as <|im_end|> stands inside a text (and stays text)."""
    notes: tuple[DataNote, ...] = ()
    rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Retention:
    """What one (length, rounds) keeps. Tokens are counts over all conversations."""

    conversations: int
    longest_row: int
    tokens: int
    supervised: int
    supervised_share: float
    truncated: int
    lost: int


@dataclass(frozen=True, slots=True)
class AnswerCut:
    """Of `answers` (assistant turns) with a label, how many lose the end or all of it."""

    answers: int
    short: int
    gone: int

    @property
    def cut(self) -> int:
        """How many are not whole."""
        return self.short + self.gone


@dataclass(frozen=True)
class Survey:
    """Answers questions about the survey file without tokenizing again.

    That of a run knows those of the strategies that train on other conversations: `own`, by name.
    Where all do, it is one of these, and not `trained_on` for its own sake.
    """

    file: SurveyFile
    truncation: Truncation
    own: Mapping[str, "Survey"] = field(default_factory=dict)
    trained_on: bool = True

    def of(self, strategy: str) -> "Survey":
        """The survey of what a strategy trains on."""
        return self.own.get(strategy, self)

    @cached_property
    def each(self) -> Mapping[str, "Survey"]:
        """The survey of each data, by a strategy that trains on it; "" for the run's own data."""
        found: dict[int, tuple[str, Survey]] = {id(self): ("", self)} if self.trained_on else {}
        for strategy, survey in self.own.items():
            found.setdefault(id(survey), (strategy, survey))
        return dict(found.values())

    @cached_property
    def rows(self) -> tuple[tuple[RoundSpan, ...], ...]:
        """The rounds of every conversation that can be a row."""
        return tuple(rounds for rounds in self.file.conversations if rounds)

    @cached_property
    def most_rounds(self) -> int:
        """Rounds of the conversation with the most of them."""
        return max(len(rounds) for rounds in self.rows)

    @cached_property
    def total_supervised(self) -> int:
        """Supervised tokens of the whole data, nothing truncated."""
        return sum(s.supervised(0, s.stop) for rounds in self.rows for s in rounds)

    def longest(self, max_rounds: Rounds) -> int:
        """Tokens of the longest conversation at these rounds, length not limited."""
        return max(rounds[last_round(rounds, max_rounds)].stop for rounds in self.rows)

    def whole_rounds(self, model_max_length: int, max_rounds: Rounds = "all") -> int:
        """The most rounds, up to `max_rounds`, of which every conversation stays whole.

        1 where the first round of some conversation is longer already.
        """
        most = self.most_rounds if max_rounds == "all" else min(self.most_rounds, max_rounds)
        whole = (r for r in range(most, 0, -1) if self.longest(r) <= model_max_length)
        return next(whole, 1)

    def kept(self, model_max_length: int, max_rounds: Rounds) -> Retention:
        """What this length (tokens) and these rounds keep; linear in the number of rounds."""
        conversations = longest_row = tokens = supervised = truncated = lost = 0
        for rounds in self.rows:
            last = last_round(rounds, max_rounds)
            stop = rounds[last].stop
            low, high = window(stop, model_max_length, self.truncation)
            kept = sum(span.supervised(low, high) for span in rounds[: last + 1])
            truncated += high - low < stop
            if kept == 0:
                lost += 1
                continue
            conversations += 1
            longest_row = max(longest_row, high - low)
            tokens += high - low
            supervised += kept
        share = supervised / self.total_supervised if self.total_supervised else 0.0
        return Retention(conversations, longest_row, tokens, supervised, share, truncated, lost)

    def cut_answers(self, model_max_length: int, max_rounds: Rounds) -> AnswerCut:
        """How many answers of the kept rounds this length cuts short or leaves out."""
        answers = short = gone = 0
        for rounds in self.rows:
            last = last_round(rounds, max_rounds)
            stop = rounds[last].stop
            low, high = window(stop, model_max_length, self.truncation)
            whole = [span.supervised(0, stop) for span in rounds[: last + 1]]
            answers += sum(tokens > 0 for tokens in whole)
            if high - low == stop:
                continue
            for span, tokens in zip(rounds, whole, strict=False):
                kept = span.supervised(low, high)
                short += 0 < kept < tokens
                gone += kept == 0 < tokens
        return AnswerCut(answers, short, gone)

    def lost(self, model_max_length: int, max_rounds: Rounds) -> Iterator[int]:
        """Indexes of the conversations that keep no supervised token, in order."""
        for at, rounds in enumerate(self.file.conversations):
            if not rounds:
                continue
            last = last_round(rounds, max_rounds)
            low, high = window(rounds[last].stop, model_max_length, self.truncation)
            if not any(span.supervised(low, high) for span in rounds[: last + 1]):
                yield at

    def longest_conversation(self, model_max_length: int, max_rounds: Rounds) -> int:
        """Index of the conversation that gives the longest row with a supervised token.

        The first of them where several are as long; 0 where nothing keeps a supervised token.
        """
        found, longest = 0, 0
        for at, rounds in enumerate(self.file.conversations):
            if not rounds:
                continue
            last = last_round(rounds, max_rounds)
            low, high = window(rounds[last].stop, model_max_length, self.truncation)
            if high - low > longest and any(
                span.supervised(low, high) for span in rounds[: last + 1]
            ):
                found, longest = at, high - low
        return found


def read_survey(path: Path) -> SurveyFile:
    """What a survey job wrote.

    Raises:
        EnvironmentFault: it was damaged since.
    """
    try:
        return SurveyFile.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        why = getattr(error, "strerror", None) or "not what was written there"
        raise EnvironmentFault(
            f"{path}: damaged ({why}); delete it, and the same command makes it again from the data"
        ) from None
