"""`run --dry-run`: what a run would do, how long it would take and what would stop it."""

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from autotune.base.errors import EnvironmentFault, ExitCode, NothingFits
from autotune.base.scratch import scratch_folder
from autotune.cli.console import at_work, human_console, print_json, say_on
from autotune.cli.device import budget_giver, chosen_profile, demand_device, say_note
from autotune.cli.next_command import next_command
from autotune.cli.options import Options
from autotune.cli.run_folder import choose_folder, interruption_from
from autotune.cli.target import wanted_target
from autotune.cli.unused_data import demand_used_data
from autotune.config.own_data import trained_label
from autotune.data.survey import Survey
from autotune.device.cpu import busy_load
from autotune.fit.expected import expected_seconds
from autotune.fit.fit import holding_fit
from autotune.fit.planned_practice import PlannedPractice, planned_practice
from autotune.fit.run_plan import NONE, Obstacle, PlannedTrial, RunPlan
from autotune.fit.unmeasured import unmeasured_fit
from autotune.launch import SubprocessRunner
from autotune.protocol.results import Fit
from autotune.run.answering import RESPONSES
from autotune.run.folder import RunDir
from autotune.run.inputs import demand_data, demand_model, demand_prompts
from autotune.run.own_practice import FOLDER, is_to_practise, with_made_practice
from autotune.run.record_cache import RecordCache
from autotune.run.session import Session
from autotune.run.setup import Setup, open_setup
from autotune.run.state import StudyState
from autotune.run.survey import survey_data
from autotune.score.answers import count_answers
from autotune.screen.run_plan import DryRun, dry_run_summary
from autotune.sources.say import Say
from autotune.study.chooser import Chooser
from autotune.study.cleanup import DiskPlan, disk_plan
from autotune.study.optuna_study import demand_sampler
from autotune.study.run_plan import Premises, plan_run
from autotune.text.interruption import interrupted_look
from autotune.train.without_card import slowdown


@dataclass(frozen=True, slots=True)
class _Basis:
    """What the plan rests on: a fit, from where it is, and whether its times are measured.

    `practice_token_seconds` as in `Unmeasured`.
    """

    fit: Fit | None
    source: str
    measured: bool = False
    timed: bool = False
    obstacle: Obstacle | None = None
    practice_token_seconds: float | None = None


def dry_run_command(options: Options, target: float, *, final_eval: bool = False) -> int:
    """`run --dry-run`; nothing is trained and nothing is left behind.

    A `final_eval` comes after all that the plan shows, which is said. Exit 0, or the code that the
    run would end with.

    Raises:
        BadInput, EnvironmentFault: what the run would refuse before anything else.
    """
    console = human_console(options.as_json)
    say = say_on(console)
    if final_eval:
        say("--final-eval: its answers to all prompts come after the hours of this plan")
    profile = chosen_profile(options)
    demand_used_data(options, profile)
    record_cache = RecordCache()
    device = demand_device(options, profile, record_cache)
    root, resumed = choose_folder(options.run_dir, profile, say, record_cache, make=False)
    say_note(device, say)
    demand_prompts(profile)
    demand_data(profile)
    demand_model(profile, options.model_max_length)
    demand_sampler(profile.study)
    state = record_cache.of(RunDir(root)).state if resumed else StudyState()
    with (
        interruption_from(interrupted_look),
        scratch_folder("plan") as folder,
        RunDir(folder / "work") as rundir,
    ):
        session = Session(rundir, SubprocessRunner())
        setup = open_setup(session, profile, say, length=options.model_max_length)
        own = [data.label for data in setup.own_data.values()]
        label = trained_label(profile, setup.data_label, own)
        where = RunDir(root).practice_folder(FOLDER)
        setup = with_made_practice(session, setup, where, state)
        say(f"1 of 3: how long the conversations of {label} are")
        with at_work(console, "counting tokens"):
            survey = survey_data(session, setup)
            practice: PlannedPractice | None = None
            if is_to_practise(setup):
                answered = count_answers(where / RESPONSES)
                practice, setup, survey = planned_practice(session, setup, survey, answered)
        with at_work(console, "timing"):
            basis = _basis(session, setup, survey, RunDir(root), state, say)
        say("3 of 3: which trials that makes, and room on the disk")
    found = DryRun(
        **_planned(setup, survey, basis, root, state, target, practice),
        profile=profile.name,
        run_dir=root if resumed else None,
        memory=setup.memory_sentence(budget_giver(options, profile.name)),
        now=time.time(),
        stop_at_target=profile.study.stop_at_target,
    )
    return _show(console, options, found, target)


def _basis(
    session: Session, setup: Setup, survey: Survey, rundir: RunDir, state: StudyState, say: Say
) -> _Basis:
    """The fit that the run would take, or a prediction where it would probe."""
    known = holding_fit(rundir, state.fit, setup)
    if known is not None:
        say("2 of 3: what fits and how fast it is, a probe has measured")
        return _Basis(known[0], f"measured by a probe: {known[1]}", measured=True, timed=True)
    slower = slowdown(setup.device, setup.device_spec.precision)
    say(f"2 of 3: {_measured_now(setup, slower)}")
    load = busy_load()
    if load is not None:
        say(
            f"other programs are at work here ({load:.1f} for each core): times that are measured"
            " now come out longer, by half and more"
        )
    try:
        found = unmeasured_fit(session, setup, survey, slower)
    except NothingFits as error:
        return _Basis(None, "predicted; no probe has measured it", obstacle=Obstacle.of(error))
    memory = "memory predicted" if found.predicted else "memory not predicted: the longest length"
    if found.rate is None:
        return _Basis(found.fit, f"{memory}; no rate is known before the probe")
    return _Basis(
        found.fit,
        f"{memory}; times from {found.rate.source}",
        timed=True,
        practice_token_seconds=found.practice_token_seconds,
    )


