"""From a data spec to conversations: real files, limits, and what is said when nothing is kept."""

import json
import tracemalloc
from pathlib import Path

import pytest

from autotune.base.errors import BadInput
from autotune.data.load import ConversationStream, load_conversations
from autotune.protocol.plan import DataSpec

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
CHAT = SHARED / "data" / "chat"
needs_chat = pytest.mark.skipif(not CHAT.is_dir(), reason=f"no real chat files at {CHAT}")


def row(text: str) -> str:
    turns = [{"role": "user", "content": text}, {"role": "assistant", "content": "a"}]
    return json.dumps({"messages": turns})


@needs_chat
@pytest.mark.parametrize(
    ("name", "format", "kept", "most_rounds"),
    [
        ("alpaca_en_demo.json", "alpaca", 999, 1),
        ("v1_sft_demo.jsonl", "messages", 500, 1),
    ],
)
def test_real_files_of_plain_chat_are_recognised_and_kept_whole(
    name: str, format: str, kept: int, most_rounds: int
) -> None:
    adapted = load_conversations(DataSpec(path=str(CHAT / name), format="auto"))
    assert adapted.format == format
    assert len(adapted.conversations) == kept
    assert adapted.dropped == {}
    assert adapted.trimmed == 0
    assert max(len(conversation.rounds) for conversation in adapted.conversations) == most_rounds


def test_the_first_kept_rows_are_taken_and_all_drops_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    lines = ['{"messages": []}', row("one"), "oops", row("two"), row("three"), '{"x": 1}']
    path.write_text("\n".join(lines), encoding="utf-8")
    spec = DataSpec(path=str(path), format="auto", skip_bad=1, max_conversations=2)
    adapted = load_conversations(spec)
    questions = [conversation.rounds[0].user.content for conversation in adapted.conversations]
    assert questions == ["one", "two"]
    assert adapted.dropped == {"no turns": 1, "no list under 'messages'": 1, "faulty record": 1}
    assert adapted.reason == "4 of 5 records have a list under 'messages'"
    assert load_conversations(spec) == adapted


def test_a_named_format_overrides_detection_and_its_misfits_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "chat.json"
    both = {"instruction": "i", "output": "o", **json.loads(row("q"))}
    path.write_text(json.dumps([both]), encoding="utf-8")
    auto = load_conversations(DataSpec(path=str(path), format="auto"))
    chosen = load_conversations(DataSpec(path=str(path), format="alpaca"))
    assert (auto.format, chosen.format) == ("messages", "alpaca")
    assert chosen.conversations[0].rounds[0].user.content == "i"
    assert chosen.reason == "named by --format"
    with pytest.raises(BadInput) as caught:
        load_conversations(DataSpec(path=str(path), format="conversations"))
    assert "chat.json: no conversations in format conversations (no list under" in str(caught.value)
    with pytest.raises(BadInput, match="'chatml': must be one of auto, messages"):
        load_conversations(DataSpec(path=str(path), format="chatml"))


def test_a_stream_holds_few_conversations_at_once_and_gives_what_loading_gives(
    tmp_path: Path,
) -> None:
    path = tmp_path / "chat.jsonl"
    path.write_text("\n".join(row(f"{at} " * 2000) for at in range(1000)), encoding="utf-8")
    spec = DataSpec(path=str(path), format="auto", max_conversations=900)
    stream = ConversationStream(spec)
    tracemalloc.start()
    try:
        questions = [talk.rounds[0].user.content[:3] for _, talk in stream]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert path.stat().st_size > 7_000_000
    assert peak < 1_500_000
    loaded = load_conversations(spec)
    assert questions == [talk.rounds[0].user.content[:3] for talk in loaded.conversations]
    assert (stream.adapted.left_out, stream.adapted.notes) == (loaded.left_out, loaded.notes)
