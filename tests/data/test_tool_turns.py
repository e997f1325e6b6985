"""Tools, calls and results are read in every spelling as one form, where a template takes them."""

import json
from typing import Any

import pytest

from autotune.data.conversation import Conversation, Message
from autotune.data.reading import Reading
from autotune.protocol.data_notes import note_sentence

ARGUMENTS = {"city": "Oslo", "days": [1, 2], "unit": None}
FUNCTION = {"name": "weather", "arguments": ARGUMENTS}
CALL = {"type": "function", "function": FUNCTION}
TOOL = {"name": "weather", "description": "Of a city.", "parameters": {"type": "object"}}
WRAPPED = {"type": "function", "function": TOOL}
ASK = {"role": "user", "content": "Warm?"}
RESULT = {"role": "tool", "content": "7C"}
ANSWER = {"role": "assistant", "content": "No."}


def read(
    *rows: dict[str, Any], format: str = "messages", no_tools: str | None = None
) -> tuple[list[Conversation], list[str]]:
    """What is kept, and what is said."""
    reading = Reading(format, mixed=True, no_tools=no_tools)
    kept = [reading.conversation(row, number) for number, row in enumerate(rows, 1)]
    found = reading.adapted()
    assert kept.count(None) == sum(found.dropped.values())
    return [each for each in kept if each is not None], [note_sentence(n) for n in found.notes]


def calling(**keys: Any) -> dict[str, Any]:
    return {"messages": [ASK, {"role": "assistant", **keys}, RESULT, ANSWER]}


@pytest.mark.parametrize(
    "row",
    [
        calling(content=None, tool_calls=[CALL]),
        calling(
            tool_calls=[{**CALL, "function": {**FUNCTION, "arguments": json.dumps(ARGUMENTS)}}]
        ),
        calling(content="", toolCalls=[FUNCTION, None]),
        calling(content="", tool_calls=json.dumps([CALL]), function_call=None),
        calling(content=None, function_call=FUNCTION, tool_calls=[]),
        calling(function_call={**FUNCTION, "arguments": json.dumps(ARGUMENTS)}),
        {
            "messages": [
                ASK,
                {"role": "function_call", "content": json.dumps(FUNCTION)},
                RESULT,
                ANSWER,
            ]
        },
        {
            "conversations": [
                {"from": "human", "value": "Warm?"},
                {"from": "function_call", "value": json.dumps([FUNCTION])},
                {"from": "observation", "value": "7C"},
                {"from": "gpt", "value": "No."},
            ]
        },
        {
            "messages": [
                ASK,
                {"role": "assistant", "tool_calls": [CALL]},
                {**RESULT, "role": "function"},
                ANSWER,
            ]
        },
        {
            "messages": [
                ASK,
                {"role": "assistant", "tool_calls": [CALL]},
                {**RESULT, "role": "ipython"},
                ANSWER,
            ]
        },
    ],
)
@pytest.mark.parametrize(
    "tools",
    [
        {"tools": [WRAPPED]},
        {"tools": [TOOL]},
        {"tools": json.dumps([TOOL])},
        {"tools": [json.dumps(WRAPPED)]},
        {"tools": TOOL, "functions": "[]"},
        {"functions": [TOOL]},
    ],
)
def test_a_call_is_the_same_in_every_spelling(row: dict[str, Any], tools: dict[str, Any]) -> None:
    format = "conversations" if "conversations" in row else "messages"
    (found,), said = read({**row, **tools}, format=format)
    assert said == []
    assert found.messages == (
        Message("user", "Warm?"),
        Message("assistant", "", calls=json.dumps([CALL])),
        Message("tool", "7C"),
        Message("assistant", "No."),
    )
    assert json.loads(found.tools) == [WRAPPED]
    assert found.uses_tools and len(found.rounds) == 1
    (whole,) = found.rounds
    assert (whole.user, whole.assistant) == (found.messages[0], found.messages[3])
    assert whole.exchange == found.messages[1:3]


def test_ids_and_names_go_with_a_call_and_its_result() -> None:
    call = {"id": "c1", **CALL}
    result = {**RESULT, "tool_call_id": "c1", "name": "weather", "elapsed": 3}
    (found,), said = read({"messages": [ASK, {**ANSWER, "tool_calls": [call]}, result, ANSWER]})
    assert json.loads(found.messages[1].calls) == [call]
    assert (found.messages[1].content, found.messages[2].call_id) == ("No.", "c1")
    assert found.messages[2].name == "weather"
    assert said == ["1 row: key 'messages[].elapsed' is not used (row 1)"]


