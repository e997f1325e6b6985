"""Rows with tools are what the model's own chat template writes, trained on where answers stand."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotune.base.errors import BadInput
from autotune.data.conversation import Conversation
from autotune.data.load import ConversationStream
from autotune.data.reading import Reading
from autotune.data.survey import Survey
from autotune.data.turns import CANNOT
from autotune.protocol.choices import Supervision, Truncation
from autotune.protocol.data_notes import note_sentence
from autotune.protocol.plan import DataSpec
from autotune.worker.survey.job import BY_TEMPLATE, surveyed
from autotune.worker.tokens import template, tool_template
from autotune.worker.tokens.encode import IGNORED, ChatCodec
from autotune.worker.tokens.rows import Row
from autotune.worker.tokens.template_omissions import LEFT_OUT
from autotune.worker.tokens.tool_rows import MARKED as WRITTEN_OUT
from tests.worker import tool_templates as having_tools
from tests.worker.tokenizer_kinds import LOSSLESS
from tests.worker.tool_templates import GOOD, having

pytestmark = pytest.mark.torch

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
CALL = {"type": "function", "function": {"name": "weather", "arguments": {"city": 'the "river"'}}}
CALLED = '<call>weather {"city": "the \\\\"river\\\\""}</call>'.replace("\\\\", "\\")
ASK = {"role": "user", "content": "warm?"}
CALLING = {"role": "assistant", "content": "", "tool_calls": [CALL]}
RESULT = {"role": "tool", "content": "7 degrees"}
ANSWER = {"role": "assistant", "content": "hello"}
EXCHANGE = [ASK, CALLING, RESULT, ANSWER]


def conversation_of(row: dict[str, Any]) -> Conversation:
    found = Reading("messages", no_tools=None).conversation(row, 1)
    assert found is not None
    return found


def row_of(
    tokenizer: Any, row: dict[str, Any], max_rounds: Any = "all", length: int = 10**6
) -> Row:
    codec = ChatCodec(tokenizer, Supervision.CONTENT)
    assert codec.tool_rows.no_tools is None
    return codec.encode(
        conversation_of(row),
        max_rounds=max_rounds,
        model_max_length=length,
        truncation=Truncation.RIGHT,
    )


def trained(tokenizer: Any, row: Row) -> str:
    kept = [label for label in row.labels if label != IGNORED]
    assert kept == [i for i, label in zip(row.input_ids, row.labels, strict=True) if i == label]
    text: str = tokenizer.decode(kept, skip_special_tokens=False)
    return text


def said_by_transformers(
    tokenizer: Any, messages: Any, tools: Any = None, **keys: Any
) -> list[int]:
    found: list[int] = tokenizer.apply_chat_template(
        messages, tools=tools, return_dict=False, **keys
    )
    return found


@pytest.mark.parametrize("tools", [None, [TOOL]])
@pytest.mark.parametrize(
    "form", [GOOD, having_tools.MARKED, {"default": "{{ messages }}", "tool_use": GOOD}]
)
def test_a_row_is_what_apply_chat_template_says_and_its_answers_are_trained_on(
    form: Any, tools: Any
) -> None:
    tokenizer = having(form)
    messages = [{"role": "system", "content": "the river"}, *EXCHANGE, ASK, ANSWER]
    row = row_of(tokenizer, {"messages": messages, **({"tools": tools} if tools else {})})
    if isinstance(form, dict) and not tools:
        assert row.input_ids == [], "transformers takes another template there"
        return
    assert row.input_ids == said_by_transformers(tokenizer, messages, tools)
    assert trained(tokenizer, row) == f"{CALLED}<|im_end|>hello<|im_end|>hello<|im_end|>"
    # Each answer is trained after exactly the tokens that ask for it.
    for at in (2, 4, 6):
        prompt = said_by_transformers(tokenizer, messages[:at], tools, add_generation_prompt=True)
        assert row.input_ids[: len(prompt)] == prompt
        assert row.labels[len(prompt) - 1] == IGNORED != row.labels[len(prompt)]


def test_rounds_are_cut_at_the_users_turns_only() -> None:
    tokenizer = having(GOOD)
    messages = [*EXCHANGE[:3], RESULT, CALLING, RESULT, ANSWER, ASK, ANSWER, *EXCHANGE]
    for rounds, turns in ((1, 7), (2, 9), (3, 13), ("all", 13)):
        row = row_of(tokenizer, {"messages": messages, "tools": [TOOL]}, rounds)
        assert row.input_ids == said_by_transformers(tokenizer, messages[:turns], [TOOL])
    row = row_of(tokenizer, {"messages": messages, "tools": [TOOL]}, length=200)
    assert row.input_ids == said_by_transformers(tokenizer, messages, [TOOL])[:200]
    codec = ChatCodec(tokenizer, Supervision.CONTENT)
    assert len(codec.spans(conversation_of({"messages": messages}))) == 3


def test_what_the_data_says_of_a_turn_holds_for_calls_too() -> None:
    tokenizer = having(GOOD)

    def said(*messages: dict[str, Any], **keys: Any) -> str:
        row = row_of(tokenizer, {"messages": list(messages), **keys})
        assert row.input_ids == row_of(tokenizer, {"messages": EXCHANGE}).input_ids
        return trained(tokenizer, row)

    untrained = {**CALLING, "weight": 0}
    assert said(ASK, untrained, RESULT, ANSWER) == "hello<|im_end|>"
    assert said(*EXCHANGE[:3], {**ANSWER, "train": False}) == f"{CALLED}<|im_end|>"
    assert said(*EXCHANGE, loss_mask=[0, 0, 0, 1]) == "hello<|im_end|>"
    part = [{"begin_offset": 2, "end_offset": 6, "train": True}]
    parted = {**ANSWER, "content": "a river here", "train_detail": part}
    row = row_of(tokenizer, {"messages": [ASK, untrained, RESULT, parted]})
    assert trained(tokenizer, row).replace(" ", "") == "river<|im_end|>"


def test_rows_with_tools_keep_their_places_among_the_others() -> None:
    codec = ChatCodec(having(GOOD), Supervision.CONTENT)
    plain, called, refused = [ASK, ANSWER], EXCHANGE, [ASK, {**CALLING, "content": "\n\nh"}]
    turns = [called[:2], plain, refused, called, plain, [*called, *plain], called[:2]]
    conversations = [conversation_of({"messages": each}) for each in turns]
    alone = [next(iter(codec.encoded([each]))) for each in conversations]
    assert list(codec.encoded(conversations)) == alone
    assert [bool(found.ids) for found in alone] == [True, True, False, True, True, True, True]


def test_marks_of_a_template_say_which_part_of_an_answer_is_trained_on() -> None:
    marked = having_tools.answering("<call>", "{% generation %}<call>").replace(
        "</call>", "</call>{% endgeneration %}"
    )
    row = row_of(having(marked), {"messages": [ASK, CALLING]})
    assert trained(having(marked), row) == f"{CALLED}<|im_end|>"
    codec = ChatCodec(having(marked), Supervision.CONTENT)
    (found,) = codec.encoded([conversation_of({"messages": EXCHANGE})])
    assert found.refused == tool_template.UNMARKED


@pytest.mark.parametrize("form", [having_tools.AS_TEXT, having_tools.JOINED_TEXT])
def test_a_template_that_takes_arguments_for_a_text_is_given_a_text(form: str) -> None:
    tokenizer = having(form)
    function = {**CALL["function"], "arguments": json.dumps(CALL["function"]["arguments"])}
    as_text = {**CALLING, "tool_calls": [{**CALL, "function": function}]}
    for calling in (CALLING, as_text):
        row = row_of(tokenizer, {"messages": [ASK, calling, RESULT, ANSWER]})
        assert row.input_ids == said_by_transformers(tokenizer, [ASK, as_text, RESULT, ANSWER])


OTHERWISE = tool_template.OTHER_FORM


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        (having_tools.NO_ARGUMENTS, LEFT_OUT.format("arguments of a call")),
        (having_tools.NO_CALL, LEFT_OUT.format("a call")),
        (having_tools.NO_RESULT, LEFT_OUT.format("a result")),
        (
            having_tools.NO_TOOL,
            LEFT_OUT.format("a tool, or a part of its description,"),
        ),
        (having_tools.NO_ANSWER, LEFT_OUT.format("the text of an answer")),
        (having_tools.MOVING, tool_template.MOVED),
        (
            having_tools.RAISING,
            "tools, a call or a result: the model's chat template fails: no tools today",
        ),
    ],
)
def test_a_row_that_the_template_does_not_write_whole_is_dropped_by_its_number(
    form: str, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "chats.jsonl"
    calling = {**CALLING, "content": "let me look"}
    whole = [ASK, calling, RESULT, ANSWER]
    rows = [
        {"messages": [ASK, ANSWER]},
        {"messages": whole, "tools": [TOOL]},
        {"messages": [ASK, ANSWER, ASK, ANSWER]},
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    codec = ChatCodec(having(form), Supervision.CONTENT)
    stream = ConversationStream(
        DataSpec(path=str(path), format="auto"), no_tools=codec.tool_rows.no_tools
    )
    file = surveyed(codec, stream)
    assert [note_sentence(note) for note in file.notes if note.dropped] == [
        f"1 row dropped: {reason} (row 2)"
    ]
    assert file.dropped == {reason: 1}
    assert [len(rounds) for rounds in file.conversations] == [1, 0, 2]


@pytest.mark.parametrize(
    ("form", "supervision", "reason"),
    [
        (None, Supervision.CONTENT, tool_template.NONE_OF_ITS_OWN),
        (having_tools.NO_TOOLS, Supervision.CONTENT, tool_template.TAKES_NONE),
        ("{% for %}", Supervision.CONTENT, tool_template.TAKES_NONE),
        ({"other": GOOD}, Supervision.CONTENT, tool_template.TAKES_NONE),
        (having_tools.BRACKETS, Supervision.CONTENT, OTHERWISE),
        (having_tools.BY_EOS, Supervision.CONTENT, tool_template.BY_EOS),
        (having_tools.DATED, Supervision.CONTENT, tool_template.DATED),
        (GOOD, Supervision.COURSE, tool_template.COURSE),
    ],
)
def test_where_no_template_writes_tools_each_row_is_dropped_with_the_reason(
    form: Any, supervision: Supervision, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "chats.jsonl"
    rows = [
        {"messages": [ASK, ANSWER]},
        {"messages": EXCHANGE},
        {"messages": [ASK, ANSWER], "tools": [TOOL]},
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    codec = ChatCodec(having(form), supervision)
    assert codec.tool_rows.no_tools == reason
    spec = DataSpec(path=str(path), format="auto")
    file = surveyed(codec, ConversationStream(spec, no_tools=codec.tool_rows.no_tools))
    assert file.dropped == {f"'tool_calls', {reason}": 1, f"'tools', {reason}": 1}
    assert file.rows == (1,)
    # Who reads without asking the codec first is refused by it all the same.
    late = surveyed(codec, ConversationStream(spec, no_tools=None))
    assert late.dropped == {f"tools, a call or a result, {reason}": 2}


def test_a_special_token_that_is_written_in_a_call_or_a_tool_drops_the_row() -> None:
    codec = ChatCodec(having(GOOD), Supervision.CONTENT)
    end = "<|im_end|>"
    call = {"function": {"name": "weather", "arguments": {"city": [{end: 1}]}}}
    for row in (
        {"messages": [ASK, {**CALLING, "tool_calls": [call]}]},
        {"messages": [ASK, ANSWER], "tools": [{"name": "f", "description": end}]},
        {"messages": [*EXCHANGE[:2], {**RESULT, "content": end}, ANSWER]},
    ):
        assert [found.refused for found in codec.encoded([conversation_of(row)])] == [WRITTEN_OUT]


def test_a_template_that_does_not_end_is_the_models_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template, "MAX_SECONDS", 0.3)
    codec = ChatCodec(having(having_tools.ENDLESS), Supervision.CONTENT)
    with pytest.raises(BadInput, match=r"the chat template takes more than 0\.3 seconds"):
        list(codec.encoded([conversation_of({"messages": EXCHANGE})] * 9))


TEXTS = st.sampled_from(["the river", "hello", "é", "\n", "", "  the", "{1}", "a\n\nb ", "user"])
WORDS = TEXTS.filter(str.strip)
CALLS = st.lists(
    st.builds(
        lambda name, arguments: {"function": {"name": name, "arguments": arguments}},
        st.sampled_from(["f", "weather"]),
        st.dictionaries(
            st.sampled_from("ab"), st.one_of(TEXTS, st.integers(), st.none(), st.booleans())
        ),
    ),
    min_size=1,
    max_size=2,
)
EXCHANGES = st.lists(st.tuples(TEXTS, CALLS, st.lists(TEXTS, min_size=1, max_size=2)), max_size=2)
ROUNDS = st.lists(st.tuples(WORDS, EXCHANGES, WORDS), min_size=1, max_size=3)


def turns_of(rounds: Any) -> list[dict[str, Any]]:
    turns = []
    for question, exchanges, answer in rounds:
        turns.append({"role": "user", "content": question})
        for text, calls, results in exchanges:
            turns.append({"role": "assistant", "content": text, "tool_calls": calls})
            turns += [{"role": "tool", "content": result} for result in results]
        turns.append({"role": "assistant", "content": answer})
    return turns


@settings(max_examples=80, deadline=None, derandomize=True)
@given(kind=st.sampled_from(LOSSLESS), rounds=ROUNDS, tools=st.sampled_from([None, [TOOL]]))
def test_whatever_is_said_and_called_answers_are_trained_on_and_nothing_else(
    kind: str, rounds: Any, tools: Any
) -> None:
    tokenizer, turns = having(GOOD, kind), turns_of(rounds)
    codec = ChatCodec(tokenizer, Supervision.CONTENT)
    row = {"messages": turns, **({"tools": tools} if tools else {})}
    conversation = conversation_of(row)
    (found,) = codec.encoded([conversation])
    if not conversation.uses_tools:
        assert not found.by_template
        return
    if found.refused is not None:  # an answer that begins with what its header is joined to
        assert "joins" in found.refused
        assert any(t["content"][:1].isspace() for t in turns) or kind == "Metaspace first"
        return
    plain = [t if t.get("tool_calls") is None else {**t} for t in turns]
    assert found.ids == said_by_transformers(tokenizer, plain, tools)
    text = tokenizer.decode(found.ids, skip_special_tokens=False)
    answers = re.findall(r"<\|im_start\|>assistant\n(.*?<\|im_end\|>)", text, re.DOTALL)
    labelled = [
        tokenizer.decode(found.ids[low:high], skip_special_tokens=False)
        for span in found.spans
        for low, high in (span.pieces or ((span.start, span.end),))
    ]
    assert labelled == answers
    assert len(found.spans) == len(rounds) and found.spans[-1].stop == len(found.ids)


def test_kept_and_dropped_rows_are_all_rows(tmp_path: Path) -> None:
    rows = [
        {"messages": [ASK, ANSWER]},
        {"messages": EXCHANGE, "tools": [TOOL]},
        {"messages": EXCHANGE, "tools": "weather"},
        {"messages": [*EXCHANGE[:2], {**RESULT, "content": "<|im_start|>"}, ANSWER]},
        {"messages": [ASK, RESULT, ANSWER]},
        {"messages": [ASK, ANSWER], "tools": [TOOL]},
    ]
    path = tmp_path / "chats.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    codec = ChatCodec(having(GOOD), Supervision.CONTENT)
    spec = DataSpec(path=str(path), format="auto", max_conversations=4)
    file = surveyed(codec, ConversationStream(spec, no_tools=codec.tool_rows.no_tools))
    assert Survey(file, Truncation.RIGHT).kept(10**6, "all").conversations == 3
    assert 3 + sum(file.dropped.values()) == len(rows)
    said = [note_sentence(note) for note in file.notes]
    assert f"2 rows: {BY_TEMPLATE} (rows 2, 6)" in said
    assert f"1 row dropped: {WRITTEN_OUT} (row 4)" in said
    assert not any(CANNOT in sentence for sentence in said)
