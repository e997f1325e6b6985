"""`synth`: practice data of a model's own answers, each verified."""

from dataclasses import dataclass, replace
from pathlib import Path

from autotune.base.errors import Interruption
from autotune.base.format import about, counted
from autotune.cli.console import human_console, say_on
from autotune.cli.device import asked_device, chosen_profile, demand_speed, say_note
from autotune.cli.explain import explain_command
from autotune.cli.folder_work import PRACTICE
from autotune.cli.options import Options
from autotune.cli.run_folder import (
    choose_folder,
    interruption_from,
    store_settings,
    undone_without_answers,
)
from autotune.cli.synth_copy import demand_out, demand_own_copy
from autotune.cli.synth_made import report_made
from autotune.cli.synth_model import model_to_ask
from autotune.config.profile import Profile
from autotune.device.find import find_device
from autotune.fit.practice_time import practice_seconds
from autotune.launch import SubprocessRunner
from autotune.run.answering import RESPONSES
from autotune.run.folder import RunDir
from autotune.run.inputs import demand_model, demand_prompts
from autotune.run.practice import make_practice
from autotune.run.session import Session
from autotune.run.setup import Setup, open_setup
from autotune.score.answers import count_answers
from autotune.screen.device_sample import device_gauge
from autotune.screen.live import make_view
from autotune.synth.held_out import held_out_kinds
from autotune.synth.prompts import compose
from autotune.text.interruption import interrupted_practice
from autotune.train.without_card import slowdown

FOLDER = "model"
"""The practice data's folder in its run folder; that of a run's own is `run`."""


@dataclass(frozen=True, slots=True)
class SynthRequest:
    """What `synth` was asked for beside the shared options."""

    model: str | None = None
    start_from: Path | None = None
    out: Path | None = None


def synth_command(options: Options, wanted: SynthRequest) -> int:
    """`synth`; exit 1 where no answer came to be a chat."""
    model = model_to_ask(wanted.model, wanted.start_from)
    options = options if model is None else replace(options, model=model)
    if options.explain:
        return explain_command(options, after="synth")
    console = human_console(options.as_json)
    say = say_on(console)
    profile = chosen_profile(options)
    demand_out(wanted.out)
    demand_speed(profile)
    demand_material(profile)
    root, resumed = choose_folder(options.run_dir, profile, say, work=PRACTICE)
    where, total = RunDir(root).practice_folder(FOLDER), [0]

    def left() -> Interruption:
        return interrupted_practice(count_answers(where / RESPONSES), total[0], root)

    with (
        interruption_from(left),
        RunDir(root) as rundir,
        undone_without_answers(rundir, where / RESPONSES),
    ):
        demand_own_copy(wanted.out, root)
        say(f"profile {profile.name} ({profile.title}); run folder {root}")
        say_note(find_device(asked_device(options, profile)), say)
        demand_prompts(profile)
        demand_model(profile)
        store_settings(rundir, profile)
        session = Session(rundir, SubprocessRunner())
        if resumed:
            say("resuming what is there")
        setup = open_setup(session, profile, say, with_data=False)
        if session.state.content is None and setup.content is not None:
            session.emit(setup.content)
        say(plan_line(setup, count_answers(where / RESPONSES)))
        total[0] = profile.synth.tasks * profile.synth.samples
        view = make_view(console, session.clock, lambda: session.state, device_gauge(setup))
        session.view = view
        with view:
            make_practice(session, setup, setup.model_folder, profile.synth, where)
        return report_made(console, options, profile, wanted.out, session, where)


def demand_material(profile: Profile) -> None:
    """Refuse to hold out more kinds than there are, or to compose more variants than can be.

    Raises:
        BadInput: that.
    """
    seed, choice = profile.train.seed, profile.synth
    compose(seed, 1, choice.variants, frozenset(held_out_kinds(seed, choice.held_out_kinds)))


def plan_line(setup: Setup, answered: int) -> str:
    """What will be asked, and about how long that takes where so many answers are there."""
    choice = setup.profile.synth
    slower = slowdown(setup.device, setup.device_spec.precision)
    seconds = practice_seconds(setup, setup.model_folder, choice, slower, answered)
    time = (
        f"{about(seconds)} if all are as long as that (an estimate)"
        if seconds is not None
        else "for how long is not known before it is measured"
    )
    return (
        f"to ask: {counted(choice.tasks, 'task')} in {counted(choice.variants, 'variant')},"
        f" {counted(choice.samples, 'answer')} each of at most"
        f" {counted(choice.max_new_tokens, 'token')}; {time}"
    )
