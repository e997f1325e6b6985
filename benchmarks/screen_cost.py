"""What the live screen costs: seconds of a processor for each second that it is watched.

Writes the record of a long run (trials of 750 steps with five scores each, the last one training),
folds it, and has the live screen draw it at its own rate on a terminal that goes nowhere, while
further steps come in. The numbers that docs/LOG.md quotes come from here:

    python benchmarks/screen_cost.py [--trials 12] [--seconds 20] [--columns 120] [--lines 50]

With `--watch` the record is read from its file by what `watch` uses, which is counted as well. It
runs on earlier versions of the screen too, with PYTHONPATH, but for that.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from autotune.base.sizes import GIB
from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.protocol.results import Checkpoint, Health
from autotune.protocol.scores import Lift, Metric
from autotune.run.state import StudyState
from autotune.screen import DeviceSample, LiveView

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks import long_record

STEPS = 750
"""As many as six epochs of 6 000 conversations have, 48 a step."""

FRACTIONS = (0.8, 0.85, 0.9, 0.95, 1.0)
STEPS_A_SECOND = 2.0
PROMPTS = 541
HEALTH = Health(stop=0.91, loop=0.04, echo=0.02, empty=0.0)
LIFT = Lift(genuine=Metric.of(110, 541), shuffled=Metric.of(400, 5410), p_value=1e-9)


def step(number: int, now: float) -> Record:
    """An optimizer step of the last trial."""
    return Record(time=now, event=long_record.step(number, STEPS, 1 / STEPS_A_SECOND))


def long_run(trials: int, now: float) -> list[Record]:
    """The records of a run whose last trial is half way through its training."""
    found: list[Record] = []

    def add(event: events.RunEvent) -> None:
        found.append(Record(time=now, event=event))

    add(
        events.RunStarted(
            target=0.25,
            profile="rtx4060-laptop-8gb",
            model="SmolLM2-135M-Instruct",
            data="smol-smoltalk-6k",
            prompts="ifeval",
            device="NVIDIA GeForce RTX 4060 Laptop GPU",
            budget_bytes=7 * GIB,
            strategies=("A", "search"),
            prompt_count=PROMPTS,
        )
    )
    for name, passes in (("echo", 134), ("untrained", 80)):
        score = Metric.of(passes, PROMPTS)
        add(
            events.BaselineScored(
                name=name, score=score, interval=(0.1, 0.3), health=HEALTH, lift=LIFT
            )
        )
    for number in range(trials):
        strategy, rate = "A" if number == 0 else "search", 4e-5 * (1 + number)
        plan = long_record.plan(STEPS, strategy, rate, FRACTIONS)
        add(events.TrialStarted(number=number, optuna_number=number, plan=plan))
        add(events.Ready(pid=1, device="card", torch="2.13", transformers="5.24"))
        last = number == trials - 1
        found.extend(step(at, now) for at in range(1, STEPS // 2 if last else STEPS + 1))
        if last:
            break
        for fraction in FRACTIONS:
            at = Checkpoint(
                step=int(STEPS * fraction),
                progress=fraction,
                folder=f"trials/{number:04d}/checkpoints/step-{int(STEPS * fraction):06d}",
            )
            add(events.CheckpointSaved(checkpoint=at, scored=True))
            add(
                events.Evaluated(
                    number=number,
                    checkpoint=at,
                    score=Metric.of(110 + number, PROMPTS),
                    interval=(0.17, 0.24),
                    health=HEALTH,
                    met=False,
                    lift=LIFT,
                    counts=0.2,
                )
            )
        add(events.TrialEnded(number=number, best=0.2))
    return found


def main() -> None:
    """Print one line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--columns", type=int, default=120)
    parser.add_argument("--lines", type=int, default=50)
    parser.add_argument("--watch", action="store_true")
    asked = parser.parse_args()
    records = long_run(asked.trials, time.time())
    with tempfile.TemporaryDirectory(prefix="screen-") as folder, open(os.devnull, "w") as nowhere:
        path = Path(folder) / "events.jsonl"
        path.write_text("".join(r.model_dump_json() + "\n" for r in records), encoding="utf-8")
        state, poll = StudyState(), None
        if asked.watch:
            from autotune.run.folder import RunDir
            from autotune.run.follow import FollowedRun

            followed = FollowedRun(RunDir(Path(folder)))
            poll = followed.poll
            list(poll())
        else:
            for record in records:
                state.apply(record)
        console = Console(
            file=nowhere,
            width=asked.columns,
            height=asked.lines,
            force_terminal=True,
            color_system="truecolor",
        )
        sample = DeviceSample(5 * GIB, 7 * GIB, temperature_c=71.0, power_watts=60.0)
        view = LiveView(
            console, time.time, lambda: followed.state if poll else state, lambda: sample
        )
        with view, path.open("a", encoding="utf-8") as record_file:
            time.sleep(1.0)  # the first frame draws every part
            begin, spent = time.perf_counter(), time.process_time()
            at = STEPS // 2
            while time.perf_counter() - begin < asked.seconds:
                time.sleep(1 / STEPS_A_SECOND)
                record = step(at, time.time())
                at += 1
                if poll:
                    record_file.write(record.model_dump_json() + "\n")
                    record_file.flush()
                    assert not followed.is_running  # `watch` asks each time
                    for new in poll():
                        view.on_record(new)
                else:
                    state.apply(record)
                    view.on_record(record)
            wall, cost = time.perf_counter() - begin, time.process_time() - spent
    what = "watch" if asked.watch else "screen"
    print(
        f"{what}, {asked.trials} trials of {STEPS} steps, {asked.columns} x {asked.lines}:"
        f" {cost:.2f} s of a processor in {wall:.1f} s, {100 * cost / wall:.2f} % of a core"
    )


if __name__ == "__main__":
    main()
