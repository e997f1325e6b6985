"""How soon every command says something, and how soon it is done: on the toy, without a network.

Each command is started `--times` times in a folder of its own, with its output in a pipe, and the
medians are printed: seconds until the first byte of either stream, seconds until it ended, and what
the processor gave to it and its workers until then. On a computer that does other work only the
last can be compared with another time. Commands that train or answer are ended at their first
output. The numbers that docs/LOG.md quotes come from here:

    python benchmarks/first_output.py [--times 5] [--only NAME ...] [--run RUN]

`--run` is a finished run of the toy (`demo --toy`), which is made first where none is given.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import psutil

REPOSITORY = Path(__file__).resolve().parents[1]
PROGRAM = (sys.executable, "-P", "-m", "autotune")

RUN = "RUN"
"""Stands for the folder of the run."""

COMMANDS: dict[str, tuple[str, ...]] = {
    "help": ("--help",),
    "greeting": (),
    "help of run": ("run", "--help"),
    "a mistake": ("rum",),
    "doctor": ("doctor",),
    "init": ("init", "--yes"),
    "profiles list": ("profiles", "list"),
    "profiles show": ("profiles", "show", "cpu-smoke"),
    "profiles new": ("profiles", "new", "mine", "--from", "this-machine"),
    "profiles schema": ("profiles", "schema"),
    "inspect": ("inspect", "--profile", "cpu-smoke"),
    "probe --plan": ("probe", "--plan", "--model", "toy"),
    "run --explain": ("run", "--explain", "--profile", "cpu-smoke"),
    "run --dry-run": ("run", "--dry-run", "--profile", "cpu-smoke"),
    "demo": ("demo", "--toy"),
    "probe": ("probe", "--profile", "cpu-smoke"),
    "run": ("run", "--profile", "cpu-smoke"),
    "synth": ("synth", "--profile", "cpu-smoke"),
    "worker": ("worker", "--profile", "cpu-smoke"),
    "eval": ("eval", RUN),
    "eval compare": ("eval", "compare", RUN, RUN),
    "runs": ("runs",),
    "watch": ("watch", RUN),
    "report": ("report", RUN),
    "chat": ("chat", RUN),
    "export": ("export", RUN, "--to", "script", "--out", "exported"),
}

LONG = frozenset({"demo", "probe", "run", "synth", "eval"})
"""These are at work for a minute: what is asked of them is only how soon they say so."""

WANTED_SECONDS = 1.0
"""Until the first output: what is said of longer ones is marked."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds of one command: to its first byte, to its end, and of the processor.

    `end` is None of one that was ended at its first byte.
    """

    first: float
    end: float | None
    processor: float


def main() -> int:
    """Time the commands and print a table."""
    options = arguments()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        environment = {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "HF_HUB_OFFLINE": "1",
            "SMOLSFT_CACHE": str(work / "cache"),
        }
        run = options.run or made_run(work, environment)
        print(f"{'command':16} {'first s':>8} {'end s':>8} {'processor s':>12}")
        for name, words in COMMANDS.items():
            if options.only and name not in options.only:
                continue
            typed = [str(run.absolute()) if word == RUN else word for word in words]
            begun = partial(timed, typed, work / "each", environment, whole=name not in LONG)
            taken = [begun() for _ in range(options.times)]
            print(line(name, taken), flush=True)
    return 0


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=list(COMMANDS), default=[])
    parser.add_argument("--run", type=Path)
    return parser.parse_args()


def line(name: str, taken: Sequence[Taken]) -> str:
    """The medians of a command; one that is late is marked."""
    first = median(each.first for each in taken)
    ends = [each.end for each in taken if each.end is not None]
    end = f"{median(ends):8.2f}" if ends else f"{'-':>8}"
    processor = median(each.processor for each in taken)
    late = "  late" if first > WANTED_SECONDS else ""
    return f"{name:16} {first:8.2f} {end} {processor:12.2f}{late}"


def made_run(work: Path, environment: dict[str, str]) -> Path:
    """A finished run of the toy."""
    run = work / "runs" / "toy"
    command = [*PROGRAM, "demo", "--toy", "--run-dir", str(run)]
    subprocess.run(command, env=environment, cwd=work, stdout=subprocess.DEVNULL, check=False)
    return run


def timed(words: Sequence[str], folder: Path, environment: dict[str, str], *, whole: bool) -> Taken:
    """One command in an empty folder, without a terminal and with nothing to read."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    begin = time.perf_counter()
    process = subprocess.Popen(
        [*PROGRAM, *words],
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    before = spent_by_children()
    moments: list[float] = []
    said = threading.Event()
    assert process.stdout is not None and process.stderr is not None
    readers = [
        threading.Thread(target=drain, args=(stream, moments, said))
        for stream in (process.stdout, process.stderr)
    ]
    for reader in readers:
        reader.start()
    if not whole:
        said.wait()
        end_with_workers(process.pid)
    for reader in readers:
        reader.join()
    process.stdout.close()
    process.stderr.close()
    process.wait()
    end = time.perf_counter()
    first = min(moments, default=end)
    ended = end - begin if whole else None
    return Taken(first - begin, ended, spent_by_children() - before)


def drain(stream: object, moments: list[float], said: threading.Event) -> None:
    """Read a stream to its end; the moment of its first byte is kept, and `said` is set."""
    assert hasattr(stream, "read1")
    while stream.read1(65536):
        if not moments:
            moments.append(time.perf_counter())
        said.set()
    said.set()


def end_with_workers(pid: int) -> None:
    """End a process and all that it has begun."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for each in (*process.children(recursive=True), process):
            with suppress(psutil.NoSuchProcess):
                each.kill()


def spent_by_children() -> float:
    """What the processor gave to children that have ended, and to theirs; 0 on Windows."""
    times = psutil.Process().cpu_times()
    return float(getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0))


if __name__ == "__main__":
    sys.exit(main())
