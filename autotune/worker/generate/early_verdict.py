"""Leaves an answer unfinished as soon as its strict verdict is certain, and writes that down."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from autotune.score.early_verdicts import DecidedLine
from autotune.score.scorer import EarlyJudge, EarlyVerdict
from autotune.worker.generate.answer_file import append
from autotune.worker.generate.reply import Reply
from autotune.worker.model import Loaded


def text_of(loaded: Loaded, ids: Sequence[int]) -> str:
    """An answer's text, without the token that ends it.

    What a thought begins and ends with is part of it, also where that is a special token.
    """
    stopped = bool(ids) and ids[-1] in loaded.stop_ids
    kept = list(ids[:-1] if stopped else ids)
    marks = loaded.thought_marks
    if marks.keys().isdisjoint(kept):
        return decoded(loaded, kept)
    parts = [list(part) for _, part in groupby(kept, key=marks.get)]
    return "".join(
        marks[part[0]] * len(part) if part[0] in marks else decoded(loaded, part) for part in parts
    )


def decoded(loaded: Loaded, ids: list[int]) -> str:
    """The text of some tokens; special ones have none."""
    return str(loaded.tokenizer.decode(ids, skip_special_tokens=True))


def is_append_only(tokenizer: Any) -> bool:
    """Whether further tokens leave the text before them as it is.

    Tidying of spaces before punctuation takes characters away again.
    """
    return not getattr(tokenizer, "clean_up_tokenization_spaces", False)


class EarlyVerdicts:
    """Judges the answers to some prompts while they grow."""

    def __init__(self, loaded: Loaded, judges: Sequence[EarlyJudge | None], path: Path) -> None:
        """One judge for each prompt, in order; decided answers are appended to `path`."""
        self.loaded = loaded
        self.path = path
        self.judges = judges
        self.verdicts: dict[int, EarlyVerdict] = {}
        self.active = is_append_only(loaded.tokenizer)
        # Characters of text that a token can add: a byte is one at most.
        self.widest_token = max(map(len, loaded.tokenizer.get_vocab()), default=0)

    def look(self, reply: Reply) -> bool:
        """Whether the strict verdict on this answer is certain; then it is kept for `write`."""
        judge = self.judges[reply.number]
        if not self.active or judge is None:
            return False
        text = text_of(self.loaded, reply.answer)
        left = reply.most - reply.new_tokens
        verdict = judge.look(text, len(text) + left * self.widest_token)
        if verdict is None:
            return False
        self.verdicts[reply.number] = verdict
        return True

    def write(self, reply: Reply) -> None:
        """A decided answer goes to the disk."""
        verdict = self.verdicts.pop(reply.number)
        append(
            self.path,
            [
                DecidedLine(
                    key=verdict.key,
                    strict=verdict.strict,
                    instruction=verdict.instruction,
                    ids=tuple(reply.answer),
                )
            ],
        )
