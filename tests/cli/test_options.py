"""An option is declared once, and is there in every command that it is declared for."""

import inspect
import re
import runpy
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
import typer.main

from autotune.base.errors import BadInput
from autotune.base.model import Boundary
from autotune.cli import options as declared
from autotune.cli.app import app
from autotune.cli.options import SETTINGS, Options
from autotune.cli.overrides import _rank
from autotune.cli.parameters import with_options
from autotune.cli.setting import Command, Setting
from autotune.config.load import find_profile
from autotune.config.profile import Profile
from autotune.data.formats import FORMATS
from autotune.score.registry import SCORERS
from autotune.sources.named import DATA, MODELS, PROMPTS

WRONG: dict[str, Any] = {
    "format": "csv",
    "skip_bad": -1,
    "prompt_limit": "some",
    "scorer": "unheard-of",
    "max_conversations": "0",
    "supervision": "both",
    "truncation": "middle",
    "think": "perhaps",
    "max_new_tokens": 0,
    "seed": -1,
    "vram_budget": "much",
    "device": "tpu",
    "precision": "fp8",
    "model_max_length": 1,
    "max_rounds": "none",
    "max_hours": 0.0,
    "max_trials": 0,
    "strategies": "A,X",
    "trials_per_strategy": 0,
    "sampler": "gp",
    "tasks": 0,
    "variants": 0,
    "samples": 0,
    "ask": "rules",
    "max_words": "24",
    "temperature": 0.0,
    "top_p": 1.5,
    "sampled_tokens": 8,
    "most_chats": "0",
    "held_out_kinds": -1,
}


USED_BY_COMMANDS = {
    *("profile", "changes", "explain", "run_dir", "as_json"),
    *("storage", "study", "gpus"),
}
"""Options without a place of their own in a profile: a command does something by them."""


def registered() -> dict[str, Any]:
    """Every command by the words that call it."""
    found: dict[str, Any] = {}
    for name, command in vars(typer.main.get_command(app))["commands"].items():
        below = getattr(command, "commands", None)
        found |= {f"{name} {sub}": c for sub, c in below.items()} if below else {name: command}
    return found


def test_every_option_that_sets_something_can_be_typed_and_has_help() -> None:
    for words, command in registered().items():
        spelled = {p.name: p for p in command.params}
        for name, setting in SETTINGS.items():
            if words in setting.commands:
                assert setting.spelling(name).split("/")[0] in spelled[name].opts
                assert spelled[name].help == setting.help


def test_the_commands_that_options_are_declared_for_are_those_that_there_are() -> None:
    assert set(registered()) == set(get_args(Command))
    for name, setting in SETTINGS.items():
        assert setting.commands, f"no command has {name}"
        assert set(setting.commands) <= set(get_args(Command)), name


def test_an_option_does_something_in_a_profile_or_in_a_command() -> None:
    assert {name for name, setting in SETTINGS.items() if not setting.places} == USED_BY_COMMANDS
    folder = Path(declared.__file__).parent
    code = "".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py")))
    for name in USED_BY_COMMANDS:
        assert re.search(rf"\boptions\.{name}\b", code), name


TYPED: dict[Any, tuple[str, Any]] = {
    str: ("5", "5"),
    int: ("5", 5),
    float: ("5", 5.0),
    Path: ("5", Path("5")),
    list[str]: ("5", ["5"]),
}
"""What is typed for an option of a type, and what arrives; of a switch it is there or not."""


@pytest.mark.parametrize("words", get_args(Command))
def test_every_option_of_a_command_arrives_as_it_was_typed(words: Command) -> None:
    types = {p.name: get_args(p.annotation) for p in _parameters(words)}
    line: list[str] = []
    wanted: dict[str, Any] = {}
    for name, kinds in types.items():
        kind = kinds[0] if kinds else bool
        spelling = SETTINGS[name].spelling(name).split("/")[0]
        line += [spelling] if kind is bool else [spelling, TYPED[kind][0]]
        wanted[name] = True if kind is bool else TYPED[kind][1]
    seen: list[Options] = []

    def look(options: Options) -> int:
        seen.append(options)
        return 0

    small = typer.Typer(add_completion=False)
    small.command()(with_options(words, look))
    small(line, standalone_mode=False)
    assert seen == [Options(**wanted)]
    small([], standalone_mode=False)
    assert seen[1] == Options()


