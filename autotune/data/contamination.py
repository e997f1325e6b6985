"""Scored prompts that stand in the training data, word for word or nearly.

A score on a prompt that was trained on says nothing of unseen ones. Prompts are looked for in user
turns and system prompts, alone or inside a longer text; case, white space, punctuation and
invisible characters do not count.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from pathlib import Path

from autotune.base.errors import BadInput
from autotune.base.format import counted
from autotune.data.conversation import Conversation
from autotune.data.files import RecordStream
from autotune.protocol.data_notes import NAMED_ROWS, DataNote

GRAM = 4
"""Words in a row by which a prompt is looked up. The 8 of open-instruct's and the 13 of lm-eval's
decontamination miss a prompt of 14 words in which one was changed; one of 40 of IFEval's is as
short."""

MAX_PROMPTS_A_GRAM = 2
"""Grams that stand in more prompts than this are how such prompts are put ("in all lowercase
letters, no capital"), not what one asks: they find none, unless a prompt has no others."""

NEARLY_SAME_SHARE = 0.8
"""Share of a prompt's words that stand in the same order, two or more together. In none of the
292 140 ways to look for one of IFEval's prompts in another, which are put alike, is it as high, and
in 4 400 turns of chats without them it is 0.47 at most; with one word changed anywhere all 541 are
found, with two 537. open-instruct counts words in shared 8-grams and takes a half: by that 14 of
the prompts would be found in others."""

SHORT_PROMPT_WORDS = 8
"""Fewer words are too common to mean the prompt inside a longer text: there the turn must be it."""

DROPPED = "a scored prompt stands there"
"""The reason under which rows are counted that `drop_scored_prompts` leaves out."""

_WORD = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]|\\w+")
"""A word; where a script does not part words, each of its characters is one."""

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")

Words = tuple[str, ...]


class ScoredPrompts:
    """The prompts that a score is measured on, indexed so that a text is looked at once."""

    def __init__(self, prompts: Iterable[tuple[int, str]]) -> None:
        """From pairs of a prompt's key and its text."""
        self._words = {key: words_of(text) for key, text in prompts}
        self._whole: dict[Words, list[int]] = defaultdict(list)
        self._index: dict[Words, list[tuple[int, int]]] = defaultdict(list)
        grams = {key: list(_grams(words)) for key, words in self._words.items()}
        spread = Counter(gram for found in grams.values() for gram in set(found))
        for key, words in self._words.items():
            if words:
                self._whole[words].append(key)
            if len(words) < SHORT_PROMPT_WORDS:
                continue
            most = max(MAX_PROMPTS_A_GRAM, min(spread[gram] for gram in grams[key]))
            for at, gram in enumerate(grams[key]):
                if spread[gram] <= most:
                    self._index[gram].append((key, at))

    def __len__(self) -> int:
        return len(self._words)

    def found_in(self, conversation: Conversation) -> dict[int, bool]:
        """Keys of the prompts that stand in its questions, and whether word for word."""
        found: dict[int, bool] = {}
        for message in conversation.messages:
            if message.role != "assistant":
                for key, exact in self.found_in_text(message.content).items():
                    found[key] = exact or found.get(key, False)
        return found

    def found_in_text(self, text: str) -> dict[int, bool]:
        """The same of one question."""
        found: dict[int, bool] = {}
        for key, exact in self._found(words_of(text)):
            found[key] = exact or found.get(key, False)
        return found

    def _found(self, text: Words) -> Iterator[tuple[int, bool]]:
        for key in self._whole.get(text, ()):
            yield key, True
        grams = _grams(text)
        if self._index.keys().isdisjoint(grams):
            return
        looked: set[tuple[int, int]] = set()
        for place, gram in enumerate(_grams(text)):
            for key, at in self._index.get(gram, ()):
                if (key, place - at) in looked:
                    continue
                looked.add((key, place - at))
                prompt = self._words[key]
                share = shared(prompt, text, max(0, place - at))
                if share >= NEARLY_SAME_SHARE:
                    yield key, share == 1.0


