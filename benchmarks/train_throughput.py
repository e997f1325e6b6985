"""Training speed and memory of five ways over the same rows, model and effective batch.

    python benchmarks/train_throughput.py --alpaca FILE [--model demo] [--rounds 5]
        [--precision fp32] [--ways a_course,b_trainer,...] [--mixes short,long]

    a_course   every row padded to 1024, one at a time, all logits, 16-bit weights
    b_trainer  Hugging Face Trainer, rows grouped by length, padded to the longest of a batch
    c_trl      TRL SFTTrainer with packing and its chunked loss (pip install trl)
    d_padded   this tool, micro-batches filled up
    e_packed   this tool, micro-batches packed
    f_compiled this tool, filled up, layers compiled (only where --ways names it)
    g_both     this tool, packed, layers compiled (only where --ways names it)

`short` is a step of an alpaca file. `long` is made like smol-smoltalk: several rounds a row, the
lengths lognormal with a median of 500 tokens and 5 % above 1024 (cut there). A way is a process;
ways take turns, a step each, and medians of the rounds are compared. Prints one JSON object.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autotune.cli.options import Options
from autotune.config.load import find_profile
from autotune.data.conversation import Conversation
from autotune.data.load import load_conversations
from autotune.device.cpu import has_bf16, processor_name
from autotune.launch import SubprocessRunner, worker_environment
from autotune.protocol.choices import Supervision
from autotune.protocol.plan import DataSpec
from autotune.run.folder import RunDir
from autotune.run.session import Session
from autotune.run.setup import open_setup
from autotune.worker.tokens.encode import IGNORED, ChatCodec, Row
from autotune.worker.train.batches import step_rows

LENGTH = 1024
MEDIAN, ABOVE = 500, 0.05
"""Of the long mix: its median in tokens and the share of rows above `LENGTH`."""
WAYS = ("a_course", "b_trainer", "c_trl", "d_padded", "e_packed")
OWN = ("d_padded", "e_packed", "f_compiled", "g_both")
"""The ways of this tool. They have the environment of its workers, which says among other things
which attention torch prefers on a card; the public ones have what everybody has."""

TARGETS = {"short": 4.0, "long": 2.0}
"""How many times as fast as (a) the better of (d), (e) is to be."""


class Way:
    """A running process of one way."""

    def __init__(self, name: str, spec: Path) -> None:
        self.name = name
        self.log = spec.with_name(f"{spec.stem}-{name}.log")
        script = Path(__file__).with_name("throughput_ways.py")
        environ = worker_environment() if name in OWN else dict(os.environ)
        with self.log.open("w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(script), name, str(spec)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                # As for this tool's workers: a process that waits does not spin beside the others.
                env=environ | {"OMP_WAIT_POLICY": "PASSIVE"},
                text=True,
                encoding="utf-8",
            )

    def figures(self) -> dict[str, float]:
        """The line of the step in progress."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended; see {self.log}")
        figures: dict[str, float] = json.loads(line)
        return figures

    def step(self) -> dict[str, float]:
        """One more step."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.figures()

    def end(self) -> None:
        """Closing its input ends it."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(timeout=60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alpaca", required=True)
    parser.add_argument("--model", default="demo")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=("fp16", "bf16", "fp32"), help="absent: the best")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--short-rows", type=int, default=24)
    parser.add_argument("--long-rows", type=int, default=12)
    parser.add_argument("--micro-rows", type=int, default=4, help="of (b), rows")
    parser.add_argument("--micro-tokens", type=int, default=2048, help="of (d) and (e), tokens")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--mixes", default="short,long")
    asked = parser.parse_args()
    if asked.precision is None:
        asked.precision = "bf16" if asked.device == "cuda" or has_bf16() else "fp32"
    root = Path(tempfile.mkdtemp())
    profile = Options(model=asked.model, prompts="demo", device=asked.device).adjust(
        find_profile("cpu-smollm2")
    )
    folder = open_setup(
        Session(RunDir(root), SubprocessRunner(), clock=time.time),
        profile,
        print_nothing,
        with_data=False,
    ).model_folder
    codec = codec_of(folder)
    mixes = {
        "short": lambda: short_rows(codec, asked.alpaca, asked.short_rows),
        "long": lambda: long_rows(codec, asked.alpaca, asked.long_rows),
    }
    results = {}
    for name in asked.mixes.split(","):
        rows = mixes[name]()
        spec = write_spec(
            root / f"{name}.json",
            rows,
            folder,
            device=asked.device,
            precision=asked.precision,
            micro_rows=asked.micro_rows,
            micro_tokens=asked.micro_tokens,
            threads=asked.threads,
        )
        results[name] = compared(name, rows, measured(spec, asked))
    machine = {"processor": processor_name(), "threads": os.cpu_count(), "device": asked.device}
    print(json.dumps({"machine": machine, "settings": vars(asked), "mixes": results}, indent=1))


