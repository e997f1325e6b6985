"""Files that are no plain JSON: read where a library can, else called what they are."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autotune.base.errors import BadInput
from autotune.data import file_kinds, unpack
from autotune.data.load import load_conversations
from autotune.protocol.plan import DataSpec
from autotune.score.answers import read_answers
from autotune.score.ifeval.prompts import read_ifeval_prompts
from tests.wholefiles import read_records

TURNS = [{"role": "user", "content": "é\u2028?"}, {"role": "assistant", "content": "!"}]
ROW = {"messages": TURNS}
LINES = (json.dumps(ROW, ensure_ascii=False) + "\n").encode("utf-8") * 3


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return out.getvalue()


def tarred(content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("chat.jsonl")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def table(rows: list[dict[str, Any]], kind: str) -> bytes:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import feather, parquet

    out = io.BytesIO()
    made = arrow.Table.from_pylist(rows)
    match kind:
        case "parquet":
            parquet.write_table(made, out)
        case "feather":
            feather.write_feather(made, out)
        case "file":
            with arrow.ipc.new_file(out, made.schema) as writer:
                writer.write_table(made)
        case "stream":
            with arrow.ipc.new_stream(out, made.schema) as writer:
                writer.write_table(made)
    return out.getvalue()


def packed(content: bytes, codec: str) -> bytes:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    sink = arrow.BufferOutputStream()
    with arrow.CompressedOutputStream(sink, codec) as stream:
        stream.write(content)
    return bytes(sink.getvalue())


def refusal(path: Path) -> str:
    with pytest.raises(BadInput) as caught:
        read_records(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    return text.removeprefix(str(path))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("chat.jsonl.gz", lambda: gzip.compress(LINES), "read as gzip"),
        ("chat.jsonl.bz2", lambda: bz2.compress(LINES), "read as bzip2"),
        ("chat.jsonl.xz", lambda: lzma.compress(LINES), "read as xz"),
        ("chat.jsonl.zst", lambda: packed(LINES, "zstd"), "read as zstd"),
        ("chat.jsonl.lz4", lambda: packed(LINES, "lz4"), "read as lz4"),
        ("chat.zip", lambda: zipped(**{"data__chat.jsonl": LINES}), "read as a zip archive"),
        (
            "chat.zip",
            lambda: zipped(**{"chat.jsonl.gz": gzip.compress(LINES), "__MACOSX__.x": b"x"}),
            "read as a zip archive of gzip",
        ),
        ("rows.parquet", lambda: table([ROW] * 3, "parquet"), "read as a Parquet table"),
        (
            "rows.parquet",
            lambda: table([{k: json.dumps(v) for k, v in ROW.items()}] * 3, "parquet"),
            "read as a Parquet table",
        ),
        ("rows.feather", lambda: table([ROW] * 3, "feather"), "read as an Arrow file"),
        ("rows.arrow", lambda: table([ROW] * 3, "file"), "read as an Arrow file"),
        ("rows.arrow", lambda: table([ROW] * 3, "stream"), "read as an Arrow stream"),
        (
            "rows.parquet.gz",
            lambda: gzip.compress(table([ROW] * 3, "parquet")),
            "read as gzip of a Parquet table",
        ),
        ("chat.jsonl", lambda: b"\xef\xbb\xbf" + LINES, ""),
        ("chat.json.gz", lambda: gzip.compress(json.dumps([ROW] * 3).encode()), "read as gzip"),
    ],
)
def test_packed_files_and_tables_give_the_rows_that_plain_lines_give(
    tmp_path: Path, name: str, content: Callable[[], bytes], said: str
) -> None:
    records = read_records(written(tmp_path, name, content()))
    assert records.rows == (ROW, ROW, ROW)
    assert records.numbers == (1, 2, 3)
    assert (records.remark, records.misnamed) == (said, "")


def test_a_kind_is_told_by_its_bytes_and_a_name_that_says_otherwise_is_said(tmp_path: Path) -> None:
    wrong = {
        "rows.jsonl": (table([ROW], "parquet"), "read as a Parquet table", ".jsonl"),
        "chat.csv": (LINES, "read as text", ".csv"),
        "chat.gz": (LINES, "read as text", ".gz"),
        "chat.json": (gzip.compress(LINES), "read as gzip", ".json"),
        "talk.json": (b"prompt,completion\na,b\n", "read as a CSV table", ".json"),
    }
    for name, (content, read, ending) in wrong.items():
        path = written(tmp_path, name, content)
        records = read_records(path)
        assert records.misnamed == f"{read} although its name ends in {ending}"
        notes = load_conversations(DataSpec(path=str(path), format="auto")).notes
        assert f"the file is {records.misnamed}" in [note.what for note in notes]
    assert read_records(written(tmp_path, "no ending", LINES)).misnamed == ""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("talk.csv", 'instruction,input,output\n"a, ""b""",,"c\nd"\ne,f,g\n'),
        ("talk.csv", '\ufeffinstruction;input;output\r\n"a, ""b""";;"c\nd"\r\ne;f;g\r\n'),
        ("talk.tsv", 'instruction\tinput\toutput\n"a, ""b"""\t\t"c\nd"\ne\tf\tg\n'),
        ("talk", 'instruction,input,output\n"a, ""b""",,"c\nd"\ne,f,g\n'),
    ],
)
def test_a_csv_table_is_read_by_its_line_of_names(tmp_path: Path, name: str, content: str) -> None:
    records = read_records(written(tmp_path, name, content.encode("utf-8")))
    assert records.rows == (
        {"instruction": 'a, "b"', "input": "", "output": "c\nd"},
        {"instruction": "e", "input": "f", "output": "g"},
    )
    assert records.numbers == (1, 2)


