"""Token rows: what a conversation comes to in ids, and which of them carry a label."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from autotune.data.truncation import RoundSpan, last_round, window
from autotune.protocol.choices import Truncation
from autotune.protocol.plan import Rounds

IGNORED = -100
"""The label of a token that is not supervised; PyTorch's cross-entropy skips it by default."""

NO_TURNS = "turns that the tokenizer does not keep apart"
JOINED = "an answer whose beginning the tokenizer joins to the line before it"
"""Reasons to refuse a conversation."""


@dataclass(frozen=True, slots=True)
class Row:
    """One conversation to train on: two lists of equal length, `input_ids` and `labels`.

    A label stands at its own token's position (the shift by one is the loss's business). The
    `family` is the conversation's.
    """

    input_ids: list[int]
    labels: list[int]
    family: str = field(default="", compare=False)

    @property
    def supervised(self) -> int:
        """Tokens that carry a label."""
        return len(self.labels) - self.labels.count(IGNORED)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A whole conversation in tokens, nothing truncated, and what was met on the way.

    `written` special tokens stand in its texts and were split; `touching` answers begin with what
    the tokenizer joins to the line before them; `unknown` tokens stand for text that the
    vocabulary lacks. One that was `refused`, for a reason, has no ids and no rounds. One with tools
    is written `by_template`, the model's own.
    """

    ids: list[int]
    spans: tuple[RoundSpan, ...]
    written: int = 0
    touching: int = 0
    unknown: int = 0
    by_template: bool = False
    refused: str | None = None


def row_of(
    found: Encoded, *, max_rounds: Rounds, model_max_length: int, truncation: Truncation
) -> Row:
    """The first `max_rounds` rounds, truncated on one side to at most `model_max_length` tokens.

    One that was refused gives a row without tokens.
    """
    if found.refused is not None:
        return Row([], [])
    last = last_round(found.spans, max_rounds)
    ids = found.ids[: found.spans[last].stop]
    labels = [IGNORED] * len(ids)
    for span in found.spans[: last + 1]:
        for start, end in span.pieces or ((span.start, span.end),):
            labels[start:end] = ids[start:end]
    low, high = window(len(ids), model_max_length, truncation)
    return Row(ids[low:high], labels[low:high])


def pieces_of(
    spans: Iterable[tuple[int, int]],
    token_spans: Sequence[tuple[int, int]],
    first: int,
    ending: tuple[int, int],
) -> tuple[tuple[int, int], ...]:
    """The supervised tokens [start, end) of an answer of which only some characters are trained.

    `token_spans` are the characters [begin, end) of its tokens, from the token `first` on. A token
    that reaches into one of the spans is trained with it, as axolotl and transformers have it; so
    is what ends the turn, the tokens `ending`.
    """
    spans = list(spans)
    inside = [
        at
        for at, (low, high) in enumerate(token_spans, first)
        if any(low < end and begin < high for begin, end in spans)
    ]
    pieces: list[tuple[int, int]] = []
    for start, end in [*((at, at + 1) for at in inside), ending]:
        if pieces and pieces[-1][1] == start:
            pieces[-1] = pieces[-1][0], end
        else:
            pieces.append((start, end))
    return tuple(pieces)
