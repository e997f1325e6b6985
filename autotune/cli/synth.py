"""`synth`: practice data of a model's own answers, each verified."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from autotune.base.errors import BadInput, ExitCode, Interruption
from autotune.base.files import write_bytes_atomic
from autotune.base.format import about, counted, quoted
from autotune.cli.console import human_console, print_json, say_on
from autotune.cli.device import asked_device, chosen_profile, demand_speed, say_note
from autotune.cli.explain import explain_command
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
from autotune.run.practice import CHATS, make_practice
from autotune.run.session import Session
from autotune.run.setup import Setup, open_setup
from autotune.score.answers import count_answers
from autotune.screen.device_sample import device_gauge
from autotune.screen.live import make_view
from autotune.screen.practice import practice_summary
from autotune.synth.card import PracticeCard
from autotune.synth.card_file import CARD, README, card_beside, readme_beside
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
        return explain_command(options)
    console = human_console(options.as_json)
    say = say_on(console)
    profile = chosen_profile(options)
    demand_writable("--out", wanted.out)
    if wanted.out is not None and wanted.out.suffix.lower() != ".jsonl":
        raise BadInput(f"--out {wanted.out}: must end in .jsonl, which is what is written")
    demand_speed(profile)
    demand_material(profile)
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
        say(plan_line(setup, count_answers(where / RESPONSES)))
        total[0] = profile.synth.tasks * profile.synth.samples
        view = make_view(console, session.clock, lambda: session.state, device_gauge(setup))
        session.view = view
        with view:
            make_practice(session, setup, setup.model_folder, profile.synth, where)
        return report_made(console, options, wanted, session, where)


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


def report_made(
    console: Console, options: Options, wanted: SynthRequest, session: Session, where: Path
) -> int:
    """Put the data where it was asked for, and say what there is and what to do with it."""
    card = PracticeCard.model_validate_json((where / CARD).read_bytes())
    data, made = where / CHATS, session.state.practice_made[where.name]
    if wanted.out is not None:
        data = copied(where, wanted.out)
    console.print(practice_summary(card, made.tokens_per_second, next_steps(options, card, data)))
    if options.as_json:
        print_json(
            {
                "data": str(data),
                "card": card.model_dump(mode="json"),
                "card_file": str(where / CARD),
                "readme": str(where / README),
                "run_dir": str(session.rundir.root),
                **speed_json(made),
            }
        )
    return ExitCode.DONE if card.counts.kept else ExitCode.BELOW_TARGET


def speed_json(made: PracticeMade) -> dict[str, Any]:
    """What was generated by this command, in how long; null where all answers were there."""
    speed = made.tokens_per_second
    return {
        "new_tokens": made.new_tokens,
        "seconds": made.seconds,
        "tokens_per_second": speed,
    }


def copied(where: Path, out: Path) -> Path:
    """The data at `out`, its card and README beside it under the same name."""
    for name, target in (
        (CARD, card_beside(out)),
        (README, readme_beside(out)),
        (CHATS, out),
    ):
        write_bytes_atomic(target, (where / name).read_bytes())
    return out


def next_steps(options: Options, card: PracticeCard, data: Path) -> list[str]:
    """Where the data is and the command that trains on it; of none, why."""
    if not card.counts.kept:
        return [
            "no chat came of it: no answer could be made to follow its prompt; ask a model that"
            " answers in sentences, or for more with --tasks or --samples"
        ]
    profile = f" --profile {quoted(options.profile)}" if options.profile else ""
    return [
        f"practice data: {data}",
        f"to train on it: smolsft-autotune run{profile} --data {quoted(str(data))}",
        f'or in a strategy of a profile: data = "{data}"',
    ]
