"""What kind of file this is, recognized by its first bytes and not by its name.

Each kind that is not read is named with the way to what is: JSON Lines, JSON, CSV, Parquet, Arrow.
"""

from dataclasses import dataclass
from pathlib import Path

from autotune.base.format import either

LFS_POINTER = b"version https://git-lfs.github.com/spec/"

HEAD_BYTES = 4096
"""Bytes that telling a kind asks for: a tar archive says so at 257, a page within the first few."""

_CONVERT = "write its rows as JSON Lines, one record a line"
_WEIGHTS = "holds weights, not text: give the file of conversations or prompts"
_UNPACK = "unpack it and give the one file in it"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file: its name in a sentence, the endings that it usually has, what to do with it.

    `remedy` is empty where the kind is read. `packing` kinds hold another file.
    """

    name: str
    endings: tuple[str, ...]
    remedy: str = ""
    packing: bool = False


TEXT = Kind("text", (".json", ".jsonl", ".ndjson", ".txt"))
CSV = Kind("a CSV table", (".csv",))
TSV = Kind("a table of tab-separated values", (".tsv", ".tab"))
PARQUET = Kind("a Parquet table", (".parquet", ".pq"))
ARROW_FILE = Kind("an Arrow file", (".arrow", ".feather", ".ipc"))
ARROW_STREAM = Kind("an Arrow stream", (".arrow", ".arrows", ".ipc"))
GZIP = Kind("gzip", (".gz", ".gzip"), packing=True)
BZIP2 = Kind("bzip2", (".bz2",), packing=True)
XZ = Kind("xz", (".xz",), packing=True)
ZSTD = Kind("zstd", (".zst", ".zstd"), packing=True)
LZ4 = Kind("lz4", (".lz4",), packing=True)
ZIP = Kind("a zip archive", (".zip",), packing=True)

TABLES = (PARQUET, ARROW_FILE, ARROW_STREAM)

_READ = (TEXT, CSV, TSV, *TABLES)
_PACKED = (GZIP, BZIP2, XZ, ZSTD, LZ4, ZIP)

READ_ENDINGS = tuple(ending for kind in (*_READ, *_PACKED) for ending in kind.endings)
"""Endings of files that can be read here."""


def readable(*texts: str) -> str:
    """What can be given where text of these endings is expected: `.jsonl, .csv, ... or .zip`.

    Of each other kind the ending that it usually has stands for all.
    """
    usual = [kind.endings[0] for kind in (*_READ, *_PACKED) if kind is not TEXT]
    return either(dict.fromkeys((*texts, *usual)))


WORKBOOK = Kind("an Excel workbook", (".xlsx", ".xlsm"), "save the sheet as CSV in UTF-8")
CHECKPOINT = Kind(
    "a PyTorch checkpoint (a pickle)",
    (".pt", ".pth", ".bin", ".ckpt"),
    f"pickles are never opened, since that can run code; {_CONVERT}",
)
ARRAYS = Kind("NumPy arrays", (".npz", ".npy"), _CONVERT)
DOCUMENT = Kind("an office document", (".docx", ".odt", ".pptx", ".ods"), _CONVERT)
UTF16 = Kind("text in UTF-16", (), "save the file as UTF-8")
UTF32 = Kind("text in UTF-32", (), "save the file as UTF-8")

_STARTS: tuple[tuple[bytes, Kind], ...] = (
    (
        LFS_POINTER,
        Kind("a git-lfs pointer, not the data", (), "run `git lfs pull` first"),
    ),
    (b"\x1f\x8b", GZIP),
    (b"BZh", BZIP2),
    (b"\xfd7zXZ\x00", XZ),
    (b"\x28\xb5\x2f\xfd", ZSTD),
    (b"\x04\x22\x4d\x18", LZ4),
    (b"PK\x03\x04", ZIP),
    (b"PK\x05\x06", ZIP),
    (b"7z\xbc\xaf\x27\x1c", Kind("a 7-Zip archive", (".7z",), _UNPACK)),
    (b"Rar!\x1a\x07", Kind("a RAR archive", (".rar",), _UNPACK)),
    (b"PAR1", PARQUET),
    (b"PARE", Kind("an encrypted Parquet table", (".parquet",), f"decrypt it, or {_CONVERT}")),
    (b"ARROW1", ARROW_FILE),
    (b"FEA1", Kind("a Feather file of the first version", (".feather",), _CONVERT)),
    (b"\xff\xff\xff\xff", ARROW_STREAM),
    (b"ORC", Kind("an ORC table", (".orc",), _CONVERT)),
    (b"Obj\x01", Kind("an Avro file", (".avro",), _CONVERT)),
    (b"GGUF", Kind("a GGUF file", (".gguf",), _WEIGHTS)),
    (b"SQLite format 3\x00", Kind("an SQLite database", (".db", ".sqlite"), _CONVERT)),
    (b"\x89HDF\r\n\x1a\n", Kind("an HDF5 file", (".h5", ".hdf5"), _CONVERT)),
    (b"\x93NUMPY", ARRAYS),
    (b"%PDF-", Kind("a PDF document", (".pdf",), _CONVERT)),
    (b"\x89PNG\r\n", Kind("a PNG picture", (".png",), _CONVERT)),
    (b"\xff\xd8\xff", Kind("a JPEG picture", (".jpg", ".jpeg"), _CONVERT)),
    (b"\xd0\xcf\x11\xe0", Kind("an old Office document", (".xls", ".doc"), "save it as CSV")),
    (b"{\\rtf", Kind("a rich text document", (".rtf",), "save it as plain text in UTF-8")),
    (b"\x7fELF", Kind("a program", (), "give the file of conversations or prompts")),
    (b"\xff\xfe\x00\x00", UTF32),
    (b"\x00\x00\xfe\xff", UTF32),
    (b"\xff\xfe", UTF16),
    (b"\xfe\xff", UTF16),
)

_PICKLE = Kind(
    "a Python pickle",
    (".pkl", ".pickle", ".pt", ".pth", ".bin"),
    f"pickles are never opened, since that can run code; {_CONVERT}",
)
_TAR = Kind("a tar archive", (".tar",), _UNPACK)
_SAFETENSORS = Kind("a safetensors file", (".safetensors",), _WEIGHTS)
_DUCKDB = Kind("a DuckDB database", (".duckdb", ".db"), _CONVERT)
_PAGE = Kind(
    "an HTML page",
    (".html", ".htm"),
    "a download gave a page instead of the file; fetch the file itself (on a hub: its raw or"
    " resolve address)",
)
_XML = Kind("an XML document", (".xml",), _CONVERT)

_SPACE = b" \t\r\n"
_HEADERS = (
    {"messages"},
    {"conversations"},
    {"instruction", "output"},
    {"prompt", "completion"},
    {"prompt", "response"},
)
"""Columns by which the first line of a table is told from text, where the name says nothing."""


def kind_of(head: bytes, name: str) -> Kind:
    """The kind of a file that begins with `head` (`HEAD_BYTES` of it, or all) and is called `name`.

    The name decides only whether text is a table: `.csv` and `.tsv` are, unless it begins as JSON
    does.
    """
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if _is_pickle(head):
        return _PICKLE
    if head[257:262] == b"ustar":
        return _TAR
    if head[8:12] == b"DUCK":
        return _DUCKDB
    # A safetensors file begins with the length of its JSON header, in 8 bytes.
    if head[8:10] == b'{"' and int.from_bytes(head[:8], "little") < 100_000_000 and head[7] == 0:
        return _SAFETENSORS
    return _text_kind(head.removeprefix(b"\xef\xbb\xbf"), name)


def _text_kind(head: bytes, name: str) -> Kind:
    text = head.lstrip(_SPACE)
    if text.startswith((b"{", b"[")):
        return TEXT
    if text[:14].lower().startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return _PAGE
    if text.startswith(b"<?xml"):
        return _XML
    ending = Path(name).suffix.lower()
    for kind in (CSV, TSV):
        if ending in kind.endings:
            return kind
    first = head.split(b"\n", 1)[0].decode("utf-8", "replace").strip().lower()
    for mark, kind in ((",", CSV), (";", CSV), ("\t", TSV)):
        cells = {cell.strip(" \"'") for cell in first.split(mark)}
        if len(cells) > 1 and any(columns <= cells for columns in _HEADERS):
            return kind
    return TEXT


def _is_pickle(head: bytes) -> bool:
    # Protocols 2 to 5 begin with their number; from 4 on a frame follows, before that an opcode.
    if len(head) < 3 or head[0] != 0x80 or not 2 <= head[1] <= 5:
        return False
    return head[2] in (b"\x95" if head[1] >= 4 else b"]}(cX\x8a\x58KMqc)")


def misnamed(kinds: tuple[Kind, ...], name: str) -> str:
    """What to say where the name of a file has the ending of another kind; else nothing.

    `kinds` are the file's own from outside in; a name such as `chats.jsonl.gz` fits the outermost.
    A name without a known ending says nothing wrong.
    """
    ending = Path(name).suffix.lower()
    known = ending in READ_ENDINGS
    if not known or not kinds or any(ending in kind.endings for kind in kinds[:1]):
        return ""
    return f"although its name ends in {ending}"
