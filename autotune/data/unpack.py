"""Opens a file through whatever it is packed in, to its text or to its table, with a bound.

gzip, bzip2, xz and a zip archive of one file are read by the standard library; zstd and lz4 where a
library that reads them is installed. A damaged or endless archive is one line, not a traceback.
"""

import bz2
import gzip
import importlib
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from autotune.base.errors import BadInput, EnvironmentFault
from autotune.data import file_kinds
from autotune.data.file_kinds import HEAD_BYTES, Kind, kind_of, misnamed

ROOM_BYTES = 256 * 2**20
"""What an archive may always unpack to."""

MAX_RATIO = 100
"""Beyond the room, how many times its own size: chats and their markup pack to a tenth or a
twentieth, a file made to fill memory to a thousandth (the most that deflate can)."""

MAX_LAYERS = 3
"""Archives inside archives that are opened: a downloaded zip of a .gz is two."""

EXTRA = 'python -m pip install "smolsft-autotune[data]"'
"""The command that brings the libraries for tables and zstd."""

_DAMAGES = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A file opened: its bytes, unpacked, and what kind they are.

    `layers` are the kinds from outside in, the innermost being `kind`.
    """

    path: Path
    stream: BinaryIO
    layers: tuple[Kind, ...]

    @property
    def kind(self) -> Kind:
        """What the innermost bytes are."""
        return self.layers[-1]

    @property
    def misnamed(self) -> str:
        """What to say where the file's name has the ending of another kind; else nothing."""
        wrong = misnamed(self.layers, self.path.name)
        return f"{self.remark or 'read as text'} {wrong}" if wrong else ""

    @property
    def remark(self) -> str:
        """In which way the file is read, where that is worth a word."""
        names = [kind.name for kind in self.layers if kind is not file_kinds.TEXT]
        return f"read as {' of '.join(names)}" if names else ""


@contextmanager
def unpacked(path: Path, what: str) -> Iterator[Unpacked]:
    """The file at `path`, open for reading, through what it is packed in.

    `what` is wanted, in words for the complaint: `a JSON or JSON-lines file`.

    Raises:
        BadInput: no such file, a kind that is not read, a damaged archive, or one without end.
        EnvironmentFault: the file is there but cannot be read, or a library for it is missing.
    """
    try:
        raw = path.open("rb", buffering=16 * HEAD_BYTES)
    except FileNotFoundError:
        raise BadInput(f"{path}: cannot be read: no such file; name {what}") from None
    except OSError as error:
        if path.is_dir():
            raise BadInput(f"{path}: is a folder; name {what} in it") from None
        raise EnvironmentFault(f"{path}: cannot be read ({error.strerror})") from None
    with raw:
        yield _through(path, raw)


def check_kind(path: Path) -> None:
    """Look at a file's first bytes, so that one of a wrong kind is refused before any work.

    Raises:
        BadInput, EnvironmentFault: as `unpacked`.
    """
    with unpacked(path, "a file of JSON Lines"):
        pass


def _through(path: Path, raw: BinaryIO) -> Unpacked:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise EnvironmentFault(f"{path}: cannot be read ({error.strerror})") from None
    stream = raw
    layers: list[Kind] = []
    name = path.name
    while True:
        head = _peek(stream)
        kind = kind_of(head, name)
        if kind is file_kinds.ZIP:
            kind, member = _zip_kind(path, stream)
            layers.append(kind)
            if member is not None:
                name = PurePosixPath(member.name).name
                stream = _bounded(path, cast(BinaryIO, member), kind, size)
        else:
            layers.append(kind)
            if kind.packing:
                ending = PurePosixPath(name).suffix
                name = name.removesuffix(ending) if ending.lower() in kind.endings else name
                stream = _bounded(path, _opened(path, kind, stream), kind, size)
        if kind.remedy:
            raise refused(path, layers)
        if not kind.packing:
            return Unpacked(path, stream, tuple(layers))
        if len(layers) > MAX_LAYERS:
            raise BadInput(f"{path}: archives inside archives; unpack it and give the file in it")


def refused(path: Path, layers: list[Kind]) -> BadInput:
    """A file of a kind that is not read, named, with what to do."""
    inner = layers[-1]
    outer = "".join(f" in {kind.name}" for kind in reversed(layers[:-1]))
    if inner in (file_kinds.UTF16, file_kinds.UTF32):
        return BadInput(f"{path}: not UTF-8 at byte 0; it is {inner.name}{outer}; {inner.remedy}")
    wrong = misnamed(tuple(layers), path.name)
    return BadInput(f"{path}: is {inner.name}{outer}{' ' if wrong else ''}{wrong}; {inner.remedy}")


def _peek(stream: BinaryIO) -> bytes:
    buffered = cast(io.BufferedReader, stream)
    return buffered.peek(HEAD_BYTES)[:HEAD_BYTES]