def _measured_now(setup: Setup, slowdown: float) -> str:
    """What a plan measures where no probe did, and how long that takes."""
    model = setup.model_label
    if setup.device.traits.is_card:
        return f"what a training step of {model} would hold, counted on tensors without data"
    if slowdown != 1.0:
        return f"what a training step of {model} holds, and how fast this processor multiplies"
    return (
        f"what a training step of {model} holds, and how long it and a token of answers take here,"
        " on a few layers; seconds, of a large model a minute"
    )


def _planned(
    setup: Setup,
    survey: Survey,
    basis: _Basis,
    root: Path,
    state: StudyState,
    target: float,
    practice: PlannedPractice | None,
) -> dict[str, Any]:
    """The plan of a run by what fits, with its disk and the first thing that would stop it."""
    fit = basis.fit
    if fit is None:
        plan = RunPlan((), 0, NONE, None, basis.obstacle)
        return {"plan": plan, "fit": None, "basis": basis.source, "measured": False, "timed": False}
    chooser = Chooser(
        *(setup, survey, fit, target),
        lambda now, wanted: expected_seconds(now, setup, fit, survey, wanted),
    )
    premises = Premises(measured=basis.measured)
    if practice is not None:
        premises = replace(
            premises, practised=practice.strategies, most_practice=practice.most_tokens
        )
    if practice is not None and basis.timed:
        seconds = practice.seconds(
            *(setup, fit),
            measured=basis.measured,
            slowdown=slowdown(setup.device, setup.device_spec.precision),
            token_seconds=basis.practice_token_seconds,
        )
        premises = replace(premises, practice=seconds or NONE)
    plan = plan_run(chooser, state, premises)
    disk: DiskPlan | None = None
    obstacle = None
    try:
        disk = disk_plan(root, setup, chooser.strategies, trials=plan.trial_count)
    except EnvironmentFault as error:
        obstacle = Obstacle.of(error)  # a run looks at the disk before anything else
    return {
        "plan": replace(plan, obstacle=obstacle or plan.obstacle),
        "practice": practice,
        "fit": fit,
        "basis": basis.source,
        "measured": basis.measured,
        "timed": basis.timed,
        "disk": disk.sentence if disk else None,
        "disk_bytes": (disk.needed_bytes, disk.free_bytes) if disk else None,
    }


def _show(console: Console, options: Options, found: DryRun, target: float) -> int:
    console.print(dry_run_summary(found))
    if found.plan.obstacle is None:
        aimed = (
            () if target == wanted_target(None, options.project) else ("--target", f"{target:g}")
        )
        say_on(console)(f"next: {next_command('run', options, *aimed)}")
    if options.as_json:
        print_json(as_tree(found))
    return found.plan.obstacle.code if found.plan.obstacle else ExitCode.DONE


def as_tree(found: DryRun) -> dict[str, Any]:
    """The object of `--json`; times in seconds, None where nothing says how long."""
    plan = found.plan
    needed, free = found.disk_bytes or (None, None)
    return {
        "dry_run": True,
        "profile": found.profile,
        "resumes": str(found.run_dir) if found.run_dir else None,
        "trials_over": plan.over,
        "measured": found.measured,
        "basis": found.basis,
        "fits": (
            {"model_max_length": found.fit.model_max_length, "max_rounds": found.fit.max_rounds}
            if found.fit
            else None
        ),
        "trials": [_trial_tree(trial, timed=found.timed) for trial in plan.trials],
        "untrained_seconds": plan.before.likely if found.timed else None,
        "practice": (
            asdict(found.practice)
            | {
                "seconds": plan.practice.likely or None,
                "seconds_at_most": plan.practice.most or None,
            }
            if found.practice
            else None
        ),
        "seconds": plan.seconds if found.timed else None,
        "seconds_at_most": plan.most_seconds if found.timed else None,
        "ends_at": found.now + plan.seconds if found.timed else None,
        "ends_by": plan.ends,
        "beyond_hours": plan.overrun if found.timed else None,
        "disk_needed_bytes": needed,
        "disk_free_bytes": free,
        "stopped_by": (
            {"exit_code": int(plan.obstacle.code), "reason": plan.obstacle.reason}
            if plan.obstacle
            else None
        ),
    }


def _trial_tree(trial: PlannedTrial, *, timed: bool) -> dict[str, Any]:
    plan = trial.plan
    return {
        "stage": trial.stage,
        "exact": trial.exact,
        "count": trial.count,
        "model_max_length": plan.model_max_length,
        "max_rounds": plan.max_rounds,
        "conversations": plan.conversations,
        "of_conversations": trial.of,
        "kept_supervised": trial.kept_supervised,
        "learning_rate": plan.learning_rate,
        "batch_size": plan.batch_size,
        "num_train_epochs": plan.num_train_epochs,
        "steps": plan.total_steps,
        "checkpoints": trial.checkpoints,
        "evaluations": trial.evaluations,
        "training_seconds": trial.expected.training if timed else None,
        "scoring_seconds": trial.expected.scoring if timed else None,
        "seconds_at_most": trial.most_seconds if timed else None,
    }
