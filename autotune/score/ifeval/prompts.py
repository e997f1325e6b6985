"""A prompt of IFEval: with the instructions that its answer must follow."""

from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from autotune.score.ifeval.arguments import Argument
from autotune.score.ifeval.instructions import INSTRUCTIONS, Instructions, read_arguments
from autotune.score.prompts import Prompt, PromptFault, key_and_text, read_prompts

_FIELDS = ("key", "prompt", "instruction_id_list", "kwargs")
_NAMES = "key, prompt, instruction_id_list and kwargs"


class IFEvalPrompt(Prompt):
    """One prompt; `kwargs` has one mapping of arguments for each id in `instruction_id_list`."""

    model_config = ConfigDict(extra="forbid")

    instruction_id_list: tuple[str, ...]
    kwargs: tuple[dict[str, Argument], ...]


def read_ifeval_prompts(path: Path, known: Instructions = INSTRUCTIONS) -> tuple[IFEvalPrompt, ...]:
    """The prompts of a JSON Lines file with `key`, `prompt`, `instruction_id_list`, `kwargs`.

    Arguments that are null are dropped: some exports pad every instruction with all names. An
    instruction that is not among the `known` is refused.

    Raises:
        BadInput: the first fault, as `file:line: what`, or a file without prompts.
    """
    return read_prompts(path, lambda record, _: _prompt(record, known), _NAMES)


def _prompt(record: dict[str, Any], known: Instructions) -> IFEvalPrompt:
    """The prompt of one record; raises PromptFault."""
    for name in record:
        if name not in _FIELDS:
            close = get_close_matches(name, _FIELDS, n=1, cutoff=0.0)[0]
            raise PromptFault(f"unknown key {name!r}; the nearest known is {close!r}")
    for name in _FIELDS:
        if name not in record:
            raise PromptFault(f"lacks {name!r}; a prompt has {_NAMES}")
    key, text = key_and_text(record)
    ids, kwargs = record["instruction_id_list"], record["kwargs"]
    if not isinstance(ids, list) or not ids or not all(isinstance(name, str) for name in ids):
        raise PromptFault("instruction_id_list must be a list of at least one instruction id")
    if not isinstance(kwargs, list) or not all(isinstance(k, dict | None) for k in kwargs):
        raise PromptFault("kwargs must be a list of objects, one for each instruction id")
    if len(ids) != len(kwargs):
        raise PromptFault(
            f"{len(ids)} instruction ids but {len(kwargs)} kwargs; each id needs one object"
        )
    arguments = [read_arguments(i, k or {}, known) for i, k in zip(ids, kwargs, strict=True)]
    return IFEvalPrompt(
        key=key, prompt=text, instruction_id_list=tuple(ids), kwargs=tuple(arguments)
    )
