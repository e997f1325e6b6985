"""What the demo comes to with several seeds: is its gain one of the method, or of one seed?

    python benchmarks/demo_seeds.py --out FOLDER [--seeds 42 1 2 3 4] [--target 15%]
        [--set NAME=VALUE ...] [--toy]

Runs the demo's profile once a seed, each in `FOLDER/seed-N` (a run folder with its report), and
prints a line a seed when it is over: the untrained model and each strategy with score, interval,
lift and what it counts for; whether the target was met; the spot check before and after; seconds.
The last line is one JSON object with all of them. A seed that is over is not run again, one that
was interrupted resumes. The seed draws the order of the chats in training; data and prompts stay.
With `--target 100%` nothing is met, so every strategy is trained and scored; `--set` changes a
setting of the profile, such as `B.batch_size=8`, and needs a folder of its own.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from autotune.base.errors import ExitCode
from autotune.cli.target import DEMO_TARGET
from autotune.config.load import DEMO_PROFILE, TOY_PROFILE
from autotune.score.stats import wilson

SEEDS = (42, 1, 2, 3, 4)
RESULT = "demo.json"


def main() -> None:
    """Run what is not over, and print what all came to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--target", default=DEMO_TARGET)
    parser.add_argument("--set", action="append", default=[], dest="changes")
    parser.add_argument("--toy", action="store_true", help="the toy's profile: a rehearsal")
    given = parser.parse_args()
    typed = ["--profile", TOY_PROFILE if given.toy else DEMO_PROFILE, "--target", given.target]
    typed += [part for change in given.changes for part in ("--set", change)]
    found = [outcome(given.out / f"seed-{seed}", seed, typed) for seed in given.seeds]
    print(json.dumps({"target": given.target, "seeds": found}))


def outcome(folder: Path, seed: int, typed: list[str]) -> dict[str, Any]:
    """What a seed came to; it is run where that is not known yet, and its line printed."""
    kept = folder / RESULT
    if kept.is_file():
        found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    else:
        found = figures(run(folder, [*typed, "--seed", str(seed)]), seed)
        kept.write_text(json.dumps(found, indent=1), encoding="utf-8")
    print(line(found), flush=True)
    return found


def run(folder: Path, typed: list[str]) -> dict[str, Any]:
    """A run with these options, as `run --json` prints it.

    Raises:
        SystemExit: it did not come to its end.
    """
    done = subprocess.run(
        [sys.executable, "-m", "autotune", "run", *typed, "--run-dir", str(folder), "--json"],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    if done.returncode not in (ExitCode.DONE, ExitCode.BELOW_TARGET):
        raise SystemExit(f"{folder}: ended with code {done.returncode}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def figures(report: dict[str, Any], seed: int) -> dict[str, Any]:
    """Of a run's report what a seed is judged by."""
    untrained, gain = report["baselines"].get("untrained"), report["gain"]
    if untrained and gain:
        untrained = untrained | {"counts": gain["before"]}
    strategies = {}
    for trial in report["trials"]:
        scored = [c for c in trial["checkpoints"] if c["strict"] is not None]
        if scored:
            strategies[trial["strategy"]] = score(max(scored, key=lambda c: c["counts"] or 0.0))
    checks = report["spot_checks"]
    return {
        "seed": seed,
        "met": report["met"],
        "seconds": report["seconds"],
        "untrained": score(untrained) if untrained else None,
        "strategies": strategies,
        "gain": gain,
        "spot_check": {of: score(flat(check)) for of, check in checks.items()},
        "conclusions": report["conclusions"],
    }


def flat(check: dict[str, Any]) -> dict[str, Any]:
    """A spot check with its score as the report names those of checkpoints."""
    strict = check["prompt_strict"]
    return check | {"passes": strict["passes"], "n": strict["total"]}


def score(found: dict[str, Any]) -> dict[str, Any]:
    """A score with all that it is read with."""
    passes, n, lift = found["passes"], found["n"], found["lift"]
    share = lift["genuine"]["accuracy"] - lift["shuffled"]["accuracy"] if lift else None
    return {
        "passes": passes,
        "n": n,
        "interval": wilson(passes, n),
        "lift": share,
        "counts": found.get("counts"),
        "stop": found["health"]["stop"] if found["health"] else None,
    }


def line(found: dict[str, Any]) -> str:
    """A seed on one line."""
    parts = [f"untrained {brief(found['untrained'])}"] if found["untrained"] else []
    parts += [f"{name} {brief(each)}" for name, each in found["strategies"].items()]
    checks = " -> ".join(brief(each) for each in found["spot_check"].values())
    met = "met" if found["met"] else "NOT met"
    return (
        f"seed {found['seed']}: {met}; {'; '.join(parts)}; spot check {checks or 'none'};"
        f" {found['seconds']:.0f} s"
    )


def brief(each: dict[str, Any]) -> str:
    """`25/60 41.7 % [30-54], lift +20.1, counts 41.7 %, stop 93 %`."""
    low, high = each["interval"]
    text = f"{each['passes']}/{each['n']} {each['passes'] / each['n']:.1%} [{low:.0%}-{high:.0%}]"
    if each["lift"] is not None:
        text += f", lift {100 * each['lift']:+.1f}"
    if each["counts"] is not None:
        text += f", counts {each['counts']:.1%}"
    return text + (f", stop {each['stop']:.0%}" if each["stop"] is not None else "")


if __name__ == "__main__":
    main()
