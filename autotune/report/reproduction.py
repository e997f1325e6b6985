"""What a run worked on and with, and how to do it again: machine, versions, seeds, digests."""

from collections.abc import Iterable, Iterator

from autotune.base.format import quoted
from autotune.protocol import events
from autotune.report.schema import Report
from autotune.run.machine import LIBRARIES, PROGRAM
from autotune.run.state import StudyState


def commands(starts: Iterable[events.RunStarted]) -> tuple[str, ...]:
    """Each command line once, in order: that which began the run, and those that resumed it."""
    return tuple(dict.fromkeys(start.command for start in starts if start.command))


def environment(starts: Iterable[events.RunStarted]) -> dict[str, str]:
    """What it ran on and with, by name; a run that moved has several values, in order."""
    seen: dict[str, dict[str, None]] = {}
    for start in starts:
        for name, text in start.machine.items():
            seen.setdefault(name, {})[text] = None
    return {name: ", then ".join(found) for name, found in seen.items()}


def seeds_of(starts: Iterable[events.RunStarted], state: StudyState) -> dict[str, int]:
    """What it draws with, by what that is for; practice data is drawn with the training's seed."""
    seeds = {name: seed for start in starts for name, seed in start.seeds.items()}
    if state.practice is not None and "training" in seeds:
        seeds["practice data"] = seeds["training"]
    return seeds


def hashes(state: StudyState) -> dict[str, str]:
    """The sha256 of every file that the run worked with, by what it is; none in old records."""
    return dict(_hashes(state))


def _hashes(state: StudyState) -> Iterator[tuple[str, str]]:
    content = state.content
    if content is not None:
        yield from ((f"data {name}", digest) for name, digest in content.data.items())
        for strategy, files in content.own_data.items():
            for name, digest in files.items():
                yield f"data of {strategy}, {name}", digest
        yield from ((f"prompts {name}", digest) for name, digest in content.prompts.items())
        yield "prompts that were asked, prompts.jsonl", content.scored
        yield from ((f"model {name}", digest) for name, digest in content.model.items())
    if state.best_kept is not None:
        yield "manifest of best/", state.best_kept.sha256


def steps_again(
    run_dir: str, target: float, machine: dict[str, str], versions: dict[str, str]
) -> tuple[str, ...]:
    """What to do to have the same run again, in order, and how far it will be the same."""
    known = {name: machine.get(name) or versions.get(name) for name in LIBRARIES}
    known[PROGRAM] = known[PROGRAM] or "(its version is not on record)"
    named = ", ".join(f"{name} {text}" for name, text in known.items() if text)
    on = f" on Python {machine['Python']}" if "Python" in machine else ""
    asked = f" --target {target}" if target else ""
    return (
        f"install the same versions{on}: {named}",
        "have the same files: data, prompts and model with the sha256 below",
        f"give every setting of this run, which run.toml in its folder holds, to a new one:"
        f" smolsft-autotune"
        f" {'run' if target else 'probe'} --profile {quoted(f'{run_dir}/run.toml')}{asked}"
        " --run-dir NEW",
        "the seeds choose the order of the data, the noise and the prompts; on a CPU with the same"
        " versions and threads the losses are the same, on a card equal to rounding, and an answer"
        " may change with the rounding",
    )


def reproduction_rows(report: Report) -> tuple[tuple[str, str], ...]:
    """Commands, machine, versions, seeds and digests by name, for both pages."""
    machine = report.environment
    older = ((n, text) for n, text in report.versions.items() if n not in machine)
    seeds = ((f"seed of {name}", str(seed)) for name, seed in report.seeds.items())
    trials = ((f"seed of trial {t.number}", str(t.plan.seed)) for t in report.trials)
    digests = ((f"sha256 of {name}", digest) for name, digest in report.hashes.items())
    asked = (("command", report.command),) if report.command else ()
    resumed = (("resumed with", command) for command in report.later_commands)
    return (*asked, *resumed, *machine.items(), *older, *seeds, *trials, *digests)
