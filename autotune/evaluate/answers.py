"""The answers of a model, one record a line, and which prompt each belongs to."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from autotune.boundary import Boundary
from autotune.errors import BadInput
from autotune.evaluate.jsonl import read_objects
from autotune.evaluate.prompts import Prompt


class Answer(Boundary):
    """One line of `responses.jsonl`.

    `finish` says how generation ended: `stop` by a token that ends the turn, `length` at the cap.
    `new_tokens` is the length of the answer in tokens. Files of other tools have only `prompt` and
    `response`; a `response` of None is an answer that was never given.
    """

    key: int | None = None
    prompt: str
    response: str | None
    finish: Literal["stop", "length"] | None = None
    new_tokens: int | None = None


def read_answers(path: Path) -> tuple[Answer, ...]:
    """The answers of a JSON Lines file, ours or another tool's.

    Keys that are not ours are passed over, and so is a torn last line, which a killed writer
    leaves. Halves of surrogate pairs, which no UTF-8 file can hold, become U+FFFD.

    Raises:
        BadInput: `file:line: what` for a line that is no answer.
    """
    return tuple(_answer(place, record) for place, record in read_objects(path, torn_end=True))


def match(
    prompts: Sequence[Prompt], answers: Sequence[Answer]
) -> tuple[dict[int, Answer], tuple[int, ...]]:
    """Prompt key -> its answer, and the keys of the prompts that have none.

    An answer with a key belongs to the prompt of that key if their texts agree (white space aside):
    a prompt that was reworded since is another question. One without a key belongs to the prompt
    with exactly its text. Of several answers to a prompt the last counts.
    """
    keyed = {answer.key: answer for answer in answers if answer.key is not None}
    by_text = {answer.prompt: answer for answer in answers if answer.key is None}
    matched: dict[int, Answer] = {}
    for prompt in prompts:
        answer = keyed.get(prompt.key)
        if answer is None or answer.prompt.split() != prompt.prompt.split():
            answer = by_text.get(prompt.prompt)
        if answer is not None:
            matched[prompt.key] = answer
    return matched, tuple(prompt.key for prompt in prompts if prompt.key not in matched)


def _answer(place: str, record: dict[str, Any]) -> Answer:
    known = {name: _whole(value) for name, value in record.items() if name in Answer.model_fields}
    try:
        return Answer.model_validate(known)
    except ValidationError as error:
        first = error.errors()[0]
        name = first["loc"][0]
        if first["type"] == "missing":
            raise BadInput(f"{place}: lacks {name!r}; an answer has prompt and response") from None
        raise BadInput(f"{place}: {name} is {first['input']!r}: {first['msg']}") from None


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value
