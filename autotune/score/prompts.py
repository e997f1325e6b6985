"""The prompts to answer, in IFEval's format, and fixed subsets of them."""

import hashlib
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from autotune.base.errors import BadInput, EnvironmentFault
from autotune.base.format import quoted
from autotune.base.model import Boundary
from autotune.score.ifeval.instructions import (
    INSTRUCTIONS,
    Argument,
    ArgumentFault,
    Instructions,
    read_arguments,
)
from autotune.score.jsonl import read_objects, shape


class Prompt(Boundary):
    """One prompt with the instructions that its answer must follow.

    `kwargs` has one mapping of arguments for each id in `instruction_id_list`.
    """

    key: int
    prompt: str
    instruction_id_list: tuple[str, ...]
    kwargs: tuple[dict[str, Argument], ...]


def read_prompts(path: Path, known: Instructions = INSTRUCTIONS) -> tuple[Prompt, ...]:
    """The prompts of a JSON Lines file with `key`, `prompt`, `instruction_id_list`, `kwargs`.

    Arguments that are null are dropped: some exports pad every instruction with all names. `known`
    are the instructions of the scorer that will judge; any other is refused.

    Raises:
        BadInput: the first fault, as `file:line: what`, or a file without prompts.
    """
    prompts: list[Prompt] = []
    seen: dict[int, str] = {}
    for place, record in read_objects(path):
        try:
            prompt = _prompt(record, known)
        except ArgumentFault as fault:
            raise BadInput(f"{place}: {fault}") from None
        if prompt.key in seen:
            raise BadInput(
                f"{place}: key {prompt.key} is taken by {seen[prompt.key]};"
                " every prompt needs a key of its own"
            )
        seen[prompt.key] = place
        prompts.append(prompt)
    if not prompts:
        raise BadInput(f"{path}: no prompts; write one JSON object a line, with {_NAMES}")
    return tuple(prompts)


def written_prompts(path: Path) -> tuple[Prompt, ...]:
    """The prompts of a run folder, which were read and checked before they were written there.

    Raises:
        EnvironmentFault: the file was damaged since.
    """
    try:
        lines = path.read_bytes().splitlines()
        found = tuple(Prompt.model_validate_json(line) for line in lines)
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


def subset(prompts: Sequence[Prompt], count: int, seed: int) -> tuple[Prompt, ...]:
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


_FIELDS = ("key", "prompt", "instruction_id_list", "kwargs")
_NAMES = "key, prompt, instruction_id_list and kwargs"


def _prompt(record: dict[str, Any], known: Instructions) -> Prompt:
    """The prompt of one record; raises ArgumentFault."""
    for name in record:
        if name not in _FIELDS:
            close = get_close_matches(name, _FIELDS, n=1, cutoff=0.0)[0]
            raise ArgumentFault(f"unknown key {name!r}; the nearest known is {close!r}")
    for name in _FIELDS:
        if name not in record:
            raise ArgumentFault(f"lacks {name!r}; a prompt has {_NAMES}")
    key, text = record["key"], record["prompt"]
    if isinstance(key, bool) or not isinstance(key, int):
        raise ArgumentFault(f"key must be a whole number, not {shape(key)}")
    if not isinstance(text, str) or not text.strip():
        raise ArgumentFault("prompt must be a text that is not blank")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ArgumentFault("prompt holds half of a surrogate pair; write the whole character")
    ids, kwargs = record["instruction_id_list"], record["kwargs"]
    if not isinstance(ids, list) or not ids or not all(isinstance(name, str) for name in ids):
        raise ArgumentFault("instruction_id_list must be a list of at least one instruction id")
    if not isinstance(kwargs, list) or not all(isinstance(k, dict | None) for k in kwargs):
        raise ArgumentFault("kwargs must be a list of objects, one for each instruction id")
    if len(ids) != len(kwargs):
        raise ArgumentFault(
            f"{len(ids)} instruction ids but {len(kwargs)} kwargs; each id needs one object"
        )
    arguments = [read_arguments(i, k or {}, known) for i, k in zip(ids, kwargs, strict=True)]
    return Prompt(key=key, prompt=text, instruction_id_list=tuple(ids), kwargs=tuple(arguments))
