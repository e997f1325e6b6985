"""Reading records: what is accepted, what is refused, and where the fault is said to be."""

import json
import pickle
from pathlib import Path

import pytest

from autotune.base.errors import BadInput
from autotune.score.jsonl import read_objects
from tests.wholefiles import read_records

ROW = {"messages": [{"role": "user", "content": "é\u2028?"}, {"role": "assistant", "content": "!"}]}


def written(folder: Path, content: str | bytes, name: str = "chat.json") -> Path:
    path = folder / name
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


def refusal(path: Path, skip_bad: int = 0) -> str:
    with pytest.raises(BadInput) as caught:
        read_records(path, skip_bad)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    return text[len(str(path)) :]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([ROW, ROW]),
        json.dumps([ROW, ROW], indent=1),
        json.dumps([ROW, ROW], ensure_ascii=False),
        f"{json.dumps(ROW, ensure_ascii=False)}\r\n\r\n{json.dumps(ROW)}\r\n",
        json.dumps({"data": [ROW, ROW]}),
        json.dumps({"version": 1, "rows": [ROW, ROW], "tags": []}, indent=2),
        json.dumps({"conversations": [{"conversations": ROW["messages"]}] * 2}).replace(
            '{"conversations": [{"role"', '{"messages": [{"role"'
        ),
    ],
)
@pytest.mark.parametrize("name", ["chat.json", "chat.jsonl"])
def test_lists_lines_and_plain_wrappers_give_the_same_records(
    tmp_path: Path, text: str, name: str
) -> None:
    assert read_records(written(tmp_path, text, name)).rows == (ROW, ROW)


@pytest.mark.parametrize("indent", [None, 2])
def test_one_record_is_a_file_of_one_record(tmp_path: Path, indent: int | None) -> None:
    asked = {"instruction": "a", "output": "b", "tags": [{"name": "x"}]}
    turns = {"prompt": ROW["messages"][:1], "completion": ROW["messages"][1:]}
    for row in (ROW, asked, turns):
        path = written(tmp_path, json.dumps(row, indent=indent))
        assert read_records(path).rows == (row,)


@pytest.mark.parametrize("name", ["chat.json", "chat.jsonl"])
@pytest.mark.parametrize("bad", [0, 1, 2])
def test_a_malformed_line_is_named_and_skip_bad_passes_over_it(
    tmp_path: Path, name: str, bad: int
) -> None:
    lines = [json.dumps(ROW)] * 3
    lines[bad] = '{"messages": [{"role": "user", '
    path = written(tmp_path, "\n".join(lines), name)
    assert refusal(path).startswith(f":{bad + 1}: not JSON (")
    records = read_records(path, skip_bad=1)
    assert len(records.rows) == 2
    assert len(records.faulty) == 1


def test_one_fault_more_than_skip_bad_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, f"{json.dumps(ROW)}\nx\ny\nz\n", "chat.jsonl")
    assert "--skip-bad" in refusal(path)
    assert refusal(path, skip_bad=2).startswith(":4: not JSON (")
    assert len(read_records(path, skip_bad=3).faulty) == 3
    path = written(tmp_path, "x\ny\n", "chat.jsonl")
    assert "no conversations: found 2 faulty records" in refusal(path, skip_bad=2)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('{"messages": "hello', "Unterminated string at column 14"),
        ('{"messages": "a\tb"}', "Invalid control character at column 16"),
        ('{"messages" 1}', "Expecting ':' delimiter at column 13"),
    ],
)
def test_a_fault_is_at_one_column_and_on_one_line_in_training_data_and_in_answers(
    tmp_path: Path, line: str, fault: str
) -> None:
    path = written(tmp_path, f"{json.dumps(ROW)}\r\n{line}\r\n", "chat.jsonl")
    assert refusal(path).startswith(f":2: not JSON ({fault}); ")
    with pytest.raises(BadInput) as told:
        list(read_objects(path))
    assert str(told.value).startswith(f"{path}:2: not JSON ({fault}); ")


