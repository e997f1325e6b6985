"""`runs`: the runs of a folder, how each stands, and its best score. Reads only."""

import time
from pathlib import Path
from typing import Any

from autotune.base.errors import BadInput, ExitCode
from autotune.cli.console import human_console, print_json, say_on
from autotune.cli.run_folder import RUNS
from autotune.run.folder import RunDir
from autotune.run.overview import RunOverview, runs_in
from autotune.screen.runs import no_better, runs_table


def runs_command(parent: Path, as_json: bool) -> int:
    """`runs`."""
    if parent.exists() and not parent.is_dir():
        raise BadInput(f"{parent}: is a file; give a folder that holds runs")
    if not parent.exists() and parent != RUNS:
        raise BadInput(f"{parent}: no such folder; give a folder that holds runs")
    if RunDir(parent).events.exists():
        raise BadInput(
            f"{parent}: is a run itself; smolsft-autotune watch {parent} shows it, and runs"
            f" {parent.absolute().parent} those beside it"
        )
    found = runs_in(parent) if parent.is_dir() else []
    now = time.time()
    console = human_console(as_json)
    if found:
        console.print(runs_table(found, now))
    else:
        say_on(console)(f"{parent}: holds no run; smolsft-autotune run begins one")
    if as_json:
        print_json({"folder": str(parent), "runs": [as_tree(each, now) for each in found]})
    return ExitCode.DONE


def as_tree(found: RunOverview, now: float) -> dict[str, Any]:
    """A run as the object of `--json`; times are seconds since the epoch, shares 0..1.

    `no_better` says whether its best is no better than the untrained model, None before that is
    known. `state` and `best` are of the run's own prompts, `best_in_full` is of all of a source.
    """
    run, best = found.run, found.best
    tree: dict[str, Any] = {
        "run_dir": str(found.folder),
        "kind": found.purpose,
        "state": found.standing.value,
        "profile": run.profile if run else None,
        "model": run.model if run else found.practice.model if found.practice else None,
        "target": run.target if run and run.target else None,
        "trials": found.trials,
        "no_better": no_better(found),
        "best": None,
        "best_in_full": None,
        "started": found.started,
        "last_record": found.last,
        "age_seconds": None if found.last is None else max(0.0, now - found.last),
        "problem": found.problem or None,
    }
    if best is not None and best.score is not None:
        tree["best"] = {
            "trial": best.number,
            "step": best.checkpoint.step,
            "strict": best.score.accuracy,
            "passes": best.score.passes,
            "n": best.score.total,
            "interval": best.interval,
            "counted": best.counts,
            "estimate": best.partial is not None,
            "met": best.met,
        }
    if (scored := found.evaluated) is not None:
        tree["best"] = {
            "strict": scored.score.accuracy,
            "passes": scored.score.passes,
            "n": scored.score.total,
            "interval": scored.interval,
        }
    if (full := found.in_full) is not None:
        tree["best_in_full"] = {
            "prompts": full.prompts,
            "strict": full.score.accuracy,
            "passes": full.score.passes,
            "n": full.score.total,
            "interval": full.interval,
            "counted": full.value,
            "met": bool(run and run.target) and found.met_in_full is True,
        }
    return tree
