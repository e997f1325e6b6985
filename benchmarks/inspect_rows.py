"""`inspect` of many conversations: seconds, CPU seconds, and the memory of each of its processes.

    python benchmarks/inspect_rows.py [--rows 100000] [--model FOLDER] [--baseline CHECKOUT]
        [--prompts FILE|ifeval|demo] [--keep FOLDER]

Writes JSON Lines of two rounds (four turns) and about 700 characters a row, the toy's
conversations with other numbers and words in each, and inspects them with the tokenizer of a model
folder (the toy's where none is given; no weights are needed). With `--baseline` another checkout
does the same before, and `ratio` is ours by its. Prints one JSON object: seconds, CPU seconds of
all processes, and the highest resident memory of the parent and of any of its children, in bytes.
Targets, of 100 000 rows on two quiet cores: 25 seconds, 500 MiB for each process.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path
from typing import Any

import psutil

from autotune.data.load import load_conversations
from autotune.demo import TOY_CONVERSATIONS
from autotune.protocol.plan import DataSpec

HERE = Path(__file__).resolve().parents[1]
LOOK_SECONDS = 0.1
CHILDREN_SECONDS = 1.0
"""Listing the children asks for every process of the machine; a worker lives longer than that."""
CHARACTERS = 700
ROUNDS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--model", help="a folder with a tokenizer and a config.json")
    parser.add_argument("--baseline", type=Path, help="another checkout of this project")
    parser.add_argument("--prompts", help="prompts of the profile to look for; as of `run`")
    parser.add_argument("--keep", type=Path, help="a folder for the rows, used again if there")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.keep or Path(scratch)
        data = folder / f"rows-{asked.rows}.jsonl"
        if not data.exists():
            write_rows(data, asked.rows)
        model = Path(asked.model).resolve() if asked.model else toy_folder(Path(scratch) / "model")
        found: dict[str, Any] = {"rows": asked.rows, "bytes": data.stat().st_size}
        if asked.baseline:
            found["baseline"] = measured(asked.baseline.resolve(), data, model, None)
        found["ours"] = measured(HERE, data, model, asked.prompts)
    if asked.baseline:
        found["ratio"] = {
            name: round(found["ours"][name] / found["baseline"][name], 3) for name in found["ours"]
        }
    print(json.dumps(found))


def write_rows(path: Path, count: int) -> None:
    """Rows that differ from each other, cut or joined to about the same length."""
    talks = load_conversations(DataSpec(path=str(TOY_CONVERSATIONS), format="auto")).conversations
    rounds = [one for talk in talks for one in talk.rounds]
    draw = random.Random(0)
    draw.shuffle(rounds)
    source = cycle(rounds)
    path.parent.mkdir(parents=True, exist_ok=True)
    each = CHARACTERS // (2 * ROUNDS)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for number in range(count):
            turns = []
            for _ in range(ROUNDS):
                one = next(source)
                question = f"{one.user.content[:each]} ({number})"
                answer = " ".join([*one.assistant.content.split(" "), str(draw.randrange(10**6))])
                while len(answer) < each:
                    answer = f"{answer} {next(source).assistant.content}"
                turns += [
                    {"role": "user", "content": question},
                    {"role": "assistant", "content": answer[: 2 * each - len(question)]},
                ]
            file.write(json.dumps({"messages": turns}, ensure_ascii=False) + "\n")


def toy_folder(folder: Path) -> Path:
    """A model folder without weights, with the toy's tokenizer."""
    from autotune.worker.toy import toy_tokenizer

    toy_tokenizer().save_pretrained(folder)
    (folder / "config.json").write_text('{"max_position_embeddings": 8192}', encoding="utf-8")
    return folder


def measured(checkout: Path, data: Path, model: Path, prompts: str | None) -> dict[str, float]:
    """One `inspect` of a checkout, watched from outside."""
    command = [sys.executable, "-m", "autotune", "inspect", "--json", "--profile", "cpu-smollm2"]
    command += ["--model", str(model), "--data", str(data)]
    command += ["--prompts", prompts] if prompts else []
    begin = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=tempfile.gettempdir(),
        env=os.environ | {"PYTHONPATH": str(checkout)},
        stdout=subprocess.DEVNULL,
    )
    parent = psutil.Process(process.pid)
    resident: dict[int, int] = {}
    spent: dict[int, float] = {}
    watched, listed = [parent], begin
    while process.poll() is None:
        try:
            if time.monotonic() - listed > CHILDREN_SECONDS:
                watched, listed = [parent, *parent.children(recursive=True)], time.monotonic()
            for one in watched:
                with one.oneshot():
                    resident[one.pid] = max(resident.get(one.pid, 0), one.memory_info().rss)
                    times = one.cpu_times()
                    spent[one.pid] = times.user + times.system
        except psutil.NoSuchProcess:
            pass
        time.sleep(LOOK_SECONDS)
    seconds = time.monotonic() - begin
    if process.returncode:
        raise SystemExit(f"inspect in {checkout} ended with exit code {process.returncode}")
    parent_peak = resident.pop(process.pid)
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(sum(spent.values()), 1),
        "parent_bytes": parent_peak,
        "worker_bytes": max(resident.values()),
    }


if __name__ == "__main__":
    main()