def test_a_cell_of_turns_is_opened_where_it_is_json_and_refused_where_it_is_not(
    tmp_path: Path,
) -> None:
    cell = json.dumps(TURNS).replace('"', '""')
    path = written(tmp_path, "talk.csv", f'id,messages\n1,"{cell}"\n2,"{cell}"\n'.encode())
    assert [row["messages"] for row in read_records(path).rows] == [TURNS, TURNS]
    path = written(tmp_path, "talk.csv", f'id,messages\n1,"{TURNS}"\n'.encode())
    assert refusal(path).startswith(": row 1: column 'messages' holds a list that is not JSON")
    path = written(tmp_path, "talk.csv", b"prompt,completion\na,b\na,b,c\nd,e\n")
    assert refusal(path).startswith(": row 2: 3 cells, but the first line names 2 columns")
    assert read_records(path, skip_bad=1).numbers == (1, 3)


def test_a_cell_of_text_stays_text_though_it_looks_like_a_list(tmp_path: Path) -> None:
    answers = ['[{"a": 1}]', "[{'a': 1}]", "[1, 2]", "[]", "[Ende]"]
    lines = ['list,"' + answer.replace('"', '""') + '"' for answer in answers]
    path = written(tmp_path, "answers.csv", "\n".join(["prompt,response", *lines]).encode())
    assert [given.response for given in read_answers(path)] == answers
    for columns in ("instruction,output", "prompt,completion"):
        path = written(tmp_path, "talk.csv", "\n".join([columns, *lines]).encode())
        found = load_conversations(DataSpec(path=str(path), format="auto"))
        assert [c.messages[1].content for c in found.conversations] == answers


def test_a_list_that_says_which_turns_are_trained_on_is_opened_in_a_cell(tmp_path: Path) -> None:
    turns = json.dumps([*TURNS, *TURNS]).replace('"', '""')
    path = written(tmp_path, "talk.csv", f'messages,loss_mask\n"{turns}","[0, 0, 0, 1]"\n'.encode())
    (found,) = load_conversations(DataSpec(path=str(path), format="auto")).conversations
    assert [each.assistant.trained for each in found.rounds] == [False, True]


def database(folder: Path) -> bytes:
    path = folder / "made.db"
    with sqlite3.connect(path) as made:
        made.execute("create table chats (prompt)")
    made.close()
    return path.read_bytes()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"GGUF\x03\x00\x00\x00" + bytes(40), ": is a GGUF file although its name ends in .json"),
        (
            (40).to_bytes(8, "little") + b'{"w":{"dtype":"F32"}}' + bytes(40),
            ": is a safetensors file",
        ),
        (database, ": is an SQLite database"),
        (pickle.dumps([ROW]), ": is a Python pickle"),
        (pickle.dumps([ROW], protocol=2), ": is a Python pickle"),
        (zipped(archive__data__pkl=b"x", **{"archive__data.pkl": b"x"}), ": is a PyTorch check"),
        (zipped(**{"xl__workbook.xml": b"x"}), ": is an Excel workbook"),
        (zipped(**{"word__document.xml": b"x"}), ": is an office document"),
        (zipped(**{"a.npy": b"x"}), ": is NumPy arrays"),
        (tarred(LINES), ": is a tar archive"),
        (gzip.compress(tarred(LINES)), ": is a tar archive in gzip"),
        (b"\n<!DOCTYPE html>\n<html>no such file</html>", ": is an HTML page"),
        (b"%PDF-1.7\n%\xe2\xe3", ": is a PDF document"),
        (b"version https://git-lfs.github.com/spec/v1\n", ": is a git-lfs pointer"),
        (json.dumps([ROW]).encode("utf-16"), ": not UTF-8 at byte 0; it is text in UTF-16"),
    ],
)
def test_what_is_not_read_is_called_what_it_is_with_the_way_to_what_is(
    tmp_path: Path, content: Any, said: str
) -> None:
    raw = content(tmp_path) if callable(content) else content
    path = written(tmp_path, "chat.json", raw)
    assert refusal(path).startswith(said)
    assert "; " in refusal(path)
    for read in (read_ifeval_prompts, read_answers):
        with pytest.raises(BadInput) as caught:
            read(path)
        assert str(caught.value) == f"{path}{refusal(path)}"


