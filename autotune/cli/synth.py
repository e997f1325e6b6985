"""`synth`: practice data of a model's own answers, each verified."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from autotune.base.errors import BadInput, ExitCode, Interruption
from autotune.base.files import write_text_atomic
from autotune.base.format import about, counted, quoted
from autotune.cli.console import human_console, print_json, say_on
from autotune.cli.device import asked_device, chosen_profile, demand_speed, say_note
from autotune.cli.folder_work import PRACTICE
from autotune.cli.options import Options
from autotune.cli.paths import demand_writable
from autotune.cli.run_folder import (
    choose_folder,
    interruption_from,
    store_settings,
    undone_without_answers,
)
from autotune.cli.synth_model import model_to_ask
from autotune.config.profile import Profile
from autotune.device.find import find_device
from autotune.fit.practice_time import practice_seconds
from autotune.launch import SubprocessRunner
from autotune.protocol.events import PracticeMade
from autotune.run.answering import RESPONSES
from autotune.run.folder import RunDir
from autotune.run.inputs import demand_model, demand_prompts
from autotune.run.practice import CARD, CHATS, README, make_practice
from autotune.run.session import Session
from autotune.run.setup import Setup, open_setup
from autotune.score.answers import count_answers
from autotune.screen.device_sample import device_gauge
from autotune.screen.live import make_view
from autotune.screen.practice import practice_summary
from autotune.synth.card import PracticeCard
from autotune.synth.held_out import held_out_kinds
from autotune.text.interruption import interrupted_practice
from autotune.train.without_card import slowdown

FOLDER = "model"
"""The practice data's folder in its run folder; in a run it has the name of its strategy."""


@dataclass(frozen=True, slots=True)
class SynthRequest:
    """What `synth` was asked for beside the shared options."""

    model: str | None = None
    start_from: Path | None = None
    out: Path | None = None


def synth_command(options: Options, wanted: SynthRequest) -> int:
    """`synth`; exit 1 where no answer came to be a chat."""
    console = human_console(options.as_json)
    say = say_on(console)
    profile = asked_profile(options, wanted)
    demand_writable("--out", wanted.out)
    demand_speed(profile)
    held_out_kinds(profile.train.seed, profile.synth.held_out_kinds)  # more than there are
    root, resumed = choose_folder(options.run_dir, profile, say, work=PRACTICE)
    say(f"profile {profile.name} ({profile.title}); run folder {root}")
    say_note(find_device(asked_device(options, profile)), say)
    demand_prompts(profile)
    demand_model(profile)
    where, total = RunDir(root).practice_folder(FOLDER), [0]

    def left() -> Interruption:
        return interrupted_practice(count_answers(where / RESPONSES), total[0], root)

    with (
        interruption_from(left),
        RunDir(root) as rundir,
        undone_without_answers(rundir, where / RESPONSES),
    ):
        store_settings(rundir, profile)
        session = Session(rundir, SubprocessRunner())
        if resumed:
            say("resuming what is there")
        setup = open_setup(session, profile, say, with_data=False)
        if session.state.content is None and setup.content is not None:
            session.emit(setup.content)
        say(plan_line(setup))
        total[0] = profile.synth.tasks * profile.synth.samples
        view = make_view(console, session.clock, lambda: session.state, device_gauge(setup))
        session.view = view
        with view:
            make_practice(session, setup, setup.model_folder, profile.synth, where)
        return report_made(console, options, wanted, session, where)
