"""Chat formats: each is read as it is meant, and what does not fit is counted by its reason."""

from typing import Any

import pytest

from autotune.base.errors import BadInput
from autotune.data.conversation import Conversation, Message
from autotune.data.formats import FORMATS
from autotune.data.reading import detect_format
from tests.wholefiles import adapt

ASK = {"role": "user", "content": "q"}
ANSWER = {"role": "assistant", "content": "a"}
SYSTEM = {"role": "system", "content": "s"}


def said(conversation: Conversation) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in conversation.messages]


def only(row: dict[str, Any], format: str) -> list[tuple[str, str]]:
    adapted = adapt([row], format)
    assert adapted.dropped == {}
    return said(adapted.conversations[0])


def from_value(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {"conversations": [{"from": role, "value": text} for role, text in pairs]}


@pytest.mark.parametrize("name", ["messages", "conversations"])
def test_turns_are_read_as_role_content_and_as_from_value(name: str) -> None:
    expected = [("system", "s"), ("user", "q"), ("assistant", "a")]
    assert only({name: [SYSTEM, ASK, ANSWER]}, name) == expected
    shared = from_value(("system", "s"), ("human", "q"), ("gpt", "a"))["conversations"]
    assert only({name: shared}, name) == expected
    assert only({name: [ASK, ANSWER], "system": "s", "id": 7}, name) == expected


def test_content_parts_are_joined_and_an_image_is_not_text() -> None:
    parts = [{"type": "text", "text": "one "}, {"type": "text", "value": "two"}]
    row = {"messages": [{"role": "user", "content": parts}, ANSWER]}
    assert only(row, "messages")[0] == ("user", "one two")
    for part in ({"type": "image_url", "text": "x"}, {"type": "text"}, "bare"):
        row = {"messages": [{"role": "user", "content": [part]}, ANSWER]}
        assert adapt([row], "messages").dropped == {"content part that is not text": 1}


def test_other_names_of_the_two_sides_and_tools_are_known() -> None:
    for assistant in ("gpt", "bing", "chatgpt", "assistant"):
        row = from_value(("human", "q"), (assistant, "a"))
        assert only(row, "conversations") == [("user", "q"), ("assistant", "a")]
    for tool in ("observation", "tool"):
        row = from_value(("human", "q"), ("function_call", "f"), (tool, "o"), ("gpt", "a"))
        conversation = adapt([row], "conversations").conversations[0]
        assert [(r.user.content, r.assistant.content) for r in conversation.rounds] == [
            ("q", "f"),
            ("o", "a"),
        ]


def test_alpaca_joins_instruction_and_input_after_system_and_history() -> None:
    row = {"instruction": "i", "input": "x", "output": "o"}
    assert only(row, "alpaca") == [("user", "i\nx"), ("assistant", "o")]
    assert only({**row, "input": ""}, "alpaca")[0] == ("user", "i")
    assert only({"instruction": "i", "output": "o"}, "alpaca")[0] == ("user", "i")
    whole = {**row, "system": "s", "history": [["q", "a"]]}
    assert [role for role, _ in only(whole, "alpaca")] == [
        "system",
        "user",
        "assistant",
        "user",
        "assistant",
    ]
    wrong = {**row, "history": [["q"]]}
    assert adapt([wrong], "alpaca").dropped == {"history is not a list of pairs": 1}


def test_prompt_and_completion_are_texts_or_lists_of_turns() -> None:
    expected = [("user", "q"), ("assistant", "a")]
    assert only({"prompt": "q", "completion": "a"}, "prompt_completion") == expected
    row = {"prompt": [SYSTEM, ASK], "completion": [ANSWER]}
    assert only(row, "prompt_completion") == [("system", "s"), *expected]


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ([ASK, {"role": "critic", "content": "c"}], "unknown role 'critic'"),
        ([ASK, {"role": 7, "content": "c"}], "unknown role '7'"),
        ([ANSWER, ASK, ANSWER], "first turn by the assistant"),
        ([SYSTEM, ANSWER], "first turn by the assistant"),
        ([ASK, ASK, ANSWER], "two user turns running"),
        ([ASK, ANSWER, ASK, ASK], "two user turns running"),
        ([ASK, ANSWER, ANSWER], "two assistant turns running"),
        ([SYSTEM], "only system"),
        ([SYSTEM, ASK], "no assistant"),
        ([ASK, ASK], "no assistant"),
        ([SYSTEM, SYSTEM, ASK, ANSWER], "system turn after the first"),
        ([ASK, SYSTEM, ANSWER], "system turn after the first"),
        ([ASK, {"role": "assistant", "content": " \n"}], "empty answer"),
        ([{"role": "user", "content": ""}, ANSWER], "empty question"),
        ([ASK, {"role": "assistant", "content": None}], "content that is not text"),
        ([ASK, {"role": "assistant"}], "a turn without role and content"),
        ([ASK, "a"], "a turn that is not an object"),
        ([], "no turns"),
        ([ASK, {"role": "assistant", "content": "\ud800"}], "text with half a surrogate pair"),
    ],
)
def test_a_row_that_does_not_fit_is_counted_by_its_reason(turns: list[Any], reason: str) -> None:
    good = {"messages": [ASK, ANSWER]}
    adapted = adapt([good, {"messages": turns}, good], "messages")
    assert adapted.dropped == {reason: 1}
    assert len(adapted.conversations) == 2


