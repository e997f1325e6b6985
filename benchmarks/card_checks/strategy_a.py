"""Strategy A from end to end by the tool's own command, and its hours against its plan's.

Probe, training and scoring of 6 000 conversations at the true size, cut off where the step's time
ends: the hours of the training are then those of the steps that were done, times all of them, and
the figures say so (`whole`). The plan's hours are what the probe promised before the first step.
"""

import os
import statistics
import sys
from pathlib import Path
from typing import Any

from autotune.cli.options import Options
from autotune.cli.settings import settings_text
from autotune.config.load import find_profile
from autotune.config.profile import Profile
from autotune.protocol import events
from autotune.run.folder import RunDir
from autotune.sources.digest import sha256_of_text
from benchmarks.card_checks.asked import Answer, Ask, Figures, fresh
from benchmarks.card_checks.missing import last_line
from benchmarks.card_checks.processes import TimeIsUp, run_limited

ROOT = Path(__file__).resolve().parents[2]
GOODBYE_SECONDS = 10.0
"""Kept back of the step's time to read what was done."""

SHORT_SECONDS = 900.0
"""In less time scoring is bounded: 32 prompts, 128 new tokens. Random weights never stop, so 541
answers of 1280 tokens would be most of the step."""

SPEED_TRIALS = 8
"""One row at a time, without checkpointing, and up to six doublings: 64 rows at once."""

MOST_ERROR = 0.2
"""Of the training's hours: a plan is a timed step of ordinary rows times their number."""

WARMING_STEPS = 3
"""First steps, in which kernels are loaded and the allocator fills."""


def check(ask: Ask, figures: Figures) -> Answer:
    """Passed where the training takes within a fifth of the hours that were promised."""
    root = ask.folder / "strategy_a"
    text = settings_text(profile_of(ask))
    root.mkdir(parents=True, exist_ok=True)
    settings = root / "profile.toml"
    settings.write_text(text, encoding="utf-8")
    folder = run_folder(ask, text)
    figures["run_dir"] = str(folder)
    command = [sys.executable, "-m", "autotune", "run", "--profile", str(settings)]
    command += ["--run-dir", str(folder), "--target", "0.25", "--json"]
    log = root / "run.txt"
    log.unlink(missing_ok=True)
    try:
        seconds = figures.left - GOODBYE_SECONDS
        code: int | None = run_limited(
            command, seconds=seconds, log=log, cwd=ROOT, environ=dict(os.environ)
        )
    except TimeIsUp:
        code = None
    figures["exit_code"] = code
    if code not in (None, 0, 1):  # the target met, or not: both are an end
        said = log.read_text(encoding="utf-8", errors="replace")
        return Answer(False, f"exit code {code}: {last_line(said)[:300]}")
    return judged(ask, figures, folder)


def run_folder(ask: Ask, settings: str) -> Path:
    """A new run's, or that of one of these settings, which is gone on with unless asked again.

    A try with another share of the time may have other settings, which no run is gone on with by.
    """
    name = f"run-{sha256_of_text(settings)[:8]}"
    new = fresh(ask.folder / "strategy_a", name)
    last = int(new.name.rpartition("-")[2]) - 1
    return new if ask.again or last == 0 else new.with_name(f"{name}-{last}")


def profile_of(ask: Ask) -> Profile:
    """The profile for 8 GB cards, or the smallest one, with strategy A alone."""
    short = ask.seconds < SHORT_SECONDS
    profile = Options(
        model=ask.model,
        data=ask.data,
        prompts=ask.prompts,
        device=ask.device,
        prompt_limit="4" if ask.rehearse else "32" if short else None,
        max_new_tokens=8 if ask.rehearse else 128 if short else None,
    ).adjust(find_profile("cpu-smoke" if ask.rehearse else "rtx4060-laptop-8gb"))
    strategy = profile.strategies[0]
    length = strategy.model_max_length
    probe = profile.probe.model_copy(
        update={
            # Only A's own length is asked about; what else would fit is another check's question.
            "min_length": length,
            "max_length": length,
            "speed_trials": 0 if ask.rehearse else SPEED_TRIALS,
        }
    )
    train = profile.train.model_copy(update={"checkpoint_fractions": (1.0,)})
    return profile.model_copy(update={"strategies": (strategy,), "probe": probe, "train": train})


def judged(ask: Ask, figures: Figures, folder: Path) -> Answer:
    """Read the run's record: what was promised, what was done."""
    rundir = RunDir(folder)
    fit = rundir.read_fit()
    if fit is None:
        return Answer(False, "the probe was not at its end")
    promised = fit.strategies[next(iter(fit.strategies))]
    figures["plan"] = promised.model_dump(mode="json")
    figures["probe"] = {
        "model_max_length": fit.model_max_length,
        "peak_bytes": fit.peak_bytes,
        "trials": len(fit.trials) + len(fit.speed_trials),
    }
    said = [record.event for record in rundir.records()]
    steps = {e.step: e for e in said if isinstance(e, events.StepDone)}
    if not steps:
        return Answer(False, "no step was done")
    whole = any(isinstance(e, events.Trained) for e in said)
    figures["whole"] = whole
    figures["training"] = training(steps, promised.steps)
    figures["peak_bytes"] = max(step.memory_bytes for step in steps.values())
    figures["recuts"] = sum(isinstance(e, events.MicroBatchResized) for e in said)
    figures["scores"] = sum(isinstance(e, events.Evaluated) for e in said)
    hours = figures["training"]["hours"]
    plan = planned_hours(figures["training"], promised.supervised_tokens_per_second, fit)
    figures["hours"] = {"plan": plan, "measured": hours, "error": plan / hours - 1}
    line = f"{len(steps)} of {promised.steps} steps, {hours:.3f} h of training,"
    line += f" {plan:.3f} h planned ({plan / hours - 1:+.0%})"
    if not ask.on_card:
        return Answer(None, line)
    return Answer(abs(plan / hours - 1) <= MOST_ERROR, line)


def training(steps: dict[int, Any], total: int) -> dict[str, float]:
    """The steps that were done, and all of them at the speed of the median."""
    later = [s for s in steps.values() if s.step > WARMING_STEPS] or list(steps.values())
    seconds = statistics.median(step.seconds for step in later)
    tokens = statistics.mean(step.tokens for step in later)
    supervised = statistics.mean(step.supervised_tokens for step in later)
    return {
        "steps_done": len(steps),
        "steps": total,
        "step_seconds": seconds,
        "tokens_per_second": tokens / seconds,
        "tokens": tokens * total,
        "supervised_tokens": supervised * total,
        "hours": seconds * total / 3600,
    }


def planned_hours(found: dict[str, float], supervised_per_second: float | None, fit: Any) -> float:
    """The promised hours of the training alone; the plan's own figure has the scoring in it."""
    if supervised_per_second is not None:
        return found["supervised_tokens"] / supervised_per_second / 3600
    return float(found["tokens"] / fit.tokens_per_second / 3600)