@pytest.mark.parametrize(
    "cut",
    [
        ("chat.jsonl.gz", lambda: gzip.compress(LINES * 2000)),
        ("chat.jsonl.bz2", lambda: bz2.compress(LINES * 2000)),
        ("chat.jsonl.xz", lambda: lzma.compress(LINES * 2000)),
        ("chat.jsonl.zst", lambda: packed(LINES * 2000, "zstd")),
        ("chat.zip", lambda: zipped(**{"chat.jsonl": LINES * 2000})),
        ("rows.parquet", lambda: table([ROW] * 2000, "parquet")),
        ("rows.arrow", lambda: table([ROW] * 2000, "file")),
        ("rows.arrows", lambda: table([ROW] * 2000, "stream")),
    ],
    ids=lambda cut: cut[0],
)
def test_a_file_that_is_cut_short_is_one_line_that_says_so(
    tmp_path: Path, cut: tuple[str, Callable[[], bytes]]
) -> None:
    name, content = cut
    whole = content()
    for kept in (len(whole) - 5, len(whole) // 2, 30):
        said = refusal(written(tmp_path, name, whole[:kept]))
        assert "truncated" in said
        assert "Traceback" not in said


def test_what_unpacks_without_end_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "ROOM_BYTES", 100_000)
    endless = gzip.compress(b" " * 3_000_000)
    assert "unpacks to more than " in refusal(written(tmp_path, "chat.gz", endless))
    nested = LINES
    for _ in range(5):
        nested = gzip.compress(nested)
    assert ": archives inside archives" in refusal(written(tmp_path, "chat.gz", nested))
    # A fair file, twenty times its packed size, is within any bound.
    fair = "".join(json.dumps({"messages": TURNS, "id": at}) + "\n" for at in range(5000))
    assert (
        len(read_records(written(tmp_path, "fair.gz", gzip.compress(fair.encode()))).rows) == 5000
    )


def test_an_archive_of_several_files_names_them(tmp_path: Path) -> None:
    path = written(tmp_path, "chat.zip", zipped(**{"a.jsonl": LINES, "b.jsonl": LINES}))
    assert "2 files (a.jsonl, b.jsonl), one is needed" in refusal(path)
    assert "no file" in refusal(written(tmp_path, "chat.zip", zipped()))


def test_without_the_library_the_kind_is_named_with_the_command_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    rows, lines = table([ROW], "parquet"), packed(LINES, "zstd")
    for name in ("pyarrow", "zstandard", "compression.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    said = refusal(written(tmp_path, "rows.parquet", rows))
    assert said.startswith(": is a Parquet table, which pyarrow reads")
    assert "smolsft-autotune[data]" in said
    said = refusal(written(tmp_path, "chat.jsonl.zst", lines))
    assert said.startswith(": is zstd; no installed library reads it: ")


def test_prompts_and_answers_may_be_packed_or_a_table_too(tmp_path: Path) -> None:
    prompt = {
        "key": 7,
        "prompt": "no commas, please",
        "instruction_id_list": ["punctuation:no_comma"],
        "kwargs": [{"num_words": None}],
    }
    answer = {"prompt": "no commas, please", "response": "none"}
    line = (json.dumps(prompt) + "\n").encode()
    for name, content in (("p.gz", gzip.compress(line)), ("p.parquet", table([prompt], "parquet"))):
        (found,) = read_ifeval_prompts(written(tmp_path, name, content))
        assert (found.key, found.prompt) == (7, "no commas, please")
    for name, content in (
        ("a.jsonl.gz", gzip.compress((json.dumps(answer) + "\n").encode())),
        ("a.csv", b'prompt,response\n"no commas, please",none\n'),
    ):
        (given,) = read_answers(written(tmp_path, name, content))
        assert (given.prompt, given.response) == ("no commas, please", "none")


def test_every_kind_that_is_not_read_has_a_way_out(tmp_path: Path) -> None:
    for _, kind in file_kinds._STARTS:
        assert kind.remedy or kind.packing or kind in file_kinds.TABLES