def test_an_unanswered_last_question_is_cut_off_and_counted() -> None:
    adapted = adapt([{"messages": [SYSTEM, ASK, ANSWER, ASK]}], "messages")
    assert said(adapted.conversations[0]) == [("system", "s"), ("user", "q"), ("assistant", "a")]
    assert adapted.trimmed == 1
    assert adapt([{"messages": [ASK, ANSWER]}], "messages").trimmed == 0


def test_a_blank_system_prompt_counts_as_none() -> None:
    blank = {"role": "system", "content": " "}
    conversation = adapt([{"messages": [blank, ASK, ANSWER]}], "messages").conversations[0]
    assert conversation.system is None


def test_every_row_is_kept_or_counted_whatever_it_is() -> None:
    rows: list[dict[str, Any]] = [
        {},
        {"messages": 3},
        {"instruction": 1, "output": 2},
        {"prompt": None, "completion": []},
        {"conversations": [[]]},
        {"messages": [ASK, ANSWER]},
    ]
    for name in FORMATS:
        adapted = adapt(rows, name)
        assert len(adapted.conversations) + sum(adapted.dropped.values()) == len(rows)


def test_the_format_is_that_of_most_rows_with_its_reason() -> None:
    rows: list[dict[str, Any]] = [
        {"messages": []},
        {"instruction": "", "output": "", "id": 1},
        {"x": 1},
    ] * 2
    found = detect_format([*rows, {"instruction": "", "output": ""}])
    assert found.format == "alpaca"
    assert found.reason == "3 of 7 records have 'instruction' and 'output'"
    # A chat row that also carries its prompt is still a chat row.
    assert detect_format([{"prompt": "q", "messages": [], "completion": ""}]).format == "messages"


def test_an_unknown_format_is_refused_by_name_and_by_keys() -> None:
    with pytest.raises(BadInput, match="first has: rejected, text"):
        detect_format([{"text": "a", "rejected": "b"}])
    with pytest.raises(BadInput, match=r"'sharegpt'.*messages, conversations, alpaca"):
        adapt([], "sharegpt")


def test_a_conversation_holds_whole_rounds_only() -> None:
    ask, answer = Message("user", "q"), Message("assistant", "a")
    for messages in ((), (ask,), (answer, ask), (ask, ask), (Message("system", "s"),)):
        with pytest.raises(ValueError, match="roles must be"):
            Conversation(messages)
