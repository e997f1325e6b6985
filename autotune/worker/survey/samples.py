"""Rows as a person reads them: runs of text, each supervised or not, from the row's own tokens."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from autotune.protocol.inspection import TextRun
from autotune.worker.tokens.encode import IGNORED, Row

HEAD_TOKENS, TAIL_TOKENS = 60, 20
"""How much of a long run is shown: its beginning and its end, together a short paragraph."""

MAX_TEXT_RUNS = 24
"""Some six turns; of a longer row the rest is counted, not shown."""

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def text_runs(row: Row, tokenizer: Any, markers: frozenset[int]) -> tuple[TextRun, ...]:
    """The row cut where the label begins or ends and around each of the `markers`.

    What is left out of a long run, or of a row with many, stands as a run without text that
    counts its tokens.
    """
    runs: list[TextRun] = []
    at = 0
    for trained, marker, ids in _stretches(row, markers):
        if len(runs) >= MAX_TEXT_RUNS:
            left = len(row.input_ids) - at
            return (*runs, TextRun(text="", trained=False, hidden_tokens=left))
        at += len(ids)
        runs += _shown(ids, trained, marker, tokenizer)
    return tuple(runs)


def _stretches(row: Row, markers: frozenset[int]) -> Iterator[tuple[bool, bool, list[int]]]:
    """Neighbouring tokens of one kind; a marker stands alone."""

    def kind(at: int) -> tuple[bool, int]:
        is_marker = row.input_ids[at] in markers
        return row.labels[at] != IGNORED, at if is_marker else -1

    for (trained, marker), places in groupby(range(len(row.input_ids)), kind):
        yield trained, marker >= 0, [row.input_ids[at] for at in places]


def _shown(ids: list[int], trained: bool, marker: bool, tokenizer: Any) -> list[TextRun]:
    def run(part: list[int], text: str) -> TextRun:
        return TextRun(text=text, trained=trained, marker=marker, ids=tuple(part))

    hidden = len(ids) - HEAD_TOKENS - TAIL_TOKENS
    # Leaving out a few tokens would only replace text by a note that is as long.
    if hidden < TAIL_TOKENS:
        return [run(ids, _text(ids, tokenizer))]
    head, tail = ids[:HEAD_TOKENS], ids[-TAIL_TOKENS:]
    # A cut may go through a character of several tokens.
    return [
        run(head, _text(head, tokenizer).rstrip(_REPLACEMENT)),
        TextRun(text="", trained=trained, hidden_tokens=hidden),
        run(tail, _text(tail, tokenizer).lstrip(_REPLACEMENT)),
    ]


def _text(ids: list[int], tokenizer: Any) -> str:
    return str(tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))
