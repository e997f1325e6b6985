"""Which operation of a run goes wrong and how: the block of memory that `operations.c` looks at.

The library stands before the C library's own functions in the processes of a run, so it sees what
Python, SQLite, torch and safetensors write alike.
"""

import ctypes
import mmap
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("operations.c")
LIBRARY, CONTROL, ROLE = "FAULTS_LIBRARY", "FAULTS_CONTROL", "FAULTS_ROLE"
"""Environment variables by which a process of a run finds its block."""


class Role(IntEnum):
    """Whose operations are counted."""

    RUN = 0
    WORKER = 1


class Kind(IntEnum):
    """What becomes of the N-th operation.

    A kill comes instead of it, a torn write is one that ends half way with its process. The write
    that fills a disk up leaves its first half; the disk stays full until the command is over, for
    the other process as well. EIO comes once.
    """

    NOTHING = 0
    KILL = 1
    KILL_BOTH = 2
    TEAR = 3
    ENOSPC = 4
    EIO = 5

    @property
    def kills(self) -> bool:
        """Whether a process is gone after it, and no error told."""
        return self in (Kind.KILL, Kind.KILL_BOTH, Kind.TEAR)


class _Block(ctypes.Structure):
    _fields_ = [
        ("role", ctypes.c_int),
        ("kind", ctypes.c_int),
        ("at", ctypes.c_long),
        ("count", ctypes.c_long * 2),
        ("pids", ctypes.c_int * 2),
        ("fired", ctypes.c_int),
        ("full", ctypes.c_int),
        ("root", ctypes.c_char * 512),
        ("trace", ctypes.c_char * 512),
        ("met", ctypes.c_char * 512),
    ]


@dataclass(frozen=True)
class Fault:
    """The `at`-th operation of a role, counted from 1 over all its processes, goes wrong."""

    role: Role
    kind: Kind
    at: int

    def __str__(self) -> str:
        return f"{self.role.name.lower()} {self.at} {self.kind.name}"


@dataclass(frozen=True)
class Operation:
    """One operation of an undisturbed run: its number in its role, what it does and to what."""

    role: Role
    at: int
    name: str
    path: str


class Control:
    """A block that processes share."""

    def __init__(self, path: Path, memory: mmap.mmap) -> None:
        self.path = path
        self._block = _Block.from_buffer(memory)

    @property
    def fired(self) -> bool:
        """Whether the operation was reached."""
        return bool(self._block.fired)

    @property
    def met(self) -> str:
        """The operation that went wrong, in words."""
        return bytes(self._block.met).decode("utf-8", "replace")


@contextmanager
def control(path: Path, root: Path, fault: Fault | None, trace: Path | None) -> Iterator[Control]:
    """A block for the processes of one command; counted is what happens below `root`."""
    path.write_bytes(bytes(ctypes.sizeof(_Block)))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        made = Control(path, memory)
        block = made._block
        block.root = os.fsencode(root)
        block.trace = os.fsencode(trace) if trace is not None else b""
        if fault is not None:
            block.role, block.kind, block.at = fault.role, fault.kind, fault.at
        try:
            yield made
        finally:
            # A view of the memory, which could not be closed while there is one.
            values = bytes(block)
            del block
            made._block = _Block.from_buffer_copy(values)


def operations(trace: Path) -> list[Operation]:
    """What a run did, in order, by its trace."""
    found = []
    for line in trace.read_text(encoding="utf-8", errors="replace").splitlines():
        role, at, name, path = line.split(" ", 3)
        found.append(Operation(Role(int(role)), int(at), name, path))
    return found


def obey(environ: "os._Environ[str]") -> None:
    """Let this process know its block, if its environment names one."""
    if CONTROL not in environ:
        return
    library = ctypes.CDLL(environ[LIBRARY])
    begun = library.faults_begin(os.fsencode(environ[CONTROL]), int(environ[ROLE]))
    assert begun == 0, environ[CONTROL]


def built(folder: Path) -> Path:
    """The library, compiled into a folder; skips the test where that cannot be done."""
    if sys.platform != "linux":
        pytest.skip("a library stands before the C library's by LD_PRELOAD on Linux only")
    compiler = next(
        (p for name in (os.environ.get("CC", "cc"), "gcc", "clang") if (p := shutil.which(name))),
        None,
    )
    if compiler is None:
        pytest.skip("needs a C compiler")
    target = folder / "operations.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-o", str(target), str(SOURCE), "-ldl"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return target
