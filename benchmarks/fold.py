"""How long a run's record takes to be read and folded, by its number of steps.

Writes records of 50 000, 200 000 and 1 000 000 optimizer steps (a run that trained two trials), and
folds each in a process of its own: processor seconds, the most memory that it held, and how many
times longer than the one before per step. The numbers that docs/LOG.md quotes come from here:

    python benchmarks/fold.py [--steps 50000 200000 1000000]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from autotune.protocol import events
from autotune.protocol.events import Record

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.long_record import plan, step

CHILD = """
import json, sys, time
from pathlib import Path
import psutil
from autotune.run.history import history_of
from autotune.run.record_file import RecordFile
begin = time.process_time()
found = history_of(RecordFile(Path(sys.argv[1])))
spent = time.process_time() - begin
last = found.state.trials[-1].last_step
memory = psutil.Process().memory_info()
peak = getattr(memory, "peak_wset", 0)
if not peak:
    import resource
    unit = 1 if sys.platform == "darwin" else 1024
    peak = unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
kept = len(found.state.trials[-1].steps)
print(json.dumps({"seconds": spent, "peak_bytes": peak, "last": last.step, "kept": kept}))
"""


def write(path: Path, steps: int) -> None:
    """A record of a run with so many steps in two trials, as a session writes it."""
    half, now = steps // 2, 1.79e9
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for number in range(2):
            begun = events.TrialStarted(number=number, optuna_number=number, plan=plan(half))
            file.write(Record(time=now, event=begun).model_dump_json() + "\n")
            for at in range(1, half + 1):
                now += 0.25
                done = step(at, half, seconds=0.2345)
                file.write(Record(time=now, event=done).model_dump_json() + "\n")
            ended = events.TrialEnded(number=number, best=None, failure="a benchmark")
            file.write(Record(time=now, event=ended).model_dump_json() + "\n")


def main() -> None:
    """Print one line a size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, nargs="+", default=[50_000, 200_000, 1_000_000])
    sizes = parser.parse_args().steps
    before = None
    with tempfile.TemporaryDirectory(prefix="fold-") as folder:
        for steps in sizes:
            path = Path(folder) / "events.jsonl"
            write(path, steps)
            begin = time.perf_counter()
            child = subprocess.run(
                [sys.executable, "-c", CHILD, str(path)], capture_output=True, check=True
            )
            wall = time.perf_counter() - begin
            found = json.loads(child.stdout)
            each = found["seconds"] / steps
            ratio = f", {each / before:.2f} times as long a step as before" if before else ""
            print(
                f"{steps:>9} steps, {path.stat().st_size / 1e6:6.1f} MB: {found['seconds']:6.2f} s"
                f" of a processor ({wall:.1f} s in all), {found['peak_bytes'] / 2**20:4.0f} MiB,"
                f" {found['kept']} steps kept{ratio}",
                flush=True,
            )
            before = each


if __name__ == "__main__":
    main()
