"""No key of a record is passed over: it is read, or it is named with how many rows have it."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autotune.data.formats import FORMATS, format_of
from autotune.data.load import load_conversations
from autotune.data.values import is_blank_value
from autotune.protocol.data_notes import note_sentence
from autotune.protocol.plan import DataSpec
from tests.data.test_supervised_keys import ASK, GOOD, REPORTED, needs_reported, read
from tests.wholefiles import adapt

CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "7C"}


@pytest.mark.parametrize(
    "said", [{"content": "Let me look."}, {}, {"content": None}, {"content": ""}]
)
@pytest.mark.parametrize(
    "call",
    [
        {"tool_calls": [CALL]},
        {"function_call": CALL["function"]},
        {"tool_calls": "[{}, 1]"},
        {"toolCalls": [CALL]},
        {"tool_use": CALL},
    ],
)
def test_a_tool_call_drops_the_row_however_it_is_spelled(said: Any, call: Any) -> None:
    row = {"messages": [ASK, {"role": "assistant", **said, **call}, RESULT, GOOD]}
    (key,) = call
    trained, found = read({"messages": [ASK, GOOD]}, row)
    assert trained == [[True]]
    assert found[0] == (
        f"1 row dropped: {key!r}, which the chat template that is trained cannot render (row 2)"
    )
    # Arrow pads what has no call with nothing.
    for nothing in (None, [], [None], [{"id": None, "function": {"name": None}}], ""):
        padded = {"messages": [ASK, {**GOOD, "tool_calls": nothing, "function_call": None}]}
        assert read(padded) == ([[True]], [])


@pytest.mark.parametrize("key", ["tools", "functions", "images", "image", "audios", "videos"])
def test_tools_pictures_and_sound_of_a_record_drop_it_where_there_are_some(key: str) -> None:
    for some in ([{"name": "f"}], '[{"name": "f"}]', "a.png"):
        assert read({"messages": [ASK, GOOD], key: some}) == (
            [],
            [
                f"1 row dropped: {key!r}, which the chat template that is trained cannot render"
                " (row 1)"
            ],
        )
    for none in (None, [], "[]", "", {}, " [] "):
        assert read({"messages": [ASK, GOOD], key: none}) == ([[True]], [])
    in_turn = {"messages": [{**ASK, key: ["x"]}, GOOD]}
    assert read(in_turn)[0] == []


def test_reasoning_is_left_out_and_that_is_said() -> None:
    rows = [{"messages": [ASK, {**GOOD, "reasoning_content": "hm"}]}] * 2
    assert read(*rows, {"messages": [ASK, {**GOOD, "reasoning_content": ""}]}) == (
        [[True]] * 3,
        [
            "2 rows: 'reasoning_content' of a turn is left out: the chat template has no place for"
            " it (rows 1, 2)"
        ],
    )


def test_roles_of_tools_that_are_read_as_a_side_are_counted() -> None:
    turns = [("human", "q"), ("function_call", "f()"), ("observation", "7"), ("gpt", "seven")]
    row = {"conversations": [{"from": who, "value": text} for who, text in turns]}
    assert read(row, row, format="conversations") == (
        [[True, True]] * 2,
        [
            "2 rows: turns of the role 'function_call' are read as the assistant's (rows 1, 2)",
            "2 rows: turns of the role 'observation' are read as the user's (rows 1, 2)",
        ],
    )


def test_unused_keys_of_all_rows_are_named_with_counts_and_the_first_rows() -> None:
    plain = {"messages": [ASK, GOOD]}
    odd = {
        "messages": [{**ASK, "name": "Ann"}, {**GOOD, "refusal": None, "annotations": []}],
        "id": 0,
        "source": "web",
    }
    late = {**plain, "system_prompt": "Answer in French.", "tags": []}
    both = {"messages": [{**ASK, "from": "human", "value": "other"}, GOOD]}
    parts = [{"type": "text", "text": "q", "cache_control": {"type": "ephemeral"}}]
    cached = {"messages": [{"role": "user", "content": parts}, GOOD]}
    _, said = read(plain, odd, odd, late, both, cached)
    assert said == [
        "2 rows: keys 'id', 'source', 'messages[].name' are not used (rows 2, 3)",
        "1 row: key 'system_prompt' is not used (row 4)",
        "1 row: keys 'messages[].from', 'messages[].value' are not used (row 5)",
        "1 row: key 'messages[].content[].cache_control' is not used (row 6)",
    ]


def test_a_key_of_a_dropped_row_is_named_all_the_same() -> None:
    row = {"messages": [ASK, GOOD], "system_prompt": "French", "tools": [{"name": "f"}]}
    assert read({"messages": [ASK, GOOD]}, row)[1] == [
        "1 row dropped: 'tools', which the chat template that is trained cannot render (row 2)",
        "1 row: key 'system_prompt' is not used (row 2)",
    ]


def test_as_many_reasons_and_keys_as_rows_are_not_all_told_apart() -> None:
    rows = [
        {"messages": [ASK, {"role": f"speaker {at}", "content": "hi"}], f"id {at}": at + 1}
        for at in range(150)
    ]
    found = adapt([*rows, {"messages": [ASK, GOOD]}], "messages")
    assert sum(found.dropped.values()) == 150
    assert len(found.dropped) == 101
    assert len(found.notes) == 202
    assert [
        note_sentence(note) for note in (found.notes[0], *found.notes[100:102], found.notes[-1])
    ] == [
        "1 row dropped: unknown role 'speaker 0' (row 1)",
        "50 rows dropped: something else, beyond the first 100 kinds"
        " (rows 101, 102, 103, 104, 105 and 45 more)",
        "1 row: key 'id 0' is not used (row 1)",
        "50 rows: key 'beyond the first 100' is not used"
        " (rows 101, 102, 103, 104, 105 and 45 more)",
    ]


@needs_reported
def test_reported_files_say_what_happens_to_each_row() -> None:
    def said(name: str) -> list[str]:
        spec = DataSpec(path=str(REPORTED / f"{name}.jsonl"), format="auto")
        return [note_sentence(note) for note in load_conversations(spec).notes]

    assert said("null_padded") == []
    assert said("keys_of_later_rows") == [
        "1 row dropped: 'tools', which the chat template that is trained cannot render (row 2)",
        "1 row: key 'system_prompt' is not used (row 2)",
    ]


@pytest.mark.parametrize("padding", [None, ""])
def test_turns_padded_with_nothing_are_read_by_the_pair_that_is_filled(padding: str | None) -> None:
    one = {"role": "user", "content": "a", "from": padding, "value": padding}
    other = {"role": padding, "content": padding, "from": "gpt", "value": "b"}
    (conversation,) = adapt([{"messages": [one, other]}], "messages").conversations
    assert [(m.role, m.content) for m in conversation.messages] == [
        ("user", "a"),
        ("assistant", "b"),
    ]
    assert adapt([{"messages": [one, other]}], "messages").source_roles == {"user": 1, "gpt": 1}


@pytest.mark.parametrize("nothing", [None, {}, {"role": None, "content": None, "weight": None}])
def test_turns_that_only_fill_a_list_to_its_length_are_none(nothing: Any) -> None:
    adapted = adapt([{"messages": [ASK, GOOD, nothing, nothing]}], "messages")
    assert (len(adapted.conversations), adapted.notes) == (1, ())
    assert adapted.source_roles == {"user": 1, "assistant": 1}
    # One in the middle is a turn that is missing.
    (note,) = adapt([{"messages": [ASK, nothing, GOOD]}], "messages").notes
    assert note.dropped


def test_turns_padded_with_empty_texts_are_read_by_the_pair_that_is_filled() -> None:
    turns = [
        {"role": "", "content": "", "from": who, "value": text}
        for who, text in (("human", "a"), ("gpt", "b"))
    ]
    adapted = adapt([{"messages": turns}], "messages")
    assert [m.content for c in adapted.conversations for m in c.messages] == ["a", "b"]
    assert adapted.notes == ()


def test_a_column_of_padded_turns_does_not_hide_another_format() -> None:
    row = {"messages": [{"role": None, "content": None}], "prompt": "p", "completion": "c"}
    assert format_of(row) == "prompt_completion"


def test_records_of_several_formats_are_each_read_in_theirs_and_that_is_said(
    tmp_path: Path,
) -> None:
    pads = {"messages": None, "conversations": None, "instruction": None, "output": None}
    rows = [
        {**pads, "messages": [ASK, GOOD]},
        {**pads, "messages": [ASK, GOOD]},
        {**pads, "conversations": [ASK, GOOD], "topic": "x"},
        {**pads, "instruction": "i", "output": "o"},
        pads,
    ]
    path = tmp_path / "chat.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    adapted = load_conversations(DataSpec(path=str(path), format="auto"))
    assert adapted.reason == "2 of 5 records have a list under 'messages'"
    assert adapted.rows == (1, 2, 3, 4)
    assert [note_sentence(note) for note in adapted.notes] == [
        "1 row: a record in the format conversations, read as such (row 3)",
        "1 row: a record in the format alpaca, read as such (row 4)",
        "1 row dropped: no list under 'messages' (row 5)",
        "1 row: key 'topic' is not used (row 3)",
    ]
    # A format that was named is not departed from.
    assert load_conversations(DataSpec(path=str(path), format="messages")).rows == (1, 2)


INVISIBLE = {
    "zero-width space": "\u200b",
    "joiner": "\u200d\u2060",
    "byte order mark": "\ufeff",
    "soft hyphen": "\u00ad",
    "Braille blank": "\u2800",
    "Hangul filler": "\u3164",
    "variation selectors": "\ufe0f\U000e0100",
    "direction marks": "\u200e\u202c",
    "no-break spaces and controls": "\u00a0\u3000\x00\x1b\u200b",
    "tags": "\U000e0041",
    "Mongolian vowel separator": "\u180e",
}


@pytest.mark.parametrize("text", INVISIBLE.values(), ids=INVISIBLE)
def test_a_text_of_invisible_characters_is_no_answer_and_no_question(text: str) -> None:
    for turns, side in (
        ([ASK, {"role": "assistant", "content": f" {text}\n"}], "answer"),
        ([{"role": "user", "content": text}, GOOD], "question"),
    ):
        assert read({"messages": turns}) == (
            [],
            [f"1 row dropped: invisible {side} (characters without a picture only) (row 1)"],
        )
    system = {"role": "system", "content": text}
    (conversation,) = adapt([{"messages": [system, ASK, GOOD]}], "messages").conversations
    assert conversation.system is None


@pytest.mark.parametrize("text", ["\u200bx", "👍🏽", "👨\u200d👩", "ﷺ", "ക്\u200d", "가", "\u0301"])
def test_what_can_be_seen_is_an_answer(text: str) -> None:
    assert read({"messages": [ASK, {"role": "assistant", "content": text}]})[0] == [[True]]


def test_rows_with_a_fault_have_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    half = json.dumps({"messages": [ASK, {"role": "assistant", "content": "\ud800"}]})
    deep = '{"messages": ' + "[" * 100_000 + "]" * 100_000 + "}"
    lines = [json.dumps({"messages": [ASK, GOOD]}), half, '{"messages": NaN}', "", deep]
    path.write_text("\n".join(lines), encoding="utf-8")
    adapted = load_conversations(DataSpec(path=str(path), format="auto", skip_bad=2))
    assert [note_sentence(note) for note in adapted.notes] == [
        "1 row dropped: text with half a surrogate pair (row 2)",
        "2 rows dropped: faulty record (rows 3, 5)",
    ]


SMALL = st.none() | st.booleans() | st.sampled_from([0, 1, 0.5, "", "x", "user", "[]", "\u200b"])
VALUES = st.recursive(
    SMALL,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2)
    ),
    max_leaves=4,
)
ROLES_SEEN = st.sampled_from(
    ["system", "user", "assistant", "human", "gpt", "tool", "critic", None]
)
EXTRA = st.sampled_from(
    [
        "weight",
        "train",
        "loss_mask",
        "mask",
        "masked",
        "train_detail",
        "tool_calls",
        "name",
        "reasoning",
        "images",
        "from",
        "value",
        "zzz",
    ]
)
TURN = st.builds(
    lambda who, text, more: {**more, "role": who, "content": text},
    ROLES_SEEN,
    st.sampled_from(["hello", "", None, "\u3164", [{"type": "text", "text": "a", "at": 1}], 3]),
    st.dictionaries(EXTRA, VALUES, max_size=2),
)
GOOD_TURNS = st.just([ASK, GOOD])
COLUMN = st.sampled_from(
    [
        "messages",
        "conversations",
        "prompt",
        "completion",
        "instruction",
        "input",
        "output",
        "history",
        "system",
        "tools",
        "weights",
        "loss_mask",
        "weight",
        "id",
        "mask",
    ]
)
ROW = st.dictionaries(COLUMN, GOOD_TURNS | st.lists(TURN | VALUES, max_size=4) | VALUES, max_size=5)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.lists(ROW, max_size=4), st.sampled_from(sorted(FORMATS)), st.booleans())
@example([{"messages": [ASK, GOOD], "zzz": 0}], "messages", False)
@example([{"messages": [ASK, {**GOOD, "zzz": 0}]}], "messages", True)
def test_no_row_and_no_key_is_lost_in_silence(
    rows: list[dict[str, Any]], format: str, mixed: bool
) -> None:
    adapted = adapt(rows, format, mixed=mixed)
    kept = set(adapted.rows)
    assert len(kept) == len(adapted.conversations)
    assert len(kept) + sum(adapted.dropped.values()) == len(rows)
    gone = {n: note.what for note in adapted.notes if note.dropped for n in note.rows}
    assert {*gone} | kept == set(range(1, len(rows) + 1))
    assert sum(note.count for note in adapted.notes if note.dropped) == len(gone)
    for number in kept:
        row = rows[number - 1]
        known = FORMATS[(format_of(row) if mixed else None) or format]
        said = " ".join(note.what for note in adapted.notes if number in note.rows)
        for key, value in row.items():
            heeded = known.used | {"weight", "weights", "loss_mask", "mask"}
            assert key in heeded or is_blank_value(value) or repr(key) in said, key
        for key in known.turns:
            for turn in row[key] if isinstance(row[key], list) else ():
                for name, value in turn.items():
                    honoured = {"role", "content", "weight", "train", "loss_mask", "masked"}
                    honoured |= {"train_detail", "text", "type"}
                    named = repr(f"{key}[].{name}") in said or repr(name) in said
                    assert name in honoured or is_blank_value(value) or named, name
