"""`init`: four questions, and a commented `smolsft.toml` for this folder."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from autotune.base.errors import BadInput, EnvironmentFault, ExitCode
from autotune.base.files import write_text_atomic
from autotune.base.format import counted, either
from autotune.cli.console import human_console, print_json, say_on
from autotune.cli.device import chosen_profile
from autotune.cli.next_command import next_command
from autotune.cli.options import SETTINGS, Options
from autotune.cli.run_folder import interruption_from
from autotune.cli.target import DEFAULT_TARGET, read_target
from autotune.config.load import CPU_PROFILE, find_profile, name_or_file
from autotune.config.profile import Profile
from autotune.config.project import PROJECT_FILE, parse_project, read_project
from autotune.config.project_text import BY_A_PROFILE, Answers, project_text
from autotune.doctor.network import is_here
from autotune.run.inputs import demand_data, demand_model
from autotune.sources.hub import Kind
from autotune.sources.named import DATA, MODELS
from autotune.sources.reachable import hub_is_reachable
from autotune.text.interruption import interrupted_look

UNLIMITED = "none"
"""What is typed for hours without end."""


@dataclass(frozen=True, slots=True)
class InitRequest:
    """What `init` was asked for beside the shared options.

    `yes` takes every default, `overwrite` replaces a file that is there, `target` was typed.
    """

    yes: bool = False
    overwrite: bool = False
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One question: `default` as it is typed, `check` gives the value or raises `BadInput`."""

    words: str
    default: str
    check: Callable[[str], str]


def init_command(options: Options, wanted: InitRequest) -> int:
    """`init`; what was typed is not asked.

    Raises:
        BadInput: the file is there already, typed values break their rules (one line for each, all
            at once), or somebody has to answer and there is no terminal.
    """
    options = replace(options, project=None)  # a file that is replaced has no say in the new one
    console = human_console(options.as_json)
    asks = not wanted.yes
    if asks and not sys.stdin.isatty():
        raise BadInput(
            "init: asks four questions, and there is no terminal to answer them; add --yes to take"
            " the defaults (what is typed, such as --model, counts)"
        )
    path = Path(PROJECT_FILE)
    profile, faults = profile_or_fault(options)
    typed = typed_answers(options, wanted, profile, faults)
    demand_free(path, wanted, console, faults)
    demand_none(faults)
    with interruption_from(interrupted_look):
        answers = answered(typed, profile, None if wanted.yes else console)
    named = None if options.profile is None else name_or_file(options.profile)
    text = project_text(profile, answers, named)
    parse_project(text).over(profile)  # what cannot be used is said, and not written
    write_text_atomic(path, text)
    say = say_on(console)
    say(f"{path} written: {BY_A_PROFILE} work with it in this folder")
    away = out_of_reach(answers)
    for line in away:
        say(line, style="yellow")
    say(f"next: {next_command('demo' if away else 'inspect', Options())}")
    if options.as_json:
        print_json(
            {
                "file": str(path.absolute()),
                "profile": named or profile.name,
                "model": answers.model,
                "data": answers.data,
                "target": answers.target,
                "max_hours": answers.hours,
                "out_of_reach": away,
            }
        )
    return ExitCode.DONE


def out_of_reach(answers: Answers) -> list[str]:
    """A line for the model and for the data where neither this machine nor the hub has them now."""
    asked: tuple[tuple[Kind, str, str], ...] = (
        ("model", answers.model, f"--model FOLDER, {either(MODELS)}"),
        ("dataset", answers.data, f"--data FILE, {either(DATA)}"),
    )
    missing = [each for each in asked if not is_here(each[0], each[1])]
    if not missing or hub_is_reachable():
        return []
    return [
        f"{source}: not on this machine, and the hub cannot be reached; commands that need it stop"
        f" until there is a network, or give {remedy} (the demo needs no hub)"
        for _, source, remedy in missing
    ]


def profile_or_fault(options: Options) -> tuple[Profile, list[str]]:
    """The profile that is asked for; where it cannot be had another, and why.

    By that the other answers can be looked at as well. What `init` asks for has rules of its own.
    """
    others = replace(options, model=None, data=None, max_hours=None)
    try:
        return chosen_profile(others, computes=False), []
    except (BadInput, EnvironmentFault) as error:
        return find_profile(CPU_PROFILE), [str(error)]


def typed_answers(
    options: Options, wanted: InitRequest, profile: Profile, faults: list[str]
) -> dict[str, str]:
    """The answers that were typed, by the name of what they set; what is wrong goes to `faults`."""
    found: dict[str, str] = {}
    for name, question in questions(profile).items():
        typed = wanted.target if name == "target" else getattr(options, name)
        if typed is None:
            continue
        try:
            shown = f"{typed:g}" if isinstance(typed, float) else str(typed)
            found[name] = question.check(shown)
        except (BadInput, EnvironmentFault) as error:
            faults.append(str(error))
    return found


