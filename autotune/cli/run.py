"""`probe`, `run` and `demo`: open a run folder, show a screen, do the work."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from autotune.base.errors import BadInput, ExitCode, Interruption
from autotune.cli.command_line import typed_command
from autotune.cli.console import human_console, print_json, say_on
from autotune.cli.device import budget_giver, chosen_profile, demand_device, say_note
from autotune.cli.low_cap import say_low_cap
from autotune.cli.next_command import next_command
from autotune.cli.options import Options
from autotune.cli.run_folder import (
    choose_folder,
    demand_record,
    demand_study,
    interruption_from,
    is_part,
    store_settings,
    undone_if_empty,
)
from autotune.cli.unused_data import demand_used_data
from autotune.config.profile import Profile
from autotune.data.survey import Survey
from autotune.fit.fit import fitted
from autotune.fit.guess import InitialGuess
from autotune.launch import SubprocessRunner
from autotune.protocol import events
from autotune.protocol.results import Fit
from autotune.report.build import report_of
from autotune.report.schema import run_json
from autotune.report.write import write_report
from autotune.run.content import is_recorded
from autotune.run.folder import RunDir
from autotune.run.inputs import demand_data, demand_model, demand_prompts
from autotune.run.own_practice import with_practice
from autotune.run.record_cache import RecordCache
from autotune.run.salvage import salvage
from autotune.run.session import Session
from autotune.run.setup import Setup, open_setup
from autotune.run.spot_check import keep_spot_check
from autotune.run.state import StudyState
from autotune.run.survey import survey_data
from autotune.run.training_record import emit_training_data
from autotune.screen.device_sample import device_gauge
from autotune.screen.encodable import Encodable
from autotune.screen.live import make_view
from autotune.screen.summary import probe_summary, summary
from autotune.study.cleanup import demand_disk
from autotune.study.optuna_study import demand_sampler
from autotune.text.interruption import interrupted_run


@dataclass(frozen=True, slots=True)
class Part:
    """A run as a part of a shared study.

    `study` is its name, None where that is the run folder's. `profile` and `folder` are a worker's,
    whose settings are the study's; None where the options say. `check` is given what the run works
    with and the study's name, before anything is recorded.
    """

    check: Callable[[Setup, str], None]
    study: str | None = None
    profile: Profile | None = None
    folder: Path | None = None


@dataclass
class OpenRun:
    """A run folder that is open, with its session and what it works on."""

    console: Console
    rundir: RunDir
    session: Session
    setup: Setup
    survey: Survey
    resumed: bool


@contextmanager
def open_run(
    options: Options,
    console: Console,
    target: float,
    *,
    salvaging: bool = False,
    part: Part | None = None,
) -> Iterator[OpenRun]:
    """Open or resume the run folder, resolve the sources, survey the data, show the screen.

    With `salvaging` a damaged record is cut to what stands before the damage. `part` is given where
    it works at a shared study.
    """
    say = say_on(console)
    if part is not None and part.profile is not None:
        profile = part.profile  # a worker's --data says where the study's lies on its machine
    else:
        profile = chosen_profile(options)
        demand_used_data(options, profile)
    record_cache = RecordCache()
    device = demand_device(options, profile, record_cache)
    named = part.folder if part is not None and part.folder else options.run_dir
    belongs = partial(is_part, part is not None, part.study if part is not None else None)
    root, resumed = choose_folder(named, profile, say, record_cache, belongs)
    study = None if part is None else part.study or root.name
    begun: list[Session] = []  # one, once the folder is held

    def left() -> Interruption:
        return interrupted_run(begun[0].state if begun else StudyState(), root)

    with interruption_from(left), RunDir(root) as rundir, undone_if_empty(rundir):
        say(f"profile {profile.name} ({profile.title}); run folder {root}")
        say_note(device, say)
        demand_prompts(profile)
        demand_data(profile)
        demand_model(profile, options.model_max_length)
        demand_sampler(profile.study)
        store_settings(rundir, profile)
        salvaged = salvage(rundir) if salvaging else None
        session = Session(rundir, SubprocessRunner(), history=record_cache.of(rundir))
        begun.append(session)
        demand_study(session.state.run, study, root)
        if salvaged is not None:
            say(salvaged)
            session.emit(events.Warned(message=salvaged))
        if resumed:
            say("resuming the existing run")
        setup = open_setup(session, profile, say, length=options.model_max_length)
        if part is not None and study is not None:
            part.check(setup, study)
        say(setup.memory_sentence(budget_giver(options, profile.name)))
        if target:
            say_low_cap(setup, say)
            if part is None:
                setup = replace(setup, spot_check=keep_spot_check(session, profile, say))
        view = make_view(console, session.clock, lambda: session.state, device_gauge(setup))
        session.view = view
        with view:
            try:
                started = setup.started(target, resumed=resumed, command=typed_command())
                session.emit(started.model_copy(update={"study": study}))
                setup = with_practice(session, setup)
                if setup.content and not is_recorded(session.state.content, setup.content):
                    session.emit(setup.content)
                emit_training_data(session, setup)
                survey = survey_data(session, setup)
                yield OpenRun(console, rundir, session, setup, survey, resumed)
            except KeyboardInterrupt as interrupt:
                with beside(interrupt):
                    emit_interrupt(session)
                raise


def emit_interrupt(session: Session) -> None:
    """Record that the command was asked to end, once."""
    notice = events.Notice(
        about="interrupted", sentence="interrupted: the same command resumes from here"
    )
    recorded = session.history.without_steps
    if not recorded or recorded[-1].event != notice:
        session.emit(notice)


def fit_of(work: OpenRun, *, again: bool = False) -> Fit:
    """The fit that this run works with, known or probed now."""
    open_driver = work.setup.device.traits.open_driver
    nvml = None if open_driver is None else open_driver()
    initial_guess = InitialGuess(work.session, work.setup)
    return fitted(work.session, work.setup, work.survey, nvml, initial_guess, again=again)


def probe_command(options: Options, *, again: bool = False) -> int:
    """`probe`."""
    console = human_console(options.as_json)
    with open_run(options, console, target=0.0) as work:
        fit = fit_of(work, again=again)
    giver = budget_giver(options, work.setup.profile.name)
    notice = (work.setup.memory_sentence(giver), work.session.state.fit_note)
    console.print(Encodable(probe_summary(fit, *notice)))
    say_on(console)(f"next: {next_command('run', options)}")
    if options.as_json:
        print_json(fit_json(fit) | {"run_dir": str(work.rundir.root)})
    return ExitCode.DONE


def run_command(
    options: Options, target: float, *, salvaging: bool = False, final_eval: bool = False
) -> int:
    """`run` and `demo`; with `final_eval` the best is scored on all prompts at the end."""
    demand_salvageable(options, salvaging)
    from autotune.score.registry import find_scorer
    from autotune.study.tuner import Tuner

    console = human_console(options.as_json)
    with open_run(options, console, target, salvaging=salvaging) as work:
        demand_disk(work.session, work.setup)
        fit = fit_of(work)
        with reported(work.session):
            scorer = find_scorer(work.setup.profile.prompts.scorer)
            tuner = Tuner(
                *(work.session, work.setup, work.survey, fit, scorer, target),
                final_eval=final_eval,
            )
            met = tuner.run()
    finish(console, work.rundir, work.session, options.as_json)
    return ExitCode.DONE if met else ExitCode.BELOW_TARGET


def demand_salvageable(options: Options, salvaging: bool) -> None:
    """Refuse to salvage a run that is not named, or is not there.

    Raises:
        BadInput: that.
    """
    if not salvaging:
        return
    if options.run_dir is None:
        raise BadInput("--salvage: must come with --run-dir, which names the run to resume")
    demand_record(options.run_dir)


@contextmanager
def reported(session: Session) -> Iterator[None]:
    """Write the report, whatever ends the work; what ended it stays the cause."""
    try:
        yield
    except BaseException as cause:
        if isinstance(cause, KeyboardInterrupt):
            with beside(cause):
                emit_interrupt(session)  # before the report, which reports it
        with beside(cause):
            save_report(session)
        raise
    save_report(session)


@contextmanager
def beside(cause: BaseException) -> Iterator[None]:
    """Do something on the way out of an error: should it fail as well, that is a second line."""
    try:
        yield
    except Exception as second:
        cause.add_note(f"and then: {second}")


def save_report(session: Session) -> None:
    """Write the report of what the record holds so far."""
    root = session.rundir.root
    write_report(report_of(session.history, root), root)


def finish(console: Console, rundir: RunDir, session: Session, as_json: bool) -> None:
    """The summary for a person, and the object for a script."""
    console.print(Encodable(summary(session.state, rundir.root)))
    if as_json:
        print_json(run_json(report_of(session.history, rundir.root)))


def fit_json(fit: Fit) -> dict[str, Any]:
    """`probe --json`: the fit with each trial's point and figures on one level."""
    tree: dict[str, Any] = fit.model_dump(mode="json")
    tree["trials"] = [
        {
            **outcome.point.model_dump(mode="json"),
            "verdict": outcome.verdict.value,
            "reason": outcome.reason,
            "seconds": outcome.seconds,
            "peak_bytes": outcome.measurement.peak_bytes if outcome.measurement else None,
        }
        for outcome in fit.trials
    ]
    return tree
