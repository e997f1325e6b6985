"""The probe against trying every length, with the real model, in real processes.

    python benchmarks/probe_by_force.py --data FILE [--profile cpu-smollm2] [--model demo]
        [--vram-budget 3.5GiB] [--run-dir FOLDER]

Prints one JSON object: the peak of every length of the grid, which of them fit the budget, the
probe's answer, its trials and its wall time. Minutes on two cores: a length is a real trial.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from autotune.base.sizes import parse_size
from autotune.cli.options import Options
from autotune.config.load import find_profile
from autotune.data.survey import Survey
from autotune.fit.probe import Probe
from autotune.fit.search import most_trials
from autotune.fit.trials import Attempts
from autotune.launch import SubprocessRunner
from autotune.protocol.results import TrialOutcome, Verdict
from autotune.run.folder import RunDir
from autotune.run.session import Session
from autotune.run.setup import Setup, open_setup
from autotune.run.survey import survey_data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="cpu-smollm2")
    parser.add_argument("--model", default="demo")
    parser.add_argument("--data", required=True)
    parser.add_argument("--prompts", default="demo")
    parser.add_argument("--vram-budget", default="3.5GiB")
    parser.add_argument("--run-dir", type=Path)
    asked = parser.parse_args()
    profile = Options(
        model=asked.model, data=asked.data, prompts=asked.prompts, vram_budget=asked.vram_budget
    ).adjust(find_profile(asked.profile))
    root = asked.run_dir or Path(tempfile.mkdtemp())
    session = session_in(root / "force")
    setup = open_setup(session, profile, print_nothing)
    survey = survey_data(session, setup)
    grid = Probe(session, setup, survey).grid()

    begin = time.monotonic()
    peaks = by_force(session, setup, survey, grid, fresh=True)
    force_seconds = time.monotonic() - begin
    limit = parse_size(asked.vram_budget)
    fitting = [length for length, peak in peaks.items() if peak <= limit]

    begin = time.monotonic()
    fit = Probe(session_in(root / "probe"), without_speed(setup), survey).run()
    print(
        json.dumps(
            {
                "device": setup.device.name,
                "budget_bytes": limit,
                "by_force": {
                    "peaks": peaks,
                    "model_max_length": max(fitting, default=None),
                    "seconds": force_seconds,
                },
                "probe": {
                    "model_max_length": fit.model_max_length,
                    "max_rounds": fit.max_rounds,
                    "peak_bytes": fit.peak_bytes,
                    "trials": [
                        [t.point.row_tokens, t.verdict.value, peak_of(t)] for t in fit.trials
                    ],
                    "most_trials": most_trials(len(grid)),
                    "seconds": time.monotonic() - begin,
                },
                "same": fit.model_max_length == max(fitting, default=None),
                "within": all(peak_of(t) <= limit for t in fit.trials if t.verdict is Verdict.FITS),
            },
            indent=1,
        )
    )


def by_force(
    session: Session,
    setup: Setup,
    survey: Survey,
    lengths: Iterable[int],
    *,
    fresh: bool | None = None,
) -> dict[int, int]:
    """The peak of each length in bytes, 0 where its trial did not live to tell.

    `fresh` gives every trial a process of its own, True or False; None: as the probe does.
    """
    # Nothing may stop a trial before its peak is known.
    wide = with_limit(setup, 4 * setup.budget.limit_bytes)
    with session.runner.warm() as warm:
        force = Attempts(session, wide, survey, warm)
        return {
            length: peak_of(force.outcome(force.point(length, "all"), fresh=fresh))
            for length in lengths
        }


def with_limit(setup: Setup, limit_bytes: int) -> Setup:
    """The same under another budget, without a reserve."""
    budget = setup.budget.model_copy(update={"total_bytes": limit_bytes, "reserve_bytes": 0})
    spec = setup.device_spec.model_copy(update={"limit_bytes": limit_bytes})
    return replace(setup, budget=budget, device_spec=spec)


def session_in(folder: Path) -> Session:
    """A session on a new run folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return Session(RunDir(folder), SubprocessRunner(), clock=time.time)


def without_speed(setup: Setup) -> Setup:
    """The same without the search for the fastest micro-batch, which force does not do either."""
    probe = setup.profile.probe.model_copy(update={"speed_trials": 0})
    return replace(setup, profile=setup.profile.model_copy(update={"probe": probe}))


def peak_of(outcome: TrialOutcome) -> int:
    """Measured peak in bytes; 0 where the trial did not live to tell."""
    return outcome.measurement.peak_bytes if outcome.measurement else 0


def print_nothing(line: str) -> None:
    """What is resolved is not this script's result."""


if __name__ == "__main__":
    main()