class Contamination:
    """What has been found so far, as notes."""

    def __init__(self, prompts: ScoredPrompts) -> None:
        self.prompts = prompts
        self._rows: dict[bool, list[int]] = {True: [], False: []}
        self._keys: dict[bool, dict[int, None]] = {True: {}, False: {}}

    def look(self, conversation: Conversation, row: int) -> bool:
        """Whether a scored prompt stands in this conversation, which the notes tell then."""
        found = self.prompts.found_in(conversation)
        for exact in {exact for exact in found.values()}:
            self._rows[exact].append(row)
            self._keys[exact].update(dict.fromkeys(k for k, e in found.items() if e is exact))
        return bool(found)

    @property
    def notes(self) -> tuple[DataNote, ...]:
        """At most two: prompts word for word, and nearly so."""
        return tuple(
            DataNote(
                what=self._sentence(exact),
                count=len(rows),
                rows=tuple(rows[:NAMED_ROWS]),
                warning=True,
            )
            for exact, rows in self._rows.items()
            if rows
        )

    def _sentence(self, exact: bool) -> str:
        keys = list(self._keys[exact])
        shown = ", ".join(map(str, keys[:NAMED_ROWS]))
        more = f" and {len(keys) - NAMED_ROWS} more" if len(keys) > NAMED_ROWS else ""
        return (
            f"a scored prompt stands there{'' if exact else ' nearly'} word for word, so that its"
            f" score is not one of an unseen prompt; {len(keys)} of"
            f" {counted(len(self.prompts), 'prompt')}, {'key' if len(keys) == 1 else 'keys'}"
            f" {shown}{more}"
        )


def tell_of_scored_prompts(notes: Iterable[DataNote]) -> bool:
    """Whether notes say that scored prompts stand in rows that are used."""
    return any(n.warning and not n.dropped and n.what.startswith(DROPPED) for n in notes)


def read_scored_prompts(path: Path) -> ScoredPrompts:
    """The prompts of a prompts file by their keys.

    A record without a key goes by its place among the records, from 0: the key that scoring gives
    it (`read_exact_prompts`).

    Raises:
        BadInput: as `RecordStream`, or no record holds a prompt.
        EnvironmentFault: as `RecordStream`.
    """
    found = ScoredPrompts(
        (row["key"] if isinstance(row.get("key"), int) else place, row["prompt"])
        for place, (_, row) in enumerate(RecordStream(path))
        if isinstance(row.get("prompt"), str)
    )
    if not len(found):
        raise BadInput(
            f"prompts {path}: no record has a text under 'prompt'; give the file of prompts that"
            " score"
        )
    return found


def words_of(text: str) -> Words:
    """The words of a text in lower case, without punctuation and white space."""
    if not text.isascii():
        text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return tuple(_WORD.findall(text.casefold()))


def shared(prompt: Words, text: Words, begin: int) -> float:
    """The share (0..1) of a prompt's words that stand in order in a text from about `begin` on.

    1 only where they stand there word for word; below `NEARLY_SAME_SHARE` it may be too high.
    """
    if text[begin : begin + len(prompt)] == prompt:
        return 1.0
    slack = (
        len(prompt) // 4
    )  # more than may be put in before and between without going below NEARLY
    window = text[max(0, begin - slack) : begin + len(prompt) + slack]
    inside = set(window)
    most = sum(word in inside for word in prompt) / len(prompt)
    if most < NEARLY_SAME_SHARE:
        return most  # the order can only make it less, and is dear to look at
    blocks = SequenceMatcher(None, prompt, window, autojunk=False).get_matching_blocks()
    return min(sum(b.size for b in blocks if b.size > 1) / len(prompt), 1 - 1e-9)


def _grams(words: Words) -> Iterator[Words]:
    return zip(*(words[at:] for at in range(GRAM)), strict=False)
