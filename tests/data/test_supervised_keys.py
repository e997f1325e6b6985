"""Keys that say which turns are trained on are honoured, in every spelling that is known."""

from pathlib import Path
from typing import Any

import pytest

from autotune.data.load import load_conversations
from autotune.data.reading import CONTEXT, detect_format
from autotune.protocol.data_notes import note_sentence
from autotune.protocol.plan import DataSpec
from tests.wholefiles import adapt

REPORTED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "reported"
needs_reported = pytest.mark.skipif(not REPORTED.is_dir(), reason=f"no reported data: {REPORTED}")

ASK = {"role": "user", "content": "q"}
GOOD = {"role": "assistant", "content": "train this"}


def bad(**keys: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": "context", **keys}


def read(*rows: dict[str, Any], format: str = "messages") -> tuple[list[list[bool]], list[str]]:
    """Of each kept row, which answers are trained on; and what is said."""
    adapted = adapt(rows, format)
    trained = [[r.assistant.trained for r in c.rounds] for c in adapted.conversations]
    assert len(trained) + sum(adapted.dropped.values()) == len(rows)
    return trained, [note_sentence(note) for note in adapted.notes if note.what != CONTEXT]


@pytest.mark.parametrize(
    "keys",
    [
        {"weight": 0},
        {"weight": 0.0},
        {"weight": "0"},
        {"train": False},
        {"train": "False"},
        {"training": False},
        {"loss": False},
        {"loss_mask": 0},
        {"loss_weight": 0.0},
        {"trainable": False},
        {"train_on_turn": False},
        {"supervise": False},
        {"loss_scale": 0},
        {"is_train": False},
        {"shouldTrain": False},
        {"lossMask": 0},
        {"Weight": 0},
        {"masked": True},
        {"isMasked": True},
        {"do_not_train": True},
        {"ignore_loss": 1},
        {"trainDetail": [{"begin_offset": 0, "end_offset": 6, "train": False}]},
        {"train_detail": [{"begin_offset": 0, "end_offset": 6, "train": False}]},
        {"train": True, "weight": 0},
        {"train": None, "weight": 0, "masked": None, "train_detail": []},
    ],
    ids=str,
)
def test_a_turn_that_says_so_is_context_and_the_others_are_trained_on(keys: dict[str, Any]) -> None:
    assert read({"messages": [ASK, bad(**keys), ASK, GOOD]}) == ([[False, True]], [])
    # Nothing to learn from is left where it was the only answer.
    assert read({"messages": [ASK, bad(**keys)]}) == (
        [],
        ["1 row dropped: no supervised answer (row 1)"],
    )


@pytest.mark.parametrize(
    "keys",
    [
        {"weight": 1},
        {"weight": 1.0, "train": True, "loss": True, "loss_mask": 1, "masked": False},
        {"train": None, "weight": None, "mask": None, "train_detail": None},
        {"loss_weight": 1.0, "train": "true"},
    ],
    ids=str,
)
def test_a_turn_that_says_that_it_is_trained_on_is(keys: dict[str, Any]) -> None:
    assert read({"messages": [ASK, {**GOOD, **keys}]}) == ([[True]], [])


@pytest.mark.parametrize("key", [{"weight": 0}, {"train": False}, {"masked": True}], ids=str)
def test_a_part_of_a_text_that_says_so_is_context_and_the_others_are_trained_on(
    key: dict[str, Any],
) -> None:
    def turn(*parts: dict[str, Any], **keys: Any) -> dict[str, Any]:
        return {"role": "assistant", "content": [{"type": "text", **p} for p in parts], **keys}

    some = turn({"text": "one"}, {"text": "two", **key}, {"text": "three", "weight": 1}, name="A")
    none, whole = turn({"text": "gone", **key}), turn({"text": "a"}, {"text": "b", "train": None})
    adapted = adapt([{"messages": [ASK, some, ASK, none, ASK, whole]}], "messages")
    answers = [r.assistant for r in adapted.conversations[0].rounds]
    assert [(a.content, a.trained, a.spans) for a in answers] == [
        ("onetwothree", True, ((0, 3), (6, 11))),
        ("gone", False, ()),
        ("ab", True, ()),
    ]
    assert [note_sentence(note) for note in adapted.notes] == [
        f"1 row: {CONTEXT} (row 1)",
        "1 row: key 'messages[].name' is not used (row 1)",
    ]
    parts = turn({"text": "one"}, {"text": "two", **key})["content"]
    (alone,) = adapt([{"prompt": "q", "completion": parts}], "prompt_completion").conversations
    assert alone.rounds[0].assistant.spans == ((0, 3),)
    unsaid = adapt([{"messages": [ASK, turn({"text": "a", "weight": 0}, weight=1)]}], "messages")
    assert unsaid.dropped == {"no supervised answer": 1}
    dropped = adapt([{"messages": [ASK, turn({"text": "a", "mask": 1})]}], "messages").dropped
    assert list(dropped) == ["'mask' of a turn: it may mean trained or not, spell it 'train'"]


def test_a_value_that_is_no_truth_is_counted_and_said() -> None:
    half = {"messages": [ASK, bad(weight=0.5)]}
    assert read(half, half) == (
        [[True], [True]],
        ["2 rows: 'weight' is neither 0 nor 1; it counts as 1 (rows 1, 2)"],
    )
    for keys in ({"weight": "yes"}, {"train": "maybe"}, {"weight": -1}, {"masked": 0.5}):
        (key,) = keys
        assert read({"messages": [ASK, bad(**keys)]}) == (
            [],
            [f"1 row dropped: {key!r} that is neither true nor false, 1 nor 0 (row 1)"],
        )
    assert read({"messages": [ASK, bad(mask=1)]}) == (
        [],
        ["1 row dropped: 'mask' of a turn: it may mean trained or not, spell it 'train' (row 1)"],
    )


def test_an_unknown_spelling_is_warned_of() -> None:
    (note,) = adapt([{"messages": [ASK, bad(no_train_please=True)]}], "messages").notes
    assert note.warning
    assert note_sentence(note) == (
        "1 row: key 'messages[].no_train_please' is not used, though it may say what is supervised"
        " (row 1)"
    )


def test_a_user_turn_that_asks_to_be_trained_on_stays_context_and_that_is_said() -> None:
    trained, said = read({"messages": [{**ASK, "train": True}, GOOD]})
    assert trained == [[True]]
    assert said == [
        "1 row: a turn that is not the assistant's asks to be supervised; it stays context (row 1)"
    ]
    assert read({"messages": [{**ASK, "weight": 0}, GOOD]}) == ([[True]], [])


@pytest.mark.parametrize(
    "key", ["loss_mask", "loss_masks", "weights", "weight", "loss", "train", "train_mask"]
)
@pytest.mark.parametrize(
    "values", [[0, 0, 0, 1], [0, 1], [False, False, True, True], "[0, 0, 0, 1]", " [0.0, 1.0]"]
)
def test_a_list_of_the_record_says_it_of_each_turn_or_of_each_answer(
    key: str, values: list[Any]
) -> None:
    row = {"conversations": [ASK, bad(), ASK, GOOD], key: values}
    assert read(row, format="conversations") == ([[False, True]], [])
    with_system = {**row, "system": "s"}
    assert read(with_system, format="conversations") == ([[False, True]], [])


def test_a_list_that_fits_nothing_drops_the_row_and_so_does_a_record_of_weight_0() -> None:
    row = {"messages": [ASK, bad(), ASK, GOOD]}
    rows = [{**row, "loss_mask": [1, 0, 1]}, {**row, "weight": 0}, {**row, "mask": [0, 1]}]
    assert read(*rows) == (
        [],
        [
            "1 row dropped: 'loss_mask' has another length than the list of turns (row 1)",
            "1 row dropped: 'weight' says that it is not supervised (row 2)",
            "1 row dropped: 'mask': it may mean trained or not, spell it 'loss_mask' (row 3)",
        ],
    )
    trained, said = read({**row, "weight": 2.5}, {**row, "weight": "70 kg"})
    assert trained == [[True, True]] * 2
    assert said == [
        "1 row: 'weight' is neither 0 nor 1; it counts as 1 (row 1)",
        "1 row: 'weight' of the record says nothing of what is supervised (row 2)",
    ]


def test_offsets_name_the_characters_that_are_trained_on_the_last_one_included() -> None:
    text = "I'm doing very well, thank you!"
    details = [
        {"begin_offset": 0, "end_offset": 8, "train": False},
        {"begin_offset": 9, "end_offset": 18, "train": True},
        {"begin_offset": 19, "end_offset": 30, "train": False},
    ]
    for key in ("train_detail", "training_detail"):
        turn = {"from": "gpt", "value": text, key: details}
        row = {"conversations": [{"from": "human", "value": "How are you?"}, turn]}
        (conversation,) = adapt([row], "conversations").conversations
        ((begin, end),) = conversation.rounds[0].assistant.spans
        assert text[begin:end] == " very well"
    touching = [
        {"begin_offset": at, "end_offset": at + 1, "train": True} for at in (4, 2, 0, 29, 30)
    ]
    row = {"messages": [ASK, {"role": "assistant", "content": text, "train_detail": touching}]}
    (conversation,) = adapt([row], "messages").conversations
    assert conversation.rounds[0].assistant.spans == ((0, 6), (29, 31))


@pytest.mark.parametrize(
    "entry",
    [
        {"begin_offset": 3, "end_offset": 2, "train": True},
        {"begin_offset": -1, "end_offset": 2, "train": True},
        {"begin_offset": 99, "end_offset": 100, "train": True},
        {"begin_offset": 0, "end_offset": 1.5, "train": True},
        {"begin_offset": 0, "end_offset": 2},
        {"begin_offset": 0, "end_offset": 2, "train": "maybe"},
        "0-2",
    ],
    ids=str,
)
def test_offsets_that_are_none_of_the_text_drop_the_row(entry: Any) -> None:
    assert read({"messages": [ASK, bad(train_detail=[entry])]}) == (
        [],
        ["1 row dropped: 'train_detail' whose offsets are not those of its text (row 1)"],
    )


def test_of_prompt_and_completion_only_the_completion_is_trained_on() -> None:
    row = {"prompt": [ASK, bad(), ASK], "completion": [GOOD, ASK, bad(weight=0), ASK, GOOD]}
    assert read(row, format="prompt_completion") == ([[False, True, False, True]], [])
    spelled = {
        "prompt": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "c"}, ASK],
        "completion": "plain",
    }
    assert read(spelled, format="prompt_completion") == ([[False, True]], [])


@needs_reported
@pytest.mark.parametrize("name", ["turn_weight", "prompt_with_context_answers"])
def test_reported_context_answers_are_not_trained_on(name: str) -> None:
    adapted = load_conversations(DataSpec(path=str(REPORTED / f"{name}.jsonl"), format="auto"))
    (conversation,) = adapted.conversations
    assert [r.assistant.trained for r in conversation.rounds] == [False, True]
    assert [note_sentence(note) for note in adapted.notes] == [f"1 row: {CONTEXT} (row 1)"]


def test_the_format_is_found_where_other_columns_are_padded() -> None:
    turns = [ASK, GOOD]
    for padding in (
        {"messages": None},
        {"messages": []},
        {"messages": None, "instruction": None, "output": None},
        {"prompt": None, "completion": None, "instruction": "", "output": ""},
    ):
        row = {**padding, "conversations": turns}
        assert detect_format([row]).format == "conversations", padding
    row = {"messages": [], "instruction": "i", "input": None, "output": "o", "prompt": None}
    assert detect_format([row]).format == "alpaca"
