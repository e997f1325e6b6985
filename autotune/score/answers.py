"""The answers of a model, one record a line, and which prompt each belongs to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from autotune.base.errors import BadInput
from autotune.base.model import Boundary
from autotune.score.jsonl import ObjectLines, read_objects
from autotune.score.prompts import Prompt


class Answer(Boundary):
    """One line of `responses.jsonl`.

    `finish` says how generation ended: `stop` by a token that ends the turn, `length` at the cap.
    `new_tokens` is the length of the answer in tokens. `sample` is its number, from 0, among the
    answers that were drawn for its prompt; a greedy answer has none, and its line no such field.
    Files of other tools have only `prompt` and `response`; a `response` of None is an answer that
    was never given.
    """

    key: int | None = None
    prompt: str
    response: str | None
    finish: Literal["stop", "length"] | None = None
    new_tokens: int | None = None
    sample: Annotated[int, Field(ge=0)] | None = None

    @model_serializer(mode="wrap")
    def _without_no_sample(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        record: dict[str, Any] = write(self)
        if self.sample is None:
            record.pop("sample", None)
        return record


def count_answers(path: Path) -> int:
    """How many whole lines of answers are on disk, unread; 0 where there is no file."""
    try:
        return path.read_bytes().count(b"\n")
    except OSError:
        return 0


def read_answers(path: Path) -> tuple[Answer, ...]:
    """The answers of a JSON Lines file, ours or another tool's.

    Keys that are not ours are passed over, and so is a last line that a killed writer cut off.
    Halves of surrogate pairs, which no UTF-8 file can hold, become U+FFFD.

    Raises:
        BadInput: `file:line: what` for a line that is no answer.
    """
    return tuple(
        _answer(place, record) for place, record in read_objects(path, allow_truncated_end=True)
    )


@dataclass(frozen=True, slots=True)
class Found:
    """What a file of answers holds for some prompts.

    `answers` are those that belong to a prompt, in the order of the file. Of the others of `seen`,
    `unknown` belong to none, and `replaced` to one that another answer counts for; the first of
    either is `first_unknown` and `first_replaced`. `truncated_end` is whether the last line was cut
    off, and left out.
    """

    answers: tuple[Answer, ...]
    seen: int
    unknown: int
    replaced: int
    first_unknown: Answer | None
    first_replaced: Answer | None
    truncated_end: bool


def answers_to(path: Path, prompts: Sequence[Prompt]) -> Found:
    """The answers of a file that belong to these prompts; the others are read and forgotten.

    So the memory it takes depends on the prompts and not on the file.

    Raises:
        BadInput: as `read_answers`.
    """
    lines = ObjectLines(path, allow_truncated_end=True)
    matching = Matching(prompts)
    for place, record in lines:
        matching.take(_answer(place, record))
    kept = matching.kept()
    return Found(
        answers=tuple(kept),
        seen=matching.seen,
        unknown=matching.unknown,
        replaced=matching.seen - matching.unknown - len(kept),
        first_unknown=matching.first_unknown,
        first_replaced=matching.first_replaced,
        truncated_end=lines.truncated_end,
    )


def match(
    prompts: Sequence[Prompt], answers: Iterable[Answer]
) -> tuple[dict[int, Answer], tuple[int, ...]]:
    """Prompt key -> its answer, and the keys of the prompts that have none; see `Matching`."""
    matching = Matching(prompts)
    for answer in answers:
        matching.take(answer)
    matched = matching.matched()
    return matched, tuple(prompt.key for prompt in prompts if prompt.key not in matched)


Slot = tuple[str, int | str]


class Matching:
    """Takes answers one by one and keeps those that belong to a prompt.

    An answer with a key belongs to the prompt of that key if their texts agree (white space aside):
    a prompt that was reworded since is another question. One without a key belongs to the prompts
    of its text, or else to those that differ in the white space at their ends only, which tools and
    editors add and take away. Of several answers to a prompt the last counts, and one with a key
    before one without.
    """

    def __init__(self, prompts: Sequence[Prompt]) -> None:
        self.prompts = {prompt.key: prompt for prompt in prompts}
        self.wanted = {slot for prompt in prompts for slot in _slots(prompt)}
        self.taken: dict[Slot, tuple[int, Answer]] = {}
        self.seen = 0
        self.unknown = 0
        self.first_unknown: Answer | None = None
        self._replaced: tuple[int, Answer] | None = None

    def take(self, answer: Answer) -> None:
        """Look at one more answer."""
        self.seen += 1
        mine = [slot for slot in self._asked(answer) if slot in self.wanted]
        replaced = [self.taken[slot] for slot in mine if slot in self.taken]
        self.taken |= dict.fromkeys(mine, (self.seen, answer))
        for gone in replaced:
            if all(self.taken[s][0] != gone[0] for s in self._asked(gone[1]) if s in self.taken):
                self._replace(gone)
        if not mine:
            self.unknown += 1
            self.first_unknown = self.first_unknown or answer

    def matched(self) -> dict[int, Answer]:
        """Prompt key -> its answer."""
        return {key: answer for key, (_, answer) in self._found().items()}

    def kept(self) -> list[Answer]:
        """Each answer that belongs to a prompt once, in the order in which they came."""
        return [answer for _, answer in sorted({n: a for n, a in self._found().values()}.items())]

    @property
    def first_replaced(self) -> Answer | None:
        """The first answer to a prompt so far that another counts for."""
        used = {number for number, _ in self._found().values()}
        unused = [each for each in self.taken.values() if each[0] not in used]
        replaced = unused if self._replaced is None else [*unused, self._replaced]
        return min(replaced, key=lambda each: each[0], default=(0, None))[1]

    def _asked(self, answer: Answer) -> Sequence[Slot]:
        """The prompts that an answer may be one to."""
        if answer.key is None:
            return ("text", answer.prompt), ("ends", answer.prompt.strip())
        prompt = self.prompts.get(answer.key)
        if prompt is None or (
            answer.prompt != prompt.prompt and answer.prompt.split() != prompt.prompt.split()
        ):
            return ()
        return (("key", answer.key),)

    def _found(self) -> dict[int, tuple[int, Answer]]:
        """Prompt key -> the number of its answer, and the answer."""
        found = {}
        for key, prompt in self.prompts.items():
            slot = next((slot for slot in _slots(prompt) if slot in self.taken), None)
            if slot is not None:
                found[key] = self.taken[slot]
        return found

    def _replace(self, numbered: tuple[int, Answer]) -> None:
        if self._replaced is None or numbered[0] < self._replaced[0]:
            self._replaced = numbered


def _slots(prompt: Prompt) -> Sequence[Slot]:
    """How an answer may name a prompt, the surest first."""
    return ("key", prompt.key), ("text", prompt.prompt), ("ends", prompt.prompt.strip())


_RULES = {
    "key": "a whole number, or left out",
    "prompt": "a text",
    "response": "a text, or null where none was given",
    "finish": "stop, length or left out",
    "new_tokens": "a whole number, or left out",
    "sample": "a whole number from 0, or left out",
}
"""What the fields of an answer must be."""


def _answer(place: str, record: dict[str, Any]) -> Answer:
    known = {name: _whole(value) for name, value in record.items() if name in Answer.model_fields}
    try:
        return Answer.model_validate(known)
    except ValidationError as error:
        first = error.errors()[0]
        name = first["loc"][0]
        if first["type"] == "missing":
            raise BadInput(f"{place}: lacks {name!r}; an answer has prompt and response") from None
        rule = _RULES[str(name)]
        raise BadInput(f"{place}: {name} is {first['input']!r}: must be {rule}") from None


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value
