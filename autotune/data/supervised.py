"""Which turns of a record are supervised: the keys by which records say so.

`train` and `train_detail` are axolotl's, whose settings also name `training`; `train` is
open-instruct's and tinker's too. `weight` is 0 or 1 in OpenAI's and Together's formats. `loss` is
ms-swift's and xtuner's, `loss_mask` and `trainable` verl's; LLaMA-Factory has a list `loss_mask` in
the record, and `loss_weight` in a turn. torchtune's `masked` says that a turn is not supervised.

`loss_scale` is ms-swift's too, the `is_...` forms are home-made. Other spellings of a key
(`isTrain`, `lossMask`) are the same key. A part of a text may have a turn's keys too.

Where several keys speak of one turn, a turn is supervised if none says that it is not.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from autotune.data.conversation import Message, Unfit
from autotune.data.values import Remarks, is_blank_value, spelled, truth

TRAINED = (
    "train",
    "training",
    "trained",
    "trainable",
    "train_on",
    "train_on_turn",
    "loss",
    "loss_mask",
    "loss_weight",
    "loss_scale",
    "in_loss",
    "include_in_loss",
    "contribute_to_loss",
    "weight",
    "supervise",
    "supervised",
    "compute_loss",
    "calculate_loss",
    "cal_loss",
)
"""Keys of a turn that are true, or 1, where it is supervised."""

UNTRAINED = (
    "masked",
    "ignore",
    "ignored",
    "ignore_loss",
    "no_loss",
    "no_train",
    "not_train",
    "not_trained",
    "untrained",
    "skip_loss",
    "skip_training",
    "exclude_from_loss",
    "exclude_from_training",
)
"""Keys of a turn that are true, or 1, where it is not supervised."""

UNCLEAR = ("mask", "label_mask")
"""Keys that some write for what is supervised and others for what is not."""

DETAILS = ("train_detail", "training_detail")
"""Keys of a turn that list which characters are supervised."""

TURN_KEYS = frozenset({*TRAINED, *UNTRAINED, *UNCLEAR, *DETAILS})
"""All of these."""

_LISTS = (*TRAINED, "loss_masks", "loss_weights", "weights", "train_mask", "train_masks")
_WHOLE = ("train", "trainable", "loss_mask", "loss_weight", "weight", "sample_weight")
ROW_KEYS = frozenset({*_LISTS, *_WHOLE, "mask", "masks"})
"""Keys of a record that say it of all its turns: one value for each of them, or one for all."""

ASKED_OF_OTHERS = "a turn that is not the assistant's asks to be supervised; it stays context"


def with_supervision(message: Message, turn: dict[str, Any], remarks: Remarks) -> Message:
    """The message with what its turn's keys say of it.

    Raises:
        Unfit: a key holds neither true nor false, or offsets that are none of the text's.
    """
    asked = _asked(turn, remarks)
    spans = _spans(message.content, turn)
    if message.role != "assistant":
        if True in asked or spans:
            remarks.say(ASKED_OF_OTHERS)
        return message
    if spans is not None and not spans:
        asked.append(False)
    return replace(message, trained=all(asked), spans=spans or ())


def by_part(
    message: Message, parts: Sequence[tuple[dict[str, Any], int]], remarks: Remarks
) -> Message:
    """The message with what the parts of its text say, each given with its number of characters.

    Raises:
        Unfit: a key holds neither true nor false.
    """
    asked = [_asked(part, remarks) for part, _ in parts]
    if message.role != "assistant":
        if any(True in each for each in asked):
            remarks.say(ASKED_OF_OTHERS)
        return message
    if all(map(all, asked)):
        return message
    ends = list(accumulate(length for _, length in parts))
    spans = _merged(
        (end - length, end)
        for each, (_, length), end in zip(asked, parts, ends, strict=True)
        if all(each) and length
    )
    return replace(message, trained=message.trained and bool(spans), spans=tuple(spans))


def _asked(holder: dict[str, Any], remarks: Remarks) -> list[bool]:
    """What the keys of a turn, or of a part of it, say: whether it is supervised."""
    asked: list[bool] = []
    for key in holder:
        name = spelled(key)
        said = _said(holder, key, remarks) if name in TURN_KEYS and name not in DETAILS else None
        if said is not None:
            asked.append(said is not (name in UNTRAINED))
    return asked


def by_row(messages: Sequence[Message], row: dict[str, Any], remarks: Remarks) -> list[Message]:
    """The messages with what the record's own keys say of them.

    A list has a value for each message, with or without a system prompt, or for each answer.

    Raises:
        Unfit: as above, a list of another length, or a record that is not to be supervised.
    """
    found = list(messages)
    if row.keys().isdisjoint(ROW_KEYS):
        return found
    for key in ("mask", "masks"):
        if isinstance(row.get(key), list) and row[key]:
            raise Unfit(f"{key!r}: it may mean trained or not, spell it 'loss_mask'")
    for key in dict.fromkeys((*_LISTS, *_WHOLE)):
        value = _opened(row.get(key))
        if is_blank_value(value):
            continue
        if isinstance(value, list):
            for at, one in zip(_places(found, len(value), key), value, strict=True):
                if _said({key: one}, key, remarks) is False and found[at].role == "assistant":
                    found[at] = replace(found[at], trained=False)
        elif key not in _WHOLE or truth(value) is None:
            # A column of such a name may be about anything, such as somebody's weight.
            remarks.say(f"{key!r} of the record says nothing of what is supervised", warning=True)
        elif _said(row, key, remarks) is False:
            raise Unfit(f"{key!r} says that it is not supervised")
    return found


def _opened(value: Any) -> Any:
    """The list that a table of text holds in a cell; anything else as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _places(messages: list[Message], values: int, key: str) -> list[int]:
    """Of which messages so many values speak."""
    every = list(range(len(messages)))
    for places in (
        every,
        [at for at in every if messages[at].role != "system"],
        [at for at in every if messages[at].role == "assistant"],
    ):
        if len(places) == values:
            return places
    raise Unfit(f"{key!r} has another length than the list of turns")


