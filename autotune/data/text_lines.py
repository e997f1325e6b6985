"""Text of a file a line at a time, as UTF-8 with or without a byte order mark, strictly."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from autotune.base.errors import BadInput

BOM = b"\xef\xbb\xbf"


class TextLines:
    """Lines of a stream, each with the line feed that ends it; nothing else ends one.

    Raises:
        BadInput: a line is not UTF-8, or holds a zero byte. UTF-16 of plain English is valid UTF-8
            full of those, and no text holds one.
    """

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        self.path = path
        self._stream = stream
        self._offset = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._stream.readline()
        if not line:
            raise StopIteration
        return self._text(line)

    def rest(self) -> str:
        """All that has not been read yet."""
        return self._text(self._stream.read())

    def _text(self, raw: bytes) -> str:
        begin = len(BOM) if self._offset == 0 and raw.startswith(BOM) else 0
        try:
            text = raw[begin:].decode("utf-8")
        except UnicodeDecodeError as error:
            at = error.start + begin
            raise not_utf8(self.path, self._offset + at, raw[at : at + 1]) from None
        if "\0" in text:
            raise zero_byte(self.path, self._offset + raw.index(0), raw)
        self._offset += len(raw)
        return text


def zero_byte(path: Path, byte: int, line: bytes) -> BadInput:
    """The refusal of a line at its first zero byte: another encoding, or what a crash left.

    A letter of UTF-16 or UTF-32 has three of them at most.
    """
    rest = line[line.index(0) :].rstrip(b"\r\n")
    if rest.strip(b"\0") or len(rest) < 4:
        return not_utf8(path, byte, b"\0")
    return BadInput(
        f"{path}: only zeros from byte {byte} on, as a crash or a full disk leaves a file; fetch or"
        " write it again"
    )


def not_utf8(path: Path, byte: int, found: bytes) -> BadInput:
    """The refusal of a text at its byte, with what stands there in Windows' usual code page."""
    letter = found.decode("cp1252", "replace")
    seems = f"; in Windows-1252 it would be {letter!r}" if letter.isprintable() else ""
    return BadInput(f"{path}: not UTF-8 at byte {byte}{seems}; save the file as UTF-8")