def test_a_broken_list_names_its_line(tmp_path: Path) -> None:
    row = json.dumps(ROW)
    assert refusal(written(tmp_path, f"[\n{row},\n{row}\n")).startswith(":4: not JSON (")
    assert refusal(written(tmp_path, f"[\n{row}\n{row}]")).startswith(":3: not JSON (")
    assert refusal(written(tmp_path, f"[\n{row},\n]")).startswith(":3: not JSON (")
    assert refusal(written(tmp_path, f"[{row}]\n[{row}]")).startswith(":2: not JSON (")
    assert refusal(written(tmp_path, "hello")).startswith(":1: not JSON (")
    assert "nested too deeply" in refusal(written(tmp_path, "[" * 100_000))


def test_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, b"\xef\xbb\xbf" + json.dumps([ROW]).encode("utf-8"))
    assert read_records(path).rows == (ROW,)


@pytest.mark.parametrize(
    ("raw", "byte"),
    [
        (json.dumps([ROW]).encode("utf-16"), 0),
        (json.dumps([ROW]).encode("utf-16-le"), 1),
        (b'[{"a": "caf\xe9"}]', 11),
        (b'\xef\xbb\xbf[{"a": "caf\xe9"}]', 14),
    ],
)
def test_other_encodings_are_refused_at_their_byte(tmp_path: Path, raw: bytes, byte: int) -> None:
    assert refusal(written(tmp_path, raw)).startswith(f": not UTF-8 at byte {byte};")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("", "an empty file"),
        (" \n\t\n", "an empty file"),
        ("[]", "an empty list"),
        ("{}", "an empty object"),
        ("null", "null"),
        ("42", "a number"),
        ('"chat"', "a string"),
        ("true", "true"),
        ('{"messages": [], "id": []}', "an object of lists"),
        ('{"instruction": ["a"], "output": ["b"]}', "an object of lists"),
    ],
)
@pytest.mark.parametrize("name", ["chat.json", "chat.jsonl"])
def test_a_file_without_records_is_refused_with_the_shape_seen(
    tmp_path: Path, text: str, seen: str, name: str
) -> None:
    assert refusal(written(tmp_path, text, name)).startswith(f": no conversations: found {seen}")


def test_two_lists_of_records_are_not_chosen_between(tmp_path: Path) -> None:
    said = refusal(written(tmp_path, json.dumps({"train": [ROW], "test": [ROW]})))
    assert "'train', 'test'" in said


@pytest.mark.parametrize(
    ("faulty", "reason"),
    [
        ('{"messages": [{"role": "user", "role": "user"}]}', "key 'role' stands twice"),
        ('{"a": 1, "a": 1}', "key 'a' stands twice"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": [-Infinity]}', "-Infinity is not JSON"),
        ('{"a": 1e999}', "number 1e999 is out of range"),
        ("42", "not a record but a number"),
        ('["a"]', "not a record but a list"),
    ],
)
def test_a_faulty_record_is_refused_with_its_line_or_tolerated(
    tmp_path: Path, faulty: str, reason: str
) -> None:
    row = json.dumps(ROW)
    for name, text in (("a.jsonl", f"{row}\n{faulty}\n{row}"), ("a.json", f"[{row},\n{faulty}]")):
        path = written(tmp_path, text, name)
        assert refusal(path).startswith(f":2: {reason}")
        assert len(read_records(path, skip_bad=1).faulty) == 1


def test_a_missing_file_a_folder_and_a_git_lfs_pointer_are_named_as_such(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "none.json")
    assert "is a folder" in refusal(tmp_path)
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    assert "git-lfs pointer" in refusal(written(tmp_path, pointer))


def test_a_pickle_beside_the_data_is_never_opened(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (print, ("opened",))

    path = written(tmp_path, json.dumps([ROW]))
    for name in ("chat.pkl", "chat.json.pkl", "chat.json.cache"):
        (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
    assert read_records(path).rows == (ROW,)
    assert sorted(p.name for p in tmp_path.iterdir())[:1] == ["chat.json"]


def test_a_file_that_a_crash_left_full_of_zeros_is_called_that(tmp_path: Path) -> None:
    line = json.dumps(ROW).encode() + b"\n"
    path = written(tmp_path, line + bytes(40), "chat.jsonl")
    assert refusal(path).startswith(f": only zeros from byte {len(line)} on, as a crash or a full")