def _said(holder: dict[str, Any], key: str, remarks: Remarks) -> bool | None:
    value = holder.get(key)
    if is_blank_value(value):
        return None
    if spelled(key) in UNCLEAR:
        raise Unfit(f"{key!r} of a turn: it may mean trained or not, spell it 'train'")
    found = truth(value)
    if isinstance(found, bool):
        return found
    if found is None or found < 0 or spelled(key) in UNTRAINED:
        raise Unfit(f"{key!r} that is neither true nor false, 1 nor 0")
    remarks.say(f"{key!r} is neither 0 nor 1; it counts as 1", warning=True)
    return True


def _spans(text: str, turn: dict[str, Any]) -> tuple[tuple[int, int], ...] | None:
    """The characters [begin, end) that are supervised, None where no key speaks of them.

    axolotl's offsets count characters from 0, `end_offset` is that of the last one, and what no
    entry speaks of is not supervised.
    """
    for key, details in turn.items():
        if spelled(key) not in DETAILS or is_blank_value(details):
            continue
        content = turn["content"] if turn.get("content") is not None else turn.get("value")
        if not isinstance(details, list) or not isinstance(content, str):
            raise Unfit(f"{key!r} that is not a list of offsets in a text")
        return tuple(_merged(filter(None, (_span(text, entry, key) for entry in details))))
    return None


def _span(text: str, entry: Any, key: str) -> tuple[int, int] | None:
    """The characters that one entry asks to be supervised."""
    wrong = Unfit(f"{key!r} whose offsets are not those of its text")
    if not isinstance(entry, dict):
        raise wrong
    begin, end = entry.get("begin_offset"), entry.get("end_offset")
    train = truth(entry.get("train"))
    if type(begin) is not int or type(end) is not int or not isinstance(train, bool):
        raise wrong
    if not 0 <= begin <= end or begin >= len(text):
        raise wrong
    return (begin, min(end + 1, len(text))) if train else None


def _merged(spans: Any) -> list[tuple[int, int]]:
    """Spans in order, those that touch made one."""
    found: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((begin, end))
    return found
