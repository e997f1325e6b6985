"""The memory and time of `eval --responses` on a file of many answers.

Writes a file of that many lines (541 prompts, each answered again and again, every tenth answer to
a question that nobody asked), scores it in a process of its own, and prints the peak of its
resident memory and the processor's seconds. `--prompts` is IFEval's input_data.jsonl; without it
prompts are made up.

    python benchmarks/responses_rows.py --rows 1000000
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

PROMPTS = 541
ANSWER = "A river runs through the old town and nobody knows how deep it is there. " * 4
"""300 characters: what a cut answer of a small model has."""

MIB = 2**20


def main() -> None:
    """Make the files, score them, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--prompts", type=Path)
    parser.add_argument("--keyless", action="store_true", help="answers without a key")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        prompts = wanted.prompts or made_prompts(Path(folder) / "prompts.jsonl")
        responses = Path(folder) / "responses.jsonl"
        size = write_responses(responses, prompts, wanted.rows, keyed=not wanted.keyless)
        peak, seconds = measured(prompts, responses)
    print(f"{wanted.rows} lines, {size / MIB:.0f} MiB: peak {peak / MIB:.0f} MiB, {seconds:.1f} s")


def made_prompts(path: Path) -> Path:
    """Prompts in IFEval's format."""
    lines = (
        {
            "key": key,
            "prompt": f"Describe river number {key} without a comma.",
            "instruction_id_list": ["punctuation:no_comma"],
            "kwargs": [{}],
        }
        for key in range(PROMPTS)
    )
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def write_responses(path: Path, prompts: Path, rows: int, *, keyed: bool) -> int:
    """Write so many answers; the bytes of the file."""
    asked = [json.loads(line) for line in prompts.read_text(encoding="utf-8").splitlines()]
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in range(rows):
            prompt = asked[row % len(asked)]
            line = {"prompt": prompt["prompt"], "response": f"{row} {ANSWER}"}
            if keyed:
                line["key"] = prompt["key"]
            if row % 10 == 9:
                line["prompt"] = f"Nobody asked this, {row}."
            file.write(json.dumps(line) + "\n")
    return path.stat().st_size


def measured(prompts: Path, responses: Path) -> tuple[int, float]:
    """Peak resident bytes and seconds of the processor."""
    command = [sys.executable, "-m", "autotune", "eval", "--responses", str(responses)]
    process = psutil.Popen(
        [*command, "--prompts", str(prompts), "--profile", "cpu-smoke", "--json"],
        stdout=subprocess.DEVNULL,
    )
    peak, seconds = 0, 0.0
    while process.poll() is None:
        try:
            peak = max(peak, process.memory_info().rss)
            seconds = sum(process.cpu_times()[:2])
        except psutil.Error:
            break
        time.sleep(0.02)
    if process.wait() != 0:
        raise SystemExit(f"eval ended with {process.returncode}")
    return peak, seconds


if __name__ == "__main__":
    main()
