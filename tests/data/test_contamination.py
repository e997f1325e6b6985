"""Scored prompts in the training data: found word for word and nearly, else nothing is said."""

import json
from pathlib import Path

import pytest

from autotune.base.errors import BadInput
from autotune.data.contamination import ScoredPrompts, read_scored_prompts
from autotune.data.conversation import Conversation, Message
from autotune.data.load import load_conversations
from autotune.protocol.data_notes import DataNote, note_sentence
from autotune.protocol.plan import DataSpec
from autotune.score.exact.prompts import read_exact_prompts

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no reference data at {SHARED}")

PROMPTS = {
    10: 'Write a poem about the "Moon landing" of 1969. Do not use any commas in your poem.',
    20: "Give me a recipe for rye bread. Your answer must be in all lowercase letters.",
    30: "Name three rivers. Your answer must be in all lowercase letters.",
    40: "Say hi.",
    50: "月についての短い詩を書いてください。コンマは使わないでください。",
}


def asked(*turns: str, system: str | None = None) -> Conversation:
    head = [Message("system", system)] if system else []
    roles = [("user", "assistant")[at % 2] for at in range(2 * len(turns))]
    texts = [text for turn in turns for text in (turn, "an answer")]
    return Conversation((*head, *(Message(r, t) for r, t in zip(roles, texts, strict=True))))  # type: ignore[arg-type]


def found(conversation: Conversation) -> dict[int, bool]:
    return ScoredPrompts(PROMPTS.items()).found_in(conversation)


@pytest.mark.parametrize(
    "text",
    [
        PROMPTS[10],
        PROMPTS[10].upper(),
        PROMPTS[10].replace(" ", " \n "),
        PROMPTS[10].replace(".", "").replace('"', "“"),
        PROMPTS[10].replace("poem", "po\u200bem"),
        f"Here is a task for you, do it well: {PROMPTS[10]} Thank you!",
    ],
)
def test_a_prompt_is_found_whatever_its_case_space_and_marks_and_inside_a_longer_text(
    text: str,
) -> None:
    assert found(asked(text)) == {10: True}
    assert found(asked("hello there", text)) == {10: True}
    assert found(asked("hello there", system=text)) == {10: True}


def test_a_prompt_with_a_word_changed_added_or_left_out_is_found_as_nearly_the_same() -> None:
    for changed in (
        PROMPTS[10].replace("poem about", "song about"),
        PROMPTS[10].replace("1969.", "1969, please."),
        PROMPTS[10].replace(" in your poem", ""),
    ):
        assert found(asked(changed)) == {10: False}
    assert found(asked(PROMPTS[50])) == {50: True}
    assert found(asked(PROMPTS[50].replace("短い", "長い"))) == {50: False}


def test_what_prompts_share_or_an_answer_repeats_finds_none() -> None:
    assert found(asked("Describe a goat. Your answer must be in all lowercase letters.")) == {}
    assert found(asked("Write a poem about the sea. Do not use any commas in your poem.")) == {}
    answers = Conversation((Message("user", "hello"), Message("assistant", PROMPTS[10])))
    assert found(answers) == {}


def test_a_short_prompt_must_be_the_whole_turn() -> None:
    assert found(asked("say HI")) == {40: True}
    assert found(asked("Please say hi. And then tell me of your day")) == {}


def data(folder: Path, *questions: str) -> Path:
    path = folder / "chat.jsonl"
    rows = [
        {"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": "a"}]}
        for q in questions
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def prompts_file(folder: Path) -> Path:
    path = folder / "prompts.jsonl"
    lines = [json.dumps({"key": key, "prompt": text}) for key, text in PROMPTS.items()]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_rows_are_named_with_the_prompts_that_stand_there_and_stay(tmp_path: Path) -> None:
    changed = PROMPTS[10].replace("poem about", "song about")
    path = data(tmp_path, "hello there", PROMPTS[20], changed, PROMPTS[30])
    scored = read_scored_prompts(prompts_file(tmp_path))
    adapted = load_conversations(DataSpec(path=str(path), format="auto"), scored)
    assert len(adapted.conversations) == 4
    assert [(n.count, n.rows, n.warning, n.dropped) for n in adapted.notes] == [
        (2, (2, 4), True, False),
        (1, (3,), True, False),
    ]
    assert note_sentence(adapted.notes[0]) == (
        "2 rows: a scored prompt stands there word for word, so that its score is not one of an"
        " unseen prompt; 2 of 5 prompts, keys 20, 30 (rows 2, 4)"
    )
    assert "nearly word for word" in adapted.notes[1].what
    assert "1 of 5 prompts, key 10" in adapted.notes[1].what


def test_prompts_without_keys_are_named_by_those_that_scoring_gives_them(tmp_path: Path) -> None:
    file = tmp_path / "math.jsonl"
    lines = [json.dumps({"prompt": text, "answer": "1"}) for text in PROMPTS.values()]
    file.write_text("\n\n".join(lines), encoding="utf-8")
    second = read_exact_prompts(file)[1]
    scored = read_scored_prompts(file)
    adapted = load_conversations(
        DataSpec(path=str(data(tmp_path, second.prompt)), format="auto"), scored
    )
    assert f"1 of 5 prompts, key {second.key}" in adapted.notes[0].what


def test_the_rows_can_be_left_out_and_are_counted_as_dropped(tmp_path: Path) -> None:
    path = data(tmp_path, "hello there", PROMPTS[20], "how are you", PROMPTS[30])
    spec = DataSpec(
        path=str(path),
        format="auto",
        drop_prompts=str(prompts_file(tmp_path)),
        max_conversations=1,
    )
    adapted = load_conversations(spec)
    assert adapted.dropped == {"a scored prompt stands there": 2}
    assert (adapted.rows, adapted.left_out) == ((1,), 1)
    assert DataNote(what="a scored prompt stands there", count=2, rows=(2, 4), dropped=True) in (
        adapted.notes
    )
    said = [note.what for note in adapted.notes if note.count == 0]
    assert said == ["1 of 2 conversations is used (max_conversations = 1)"]
    path = data(tmp_path, PROMPTS[20], PROMPTS[30])
    with pytest.raises(BadInput, match="a scored prompt stands there: 2, rows 1, 2"):
        load_conversations(spec)


def test_a_file_without_prompts_is_not_taken_for_one_that_found_none(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no record has a text under 'prompt'"):
        read_scored_prompts(data(tmp_path, "hello there"))


@needs_shared
def test_the_reported_file_is_found_whole_and_common_chats_hold_none_of_the_prompts() -> None:
    reported = SHARED / "reported"
    scored = read_scored_prompts(reported / "scored_prompts_in_training.prompts.jsonl")
    path = reported / "scored_prompts_in_training.jsonl"
    (note,) = load_conversations(DataSpec(path=str(path), format="auto"), scored).notes
    assert (note.count, note.rows) == (12, (1, 2, 3, 4, 5))
    assert "word for word" in note.what and "12 of 12 prompts" in note.what
    ifeval = read_scored_prompts(SHARED / "ifeval" / "input_data.jsonl")
    for name in ("alpaca_en_demo.json", "v1_sft_demo.jsonl"):
        chats = load_conversations(
            DataSpec(path=str(SHARED / "chat" / name), format="auto"), ifeval
        )
        assert not any("scored prompt" in note.what for note in chats.notes)