class _Bounded(io.RawIOBase):
    """What comes out of an archive: faults in one line, and an end to what it may unpack to."""

    def __init__(self, path: Path, inner: BinaryIO, kind: Kind, packed_bytes: int) -> None:
        super().__init__()
        self.path = path
        self.inner = inner
        self.kind = kind
        self.most = max(ROOM_BYTES, MAX_RATIO * packed_bytes)
        self.given = 0

    def readable(self) -> bool:
        """It is only read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next bytes."""
        try:
            found = self.inner.read(len(buffer))
        except _DAMAGES as error:
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise BadInput(
                f"{self.path}: {self.kind.name} is damaged or truncated after {self.given} bytes of"
                f" its content ({why}); fetch or pack the file again"
            ) from None
        except RuntimeError as error:  # zipfile's for a member that needs a password
            raise BadInput(
                f"{self.path}: {self.kind.name} cannot be opened ({error}); unpack it and give the"
                " file in it"
            ) from None
        self.given += len(found)
        if self.given > self.most:
            raise BadInput(
                f"{self.path}: unpacks to more than {self.most} bytes, {MAX_RATIO} times its size;"
                " if it is what you want to read, unpack it yourself and give the file"
            )
        buffer[: len(found)] = found
        return len(found)


def _bounded(path: Path, inner: BinaryIO, kind: Kind, packed_bytes: int) -> BinaryIO:
    return io.BufferedReader(_Bounded(path, inner, kind, packed_bytes), 16 * HEAD_BYTES)


def _opened(path: Path, kind: Kind, stream: BinaryIO) -> BinaryIO:
    """The content of a compressed stream."""
    if kind is file_kinds.GZIP:
        return cast(BinaryIO, gzip.GzipFile(fileobj=stream))
    if kind is file_kinds.BZIP2:
        return cast(BinaryIO, bz2.BZ2File(stream))
    if kind is file_kinds.XZ:
        return cast(BinaryIO, lzma.LZMAFile(stream))
    return _by_library(path, kind, stream)


def _by_library(path: Path, kind: Kind, stream: BinaryIO) -> BinaryIO:
    """What zstd or lz4 packed: by Python itself from 3.14 on, by zstandard, or by pyarrow."""
    if kind is file_kinds.ZSTD:
        if (own := _library("compression.zstd")) is not None:
            return cast(BinaryIO, own.ZstdFile(stream))
        if (other := _library("zstandard")) is not None:
            reader = other.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
            return cast(BinaryIO, reader)
    arrow = _library("pyarrow")
    if arrow is None:
        raise BadInput(
            f"{path}: is {kind.name}; no installed library reads it: {EXTRA}, or unpack it and give"
            " the file in it"
        )
    try:
        return cast(BinaryIO, arrow.CompressedInputStream(arrow.PythonFile(stream), kind.name))
    except (ValueError, OSError, NotImplementedError) as error:
        raise BadInput(
            f"{path}: {kind.name} cannot be opened ({error}); unpack it and give the file in it"
        ) from None


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _zip_kind(path: Path, stream: BinaryIO) -> tuple[Kind, Any]:
    """What a zip archive really is, and its one file, open, where that can be read."""
    try:
        archive = zipfile.ZipFile(stream)
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
    except _DAMAGES as error:
        raise BadInput(
            f"{path}: a zip archive that is damaged or truncated ({error}); fetch or pack the file"
            " again"
        ) from None
    for kind in _by_names(names):
        return kind, None
    files = [name for name in names if not _is_clutter(name)]
    data = [name for name in files if PurePosixPath(name).suffix.lower() in file_kinds.READ_ENDINGS]
    chosen = files if len(files) == 1 else [n for n in data if not n.lower().endswith(".txt")]
    if len(chosen) != 1:
        shown = ", ".join(sorted(files)[:4]) + (" ..." if len(files) > 4 else "")
        holds = f"{len(files)} files ({shown}), one is needed" if files else "no file"
        raise BadInput(
            f"{path}: a zip archive with {holds}; unpack it and give the file that you want"
        )
    try:
        return file_kinds.ZIP, archive.open(chosen[0])
    except (*_DAMAGES, RuntimeError, NotImplementedError) as error:
        raise BadInput(
            f"{path}: {chosen[0]} in the zip archive cannot be opened ({error}); unpack it and give"
            " the file"
        ) from None


def _by_names(names: list[str]) -> Iterator[Kind]:
    """Kinds that are zip archives underneath, by the files in them."""
    if any(name.startswith("xl/") for name in names):
        yield file_kinds.WORKBOOK
    if any(PurePosixPath(name).name == "data.pkl" for name in names):
        yield file_kinds.CHECKPOINT
    if any(name.startswith(("word/", "ppt/")) or name == "content.xml" for name in names):
        yield file_kinds.DOCUMENT
    if names and all(name.endswith(".npy") for name in names):
        yield file_kinds.ARRAYS


def _is_clutter(name: str) -> bool:
    """What a Mac puts into an archive beside the files."""
    return name.startswith("__MACOSX/") or PurePosixPath(name).name in (".DS_Store", "Thumbs.db")
