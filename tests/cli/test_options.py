"""An option is declared once with what it sets, and once as a command spells it."""

from typing import Any

import pytest
import typer.main

from autotune.base.errors import BadInput
from autotune.cli.app import app
from autotune.cli.options import SETTINGS, Options
from autotune.config.load import find_profile

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
}


def test_every_option_that_sets_something_can_be_typed_and_has_help() -> None:
    command: Any = typer.main.get_command(app)
    spelled = {
        p.name: p
        for sub in ("inspect", "probe", "run", "eval")
        for p in command.commands[sub].params
    }
    for name in SETTINGS:
        assert f"--{name.replace('_', '-')}" in spelled[name].opts
        assert spelled[name].help


@pytest.mark.parametrize("name", WRONG)
def test_a_value_against_its_rule_is_one_line_that_says_the_rule(name: str) -> None:
    with pytest.raises(BadInput) as fault:
        Options.of({name: WRONG[name]}).adjust(find_profile("cpu-smoke"))
    line = str(fault.value)
    assert line.startswith(f"--{name.replace('_', '-')} {WRONG[name]}: must be ")
    assert "\n" not in line and "{" not in line


def test_a_rule_stands_beside_every_option_that_can_be_wrong() -> None:
    free = {"model", "data", "prompts", "holdout", "full"}  # any text, or a switch
    assert set(WRONG) == set(SETTINGS) - free


def test_what_an_option_sets_is_there_in_a_profile() -> None:
    tree = find_profile("cpu-smoke").model_dump(by_alias=True)
    for name, setting in SETTINGS.items():
        if setting.place is None:
            assert name in ("model_max_length", "max_rounds")  # of every strategy
        else:
            table, key = setting.place
            assert key in tree[table], name