def demand_free(path: Path, wanted: InitRequest, console: Console, faults: list[str]) -> None:
    """Refuse to replace a file unasked, with what else is wrong: its own faults, and `faults`.

    Raises:
        BadInput: it is there, and nobody said that it may be replaced.
    """
    if not path.exists() or wanted.overwrite:
        return
    refusal = f"{path}: is there already; change it by hand, or add --overwrite"
    if not wanted.yes and not faults:
        question = Question(f"{path} is there already; replace it?", "no", _yes_or_no)
        if ask(console, question) == "yes":
            return
    demand_none([refusal, *own_faults(), *faults])


def own_faults() -> list[str]:
    """What is wrong with the file that is there already, as every command would say it."""
    try:
        project = read_project(Path())
        if project is not None:
            project.over(find_profile(project.profile or CPU_PROFILE))
    except BadInput as error:
        return [str(error)]
    return []


def demand_none(faults: Sequence[str]) -> None:
    """Refuse what has faults: one as it is, of several each below their number.

    Raises:
        BadInput: there is one.
    """
    if len(faults) == 1:
        raise BadInput(faults[0])
    if faults:
        lines = [line for fault in faults for line in fault.splitlines()]
        count = counted(len(faults), "fault")
        raise BadInput("\n".join([f"init: {count}", *(f"  {line}" for line in lines)]))


def answered(typed: Mapping[str, str], profile: Profile, console: Console | None) -> Answers:
    """The four answers: what was typed, what a person says, or the defaults without a console."""
    found = {
        name: typed.get(name) or (question.default if console is None else ask(console, question))
        for name, question in questions(profile).items()
    }
    hours = found["max_hours"]
    return Answers(
        model=found["model"],
        data=found["data"],
        target=read_target(found["target"]),
        hours=None if hours == UNLIMITED else float(hours),
    )


def questions(profile: Profile) -> dict[str, Question]:
    """The questions by the name of what they set, with the profile's values as defaults."""

    def model(text: str) -> str:
        demand_model(with_source(profile, "model", text), weights=False)
        return text

    def data(text: str) -> str:
        demand_data(with_source(profile, "data", text))
        return text

    hours = profile.study.max_hours
    return {
        "model": Question(
            f"Which model to fine-tune? {either(['A folder', 'a hub id', *MODELS])}",
            profile.model.source,
            model,
        ),
        "data": Question(
            f"Which conversations to train on? {either(['A file', 'a hub id', *DATA])}",
            profile.data.source,
            data,
        ),
        "target": Question(
            "Which share of the prompts must it pass? 0..1, or a percentage",
            DEFAULT_TARGET,
            lambda text: f"{read_target(text):g}",
        ),
        "max_hours": Question(
            f"How many hours may a run work?{f' Or {UNLIMITED}' if hours is None else ''}",
            UNLIMITED if hours is None else f"{hours:g}",
            lambda text: _hours(text, profile),
        ),
    }


def with_source(profile: Profile, table: str, text: str) -> Profile:
    """The profile with another model or other data.

    Raises:
        BadInput: nothing was typed.
    """
    if not text:
        raise BadInput(f"{SETTINGS[table].spelling(table)} : must not be empty")
    return Options.of({table: text}).adjust(profile)


def ask(console: Console, question: Question) -> str:
    """Ask until the answer can be used; Enter takes the default."""
    while True:
        line = say_on(console).ask(f"{question.words} [{question.default}]:")
        if not line:  # Ctrl-D
            raise interrupted_look()
        try:
            return question.check(line.strip() or question.default)
        except (BadInput, EnvironmentFault) as error:
            say_on(console)(f"  {error}")


def _hours(text: str, profile: Profile) -> str:
    limited = profile.study.max_hours is not None  # TOML has no word for a key that is taken away
    if text.lower() == UNLIMITED and limited:
        raise BadInput(
            f"--max-hours {text}: profile {profile.name} ends by max_hours, which {PROJECT_FILE}"
            " can change but not take away; give a number of hours"
        )
    if text.lower() == UNLIMITED:
        return UNLIMITED
    try:
        hours = float(text)
    except ValueError:
        hours = 0.0
    if not 0 < hours < float("inf"):
        raise BadInput(
            f"--max-hours {text}: must be above 0{'' if limited else f', or {UNLIMITED}'}"
        )
    return f"{hours:g}"


def _yes_or_no(text: str) -> str:
    low = text.lower()
    if low in {"y", "yes"}:
        return "yes"
    if low in {"n", "no"}:
        return "no"
    raise BadInput(f"{text}: must be yes or no")