def write_spec(path: Path, rows: list[Row], model: Path, **settings: Any) -> Path:
    """What all ways are given: see `throughput_ways.Spec`."""
    tree = {
        "rows": [{"input_ids": r.input_ids, "labels": r.labels} for r in rows],
        "model": str(model),
        "length": LENGTH,
        "scratch": str(path.with_name("scratch")),
        **settings,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(tree), encoding="utf-8")
    return path


def codec_of(folder: Path) -> ChatCodec:
    from tokenizers import Tokenizer

    return ChatCodec(Tokenizer.from_file(str(folder / "tokenizer.json")), Supervision.CONTENT)


def short_rows(codec: ChatCodec, path: str, count: int) -> list[Row]:
    """The first step that a training on the file would take."""
    rows = rows_of(codec, conversations_of(path))
    return [rows[at] for at in step_rows(len(rows), count, 42, 1)]


def long_rows(codec: ChatCodec, path: str, count: int) -> list[Row]:
    """Rounds of the file one after another, each row up to the length that is its due.

    Lengths are the middles of `count` equal shares of the lognormal: few rows stand for all.
    """
    spread = math.log(LENGTH / MEDIAN) / statistics.NormalDist().inv_cdf(1 - ABOVE)
    shares = [statistics.NormalDist().inv_cdf((at + 0.5) / count) for at in range(count)]
    lengths = [min(LENGTH, round(MEDIAN * math.exp(spread * share))) for share in shares]
    rounds = iter(rows_of(codec, conversations_of(path)))
    made = []
    for length in lengths:
        row = Row([], [])
        while len(row.input_ids) < length:
            more = next(rounds)
            row = Row(row.input_ids + more.input_ids, row.labels + more.labels)
        made.append(Row(row.input_ids[:length], row.labels[:length]))
    order = step_rows(count, count, 42, 1)
    return [made[at] for at in order]


def conversations_of(path: str) -> Sequence[Conversation]:
    """Every conversation of the file."""
    return load_conversations(DataSpec(path=path, format="auto")).conversations


def rows_of(codec: ChatCodec, found: Sequence[Conversation]) -> list[Row]:
    """Every conversation as a row of at most `LENGTH` tokens."""
    rows = [
        codec.encode(c, max_rounds="all", model_max_length=LENGTH, truncation="right")
        for c in found
    ]
    return [row for row in rows if row.supervised]


def measured(spec: Path, asked: argparse.Namespace) -> dict[str, list[dict[str, float]]]:
    """Every way's rounds. On a CPU all ways live at once; a card is given to one at a time."""
    names = asked.ways.split(",")
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    together = asked.device == "cpu"
    living = {}
    for name in names if together else ():
        living[name] = Way(name, spec)
        living[name].figures()
    for number in range(asked.rounds):
        for name in names:
            way = living.get(name) or Way(name, spec)
            if not together:
                way.figures()
            rounds[name].append(way.step())
            print(f"round {number + 1}, {name}: {rounds[name][-1]}", file=sys.stderr, flush=True)
            if not together:
                way.end()
    for way in living.values():
        way.end()
    return rounds


def compared(
    mix: str, rows: list[Row], rounds: dict[str, list[dict[str, float]]]
) -> dict[str, Any]:
    """Medians, and the ratios that the targets are about."""
    supervised = sum(label != IGNORED for row in rows for label in row.labels[1:])
    lengths = sorted(len(row.input_ids) for row in rows)
    ways = {
        name: {
            "supervised_tokens_per_second": supervised
            / statistics.median(r["seconds"] for r in found),
            "seconds": [r["seconds"] for r in found],
            "cpu_seconds": [r["cpu_seconds"] for r in found],
            "peak_bytes": max(r["peak_bytes"] for r in found),
        }
        for name, found in rounds.items()
    }
    seconds = {n: statistics.median(r["seconds"] for r in found) for n, found in rounds.items()}
    # On a CPU that others use as well, the processor's time is the steadier measure.
    busy = {n: statistics.median(r["cpu_seconds"] for r in found) for n, found in rounds.items()}
    own = [name for name in OWN if name in ways]
    best = min(own, key=busy.__getitem__, default="")
    ratios: dict[str, float] = {}
    if best and "a_course" in ways:
        ratios["target_times_course"] = TARGETS[mix]
        ratios["times_course"] = seconds["a_course"] / seconds[best]
        ratios["times_course_by_cpu_time"] = busy["a_course"] / busy[best]
        ratios["memory_of_course"] = ways[best]["peak_bytes"] / ways["a_course"]["peak_bytes"]
    public = [name for name in ("b_trainer", "c_trl") if name in ways]
    if best and public:
        ratios["target_times_best_public"] = 1.15
        ratios["times_best_public"] = min(seconds[n] for n in public) / seconds[best]
        ratios["times_best_public_by_cpu_time"] = min(busy[n] for n in public) / busy[best]
    return {
        "rows": len(rows),
        "tokens": sum(lengths),
        "supervised_tokens": supervised,
        "median_length": statistics.median(lengths),
        "best": best,
        "ratios": ratios,
        "ways": ways,
    }


def print_nothing(line: str) -> None:
    """What is resolved is not this script's result."""


if __name__ == "__main__":
    main()