BAD_CALL = "that is no call with a name and an object of arguments"
BAD_TOOLS = "that is no list of functions with names"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (
            calling(tool_calls=[{"function": {"name": "f", "arguments": "{1"}}]),
            f"'tool_calls' {BAD_CALL}",
        ),
        (
            calling(tool_calls=[{"function": {"name": "f", "arguments": [1]}}]),
            f"'tool_calls' {BAD_CALL}",
        ),
        (
            calling(tool_calls=[{"function": {"name": "f", "arguments": '{"a": NaN}'}}]),
            f"'tool_calls' {BAD_CALL}",
        ),
        (
            calling(tool_calls=[{"function": {"arguments": "{}"}, "id": "c"}]),
            f"'tool_calls' {BAD_CALL}",
        ),
        (calling(tool_calls=[{**CALL, "thought": "hm"}]), f"'tool_calls' {BAD_CALL}"),
        (calling(tool_calls=[{**CALL, "type": "search"}]), f"'tool_calls' {BAD_CALL}"),
        (calling(tool_calls="[" * 99999), f"'tool_calls' {BAD_CALL}"),
        (
            calling(tool_calls=[CALL], function_call=FUNCTION),
            "both 'tool_calls' and 'function_call'",
        ),
        (
            {
                "messages": [
                    ASK,
                    {"role": "function_call", "content": "weather(Oslo)"},
                    RESULT,
                    ANSWER,
                ]
            },
            f"a turn of the role 'function_call' {BAD_CALL}",
        ),
        (
            {"messages": [{**ASK, "tool_calls": [CALL]}, ANSWER]},
            "a tool call that is not the assistant's",
        ),
        ({"messages": [ASK, RESULT, ANSWER]}, "a tool's result that nobody called for"),
        (
            {"messages": [ASK, {**ANSWER, "tool_calls": [CALL]}, RESULT, ASK, ANSWER]},
            "a tool's result that is not answered",
        ),
        (
            {"messages": [ASK, {**ANSWER, "tool_calls": [{"function": {"name": "\ud800"}}]}]},
            "text with half a surrogate pair",
        ),
        ({"messages": [ASK, ANSWER], "tools": "weather"}, f"'tools' {BAD_TOOLS}"),
        ({"messages": [ASK, ANSWER], "tools": [{"name": 3}]}, f"'tools' {BAD_TOOLS}"),
        (
            {"messages": [ASK, ANSWER], "tools": [TOOL], "functions": [TOOL]},
            "both 'tools' and 'functions'",
        ),
        (
            {"messages": [ASK, {**ANSWER, "tool_use": [CALL]}]},
            "'tool_use', which the chat template that is trained cannot render",
        ),
        (
            {"messages": [ASK, ANSWER], "tools": [TOOL], "image": "a.png"},
            "'image', which the chat template that is trained cannot render",
        ),
    ],
)
def test_what_is_no_call_drops_the_row_by_name(row: dict[str, Any], reason: str) -> None:
    plain = {"messages": [ASK, ANSWER]}
    assert read(plain, row)[1] == [f"1 row dropped: {reason} (row 2)"]


def test_a_result_that_nobody_speaks_to_is_cut_off_and_its_call_stays() -> None:
    rows = ([ASK, {**ANSWER, "tool_calls": [CALL]}, RESULT, RESULT], [ASK, ANSWER, ASK])
    kept, said = read(*({"messages": turns} for turns in rows))
    assert [len(conversation.messages) for conversation in kept] == [2, 2]
    assert said == ["2 rows: the last question has no answer and is left out (rows 1, 2)"]


def test_only_the_completion_is_trained_on_also_where_the_prompt_calls_a_tool() -> None:
    call = {"role": "assistant", "content": "", "tool_calls": [CALL]}
    row = {"prompt": [ASK, call, RESULT], "completion": [ANSWER], "tools": [TOOL]}
    (found,), _ = read(row, format="prompt_completion")
    assert [message.trained for message in found.messages if message.role == "assistant"] == [
        False,
        True,
    ]


def test_why_no_template_takes_tools_stands_in_the_reason_and_roles_are_folded_as_ever() -> None:
    why = "which nobody writes"
    kept, said = read(
        {"messages": [ASK, ANSWER], "tools": [TOOL]},
        calling(tool_calls=[CALL]),
        calling(content="Let me look."),
        calling(content="Let me look.", images=["a.png"]),
        no_tools=why,
    )
    assert [[message.role for message in each.messages] for each in kept] == [
        ["user", "assistant", "user", "assistant"]
    ]
    assert said == [
        f"1 row dropped: 'tools', {why} (row 1)",
        f"1 row dropped: 'tool_calls', {why} (row 2)",
        "1 row: turns of the role 'tool' are read as the user's (row 3)",
        "1 row dropped: 'images', which the chat template that is trained cannot render (row 4)",
    ]


def test_a_conversation_takes_no_other_order_of_results() -> None:
    call, result = Message("assistant", "", calls="[1]"), Message("tool", "")
    ask, answer = Message("user", "a"), Message("assistant", "b")
    for good in (
        [ask, call, result, result, answer],
        [ask, answer, ask, call],
        [ask, call, result, call],
    ):
        assert Conversation(tuple(good)).messages == tuple(good)
    for wrong in (
        [ask, result, answer],
        [ask, call, result],
        [ask, call, result, ask, answer],
        [call],
    ):
        with pytest.raises(ValueError, match="roles must be"):
            Conversation(tuple(wrong))
