"""The prompts to answer: what every scorer's have in common, their files, and fixed subsets."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict, ValidationError

from autotune.base.errors import BadInput, EnvironmentFault
from autotune.base.format import counted, quoted
from autotune.base.model import Boundary
from autotune.score.jsonl import read_objects, shape


class Prompt(Boundary):
    """An id and a text. A scorer's own prompts add what it judges by (`Scorer.prompt_type`).

    Read as this type, a record of any scorer's prompt gives its id and text.

    Example:
        class MathPrompt(Prompt):
            model_config = ConfigDict(extra="forbid")
            answer: str
    """

    model_config = ConfigDict(extra="ignore")

    key: int
    prompt: str


Own = TypeVar("Own", bound=Prompt)


class PromptFault(Exception):
    """Why a record is no prompt of a scorer, in words."""


class RefusedPrompt(BadInput):
    """A record of a prompts file that is no prompt of a scorer: `place: why`."""

    def __init__(self, place: str, why: str, record: Mapping[str, Any]) -> None:
        super().__init__(f"{place}: {why}")
        self.place = place
        self.record = record


def read_prompts(
    path: Path, prompt_of: Callable[[dict[str, Any], int], Own], fields: str
) -> tuple[Own, ...]:
    """The prompts of a JSON Lines file, each with a key of its own.

    `prompt_of` makes one of a record and its number from 0, or raises PromptFault. `fields` are
    those that a record has, in words.

    Raises:
        BadInput: the first fault, as `file:line: what` (a `RefusedPrompt` where it is one record's
            own), or a file without prompts.
    """
    prompts: list[Own] = []
    seen: dict[int, str] = {}
    for place, record in read_objects(path):
        try:
            prompt = prompt_of(record, len(prompts))
        except PromptFault as fault:
            raise RefusedPrompt(place, str(fault), record) from None
        if prompt.key in seen:
            raise BadInput(
                f"{place}: key {prompt.key} is taken by {seen[prompt.key]};"
                " every prompt needs a key of its own"
            )
        seen[prompt.key] = place
        prompts.append(prompt)
    if not prompts:
        raise BadInput(f"{path}: no prompts; write one JSON object a line, with {fields}")
    return tuple(prompts)


def repeated_line(prompts: Sequence[Prompt]) -> str | None:
    """Says that a text is asked more than once, which is scored each time; None where none is."""
    keys: dict[str, list[int]] = {}
    for prompt in prompts:
        keys.setdefault(prompt.prompt.strip(), []).append(prompt.key)
    again = [same for same in keys.values() if len(same) > 1]
    if not again:
        return None
    stand = "stands" if len(again) == 1 else "stand"
    first, last = ", ".join(map(str, again[0][:-1])), again[0][-1]
    return (
        f"{counted(len(again), 'prompt')} of {len(keys)} {stand} more than once in the prompts"
        f" (first: keys {first} and {last}): scored each time, and an answer without a key counts"
        " for all of them"
    )


def key_and_text(record: dict[str, Any]) -> tuple[int, str]:
    """The checked `key` and `prompt` of a record.

    Raises:
        PromptFault: one of them is not what it must be.
    """
    key, text = record["key"], record["prompt"]
    if isinstance(key, bool) or not isinstance(key, int):
        raise PromptFault(f"key must be a whole number, not {shape(key)}")
    if not isinstance(text, str) or not text.strip():
        raise PromptFault("prompt must be a text that is not blank")
    demand_characters("prompt", text)
    return key, text


def demand_characters(name: str, text: str) -> None:
    """Refuse a text that no UTF-8 file can hold.

    Raises:
        PromptFault: it holds half of a surrogate pair.
    """
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise PromptFault(f"{name} holds half of a surrogate pair; write the whole character")


def written_prompts(path: Path, kind: type[Own]) -> tuple[Own, ...]:
    """The prompts of a run folder, which were read and checked before they were written there.

    `kind` is the scorer's `prompt_type`, or `Prompt` where only ids and texts are asked for.

    Raises:
        EnvironmentFault: the file was damaged since.
    """
    try:
        lines = path.read_bytes().splitlines()
        found = tuple(kind.model_validate_json(line) for line in lines)
    except (OSError, ValidationError) as error:
        why = getattr(error, "strerror", None) or "a line is no prompt"
        raise EnvironmentFault(_damaged(path, why)) from None
    if not found:
        raise EnvironmentFault(_damaged(path, "empty"))
    return found


def _damaged(path: Path, why: str) -> str:
    return (
        f"{path}: damaged ({why}); give the command again that began this folder's run, with"
        f" --run-dir {quoted(str(path.parent))}, and it is written again"
    )


def as_own(kind: type[Own], prompts: Iterable[Prompt]) -> tuple[Own, ...]:
    """The same prompts, which a scorer has read itself, as its own type.

    Raises:
        TypeError: they are another scorer's.
    """
    own = []
    for prompt in prompts:
        if not isinstance(prompt, kind):
            raise TypeError(f"prompt {prompt.key} is a {type(prompt).__name__}, no {kind.__name__}")
        own.append(prompt)
    return tuple(own)


def subset(prompts: Sequence[Own], count: int, seed: int) -> tuple[Own, ...]:
    """A fixed choice of `count` prompts, in the order of `prompts`; all of them if there are fewer.

    Each prompt is ranked by a hash of the seed and its key. So the choice depends neither on the
    order of the file nor on the Python version, and a larger count keeps what a smaller one chose.

    Raises:
        BadInput: a count below 1.
    """
    if count < 1:
        raise BadInput(f"prompt count {count}: must be at least 1; leave it out to use all prompts")

    def rank(prompt: Prompt) -> bytes:
        return hashlib.sha256(f"{seed}:{prompt.key}".encode()).digest()

    chosen = {prompt.key for prompt in sorted(prompts, key=rank)[:count]}
    return tuple(prompt for prompt in prompts if prompt.key in chosen)