def _parameters(words: Command) -> list[inspect.Parameter]:
    return list(inspect.signature(with_options(words, lambda options: 0)).parameters.values())


def test_a_commands_own_options_stand_around_the_declared_ones_and_json_last() -> None:
    def own(*, before: int = 1, options: Options, after: int = 2) -> int:
        return 0

    names = list(inspect.signature(with_options("demo", own)).parameters)
    assert names == ["before", "run_dir", "after", "as_json"]


def test_an_option_that_is_not_declared_is_none() -> None:
    with pytest.raises(TypeError, match="batch_size"):
        Options.of({"batch_size": 4})


def test_a_row_of_a_table_is_all_that_a_format_a_source_or_a_scorer_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(FORMATS, "rows", FORMATS["alpaca"])
    monkeypatch.setitem(MODELS, "tiny", MODELS["toy"])
    monkeypatch.setitem(DATA, "chats", DATA["demo"])
    monkeypatch.setitem(PROMPTS, "gsm8k", PROMPTS["demo"])
    monkeypatch.setitem(SCORERS, "rhymes", SCORERS["exact"])
    anew = runpy.run_path(declared.__file__)["SETTINGS"]
    assert anew["format"].help == "messages, conversations, alpaca, prompt_completion or rows."
    assert anew["format"].must.endswith("prompt_completion or rows")
    assert anew["model"].shown == "FOLDER|HUB-ID|demo|toy|tiny"
    assert anew["data"].shown == "FILE|HUB-ID|demo|toy|chats"
    assert anew["prompts"].shown == "FILE|ifeval|demo|toy|gsm8k"
    assert anew["scorer"].shown == "ifeval|exact|rhymes"
    assert anew["scorer"].must == "must be one of exact, ifeval, rhymes"
    assert Options.of({"prompts": "GSM8K"}).prompts == "gsm8k"


@pytest.mark.parametrize("name", WRONG)
def test_a_value_against_its_rule_is_one_line_that_says_the_rule(name: str) -> None:
    with pytest.raises(BadInput) as fault:
        Options.of({name: WRONG[name]}).adjust(find_profile("cpu-smoke"))
    line = str(fault.value)
    assert line.startswith(f"{SETTINGS[name].spelling(name)} {WRONG[name]}: must be ")
    assert "\n" not in line and "{" not in line


def test_a_rule_stands_beside_every_option_that_can_be_wrong() -> None:
    named = {"model", "data", "prompts", "enqueue"}  # any text: what it names is looked for
    switches = {"holdout", "full", "stop_at_target"}
    assert set(WRONG) == set(SETTINGS) - named - switches - USED_BY_COMMANDS


def test_what_an_option_sets_is_there_in_a_profile() -> None:
    tree = find_profile("rtx4060-laptop-8gb").model_dump(by_alias=True)
    for name, setting in SETTINGS.items():
        for place in setting.places:
            if place[:3] != (
                "strategy",
                "*",
                "search",
            ):  # ranges of a strategy's own, if it has any
                assert _is_there(tree, place), name


def _is_there(tree: Any, place: tuple[str, ...]) -> bool:
    """Whether a place is in a profile, of every strategy for a `*`."""
    if not place:
        return True
    first, *rest = place
    below = list(tree) if first == "*" else [tree[first]] if first in tree else []
    return bool(below) and all(_is_there(each, tuple(rest)) for each in below)


def test_an_option_may_set_any_table_of_a_profile() -> None:
    tables = {name for name, field in Profile.model_fields.items() if is_table(field.annotation)}
    assert {"probe", "watch", "machine"} <= tables
    ranks = {
        table: _rank(Setting(commands=("probe",), help="", sets=(f"{table}.key",)))
        for table in tables
    }
    assert ranks["machine"] < ranks["probe"] == ranks["watch"]


def is_table(kind: object) -> bool:
    """Whether a key of a profile holds keys of its own."""
    kinds = get_args(kind) or (kind,)
    return any(isinstance(each, type) and issubclass(each, Boundary) for each in kinds)
