"""Conversations that a process beside the survey's reads are those that it would read itself."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from autotune.base.errors import BadInput
from autotune.data.conversation import Conversation
from autotune.data.reading import Adapted
from autotune.protocol.failure import Failure
from autotune.protocol.plan import DataSpec
from autotune.worker.survey import apart
from autotune.worker.survey.apart import ReaderDied, conversations_of
from autotune.worker.survey.reader import ReadRequest

Read = tuple[list[tuple[int, Conversation]], Adapted]

PROMPT = 'Write a poem about the "Moon landing" of 1969 without any commas.'
ANSWER = {"role": "assistant", "content": "hello there"}
ROWS: list[Any] = [
    {"messages": [{"role": "user", "content": PROMPT}, ANSWER]},
    {"conversations": [{"from": "human", "value": "q\ud83c\udf0a"}, {"from": "gpt", "value": "é"}]},
    {"messages": [{"role": "user", "content": "q"}, ANSWER | {"train": False}, *[]]},
    {
        "messages": [
            {"role": "user", "content": "q"},
            ANSWER | {"train_detail": [{"begin_offset": 0, "end_offset": 4, "train": True}]},
            {"role": "user", "content": "unanswered"},
        ]
    },
    {
        "tools": [{"type": "function", "function": {"name": "weather"}}],
        "messages": [
            {"role": "user", "content": "warm?"},
            ANSWER | {"tool_calls": [{"function": {"name": "weather", "arguments": {}}}]},
            {"role": "tool", "name": "weather", "tool_call_id": "a1", "content": "7 degrees"},
            ANSWER,
        ],
    },
    7,
    *({"messages": [{"role": "user", "content": str(at)}, ANSWER]} for at in range(300)),
]


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> DataSpec:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return DataSpec(path=str(path), format="auto", skip_bad=1, max_conversations=290)


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prompts") / "prompts.jsonl"
    path.write_text(json.dumps({"key": 3, "prompt": PROMPT}), encoding="utf-8")
    return path


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have any file read by another process, which is gone at the end."""
    monkeypatch.setattr(apart, "APART_BYTES", 0)
    before = set(psutil.Process().children())
    yield
    assert set(psutil.Process().children()) <= before


def read(spec: DataSpec, prompts: Path | None) -> Read:
    with conversations_of(spec, prompts) as begun:
        stream = begun(None)
        return list(stream), stream.adapted


def test_they_are_the_same_and_so_is_what_was_counted(
    spec: DataSpec, prompts: Path, request: pytest.FixtureRequest
) -> None:
    here = read(spec, prompts)
    request.getfixturevalue("beside")
    assert read(spec, prompts) == here
    kept, adapted = here
    assert any(c.uses_tools for _, c in kept) and any(m.spans for _, c in kept for m in c.messages)
    assert len(kept) == 290 and adapted.left_out and adapted.dropped and len(adapted.notes) > 4


@pytest.mark.usefixtures("beside")
def test_what_is_wrong_with_the_file_is_said_in_the_same_words(
    tmp_path: Path, prompts: Path
) -> None:
    spec = DataSpec(path=str(tmp_path / "rows.jsonl"), format="auto")
    with pytest.raises(BadInput, match=r"rows\.jsonl: cannot be read: no such file"):
        read(spec, prompts)
    Path(spec.path).write_text('{"messages": []}\n7\n', encoding="utf-8")
    with pytest.raises(BadInput, match=r"rows\.jsonl:2: not a record but a number; correct it"):
        read(spec, prompts)


@pytest.mark.usefixtures("beside")
def test_a_survey_that_ends_early_ends_the_reading(spec: DataSpec) -> None:
    with pytest.raises(BadInput, match="no tokenizer"), conversations_of(spec, None):
        raise BadInput("no tokenizer")


@pytest.mark.usefixtures("beside")
@pytest.mark.skipif(sys.platform == "win32", reason="who ends a process there chooses its code")
def test_a_reader_that_is_killed_is_told_as_a_killed_worker_is(spec: DataSpec) -> None:
    with (
        pytest.raises(
            ReaderDied, match=r"^the process that reads the file was killed.*9\)$"
        ) as told,
        conversations_of(spec, None) as begun,
    ):
        psutil.Process().children()[-1].kill()
        list(begun(None))
    assert told.value.failure is Failure.HOST_MEMORY


def test_only_a_reader_that_is_killed_is_told_as_killed() -> None:
    assert ReaderDied(1).failure is Failure.OTHER
    assert str(ReaderDied(1)) == "the process that reads the file ended with code 1"


def test_the_reading_ends_with_the_survey(spec: DataSpec) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "autotune.worker.survey.reader"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(ReadRequest(data=spec, prompts=None).model_dump_json().encode() + b"\n")
        process.stdin.close()  # as when the survey is killed, before it knew of tools
        assert process.wait(60) == 1
