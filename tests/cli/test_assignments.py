"""`--set` changes one setting by its name, and two options are limits for all of them."""

from typing import Any

import pytest

from autotune.base.errors import BadInput
from autotune.cli.options import Options
from autotune.config.load import find_profile
from autotune.config.profile import Profile

CARD = "rtx4060-laptop-8gb"


def chosen(*changes: str, profile: str = CARD, **typed: Any) -> Profile:
    """A profile with what was typed."""
    return Options(changes=list(changes) or None, **typed).adjust(find_profile(profile))


@pytest.mark.parametrize(
    ("typed", "place", "value"),
    [
        ("A.model_max_length=1280", ("strategies", 0, "model_max_length"), 1280),
        ("a.model_max_length=fits", ("strategies", 0, "model_max_length"), "fits"),
        ("strategy.B.max_rounds = all", ("strategies", 1, "max_rounds"), "all"),
        (
            "B.search.warmup_ratio=[0.1, 0.3]",
            ("strategies", 1, "search", "warmup_ratio"),
            (0.1, 0.3),
        ),
        ("train.seed=7", ("train", "seed"), 7),
        ("evaluate.require.min_stop=0.8", ("evaluate", "require", "min_stop"), 0.8),
        ("machine.reserve=1GiB", ("machine", "reserve"), "1GiB"),
        ('machine.reserve="1GiB"', ("machine", "reserve"), "1GiB"),
        ("data.source=C:\\chats\\a b.jsonl", ("data", "source"), "C:\\chats\\a b.jsonl"),
        ("data.source=1\nformat=2", ("data", "source"), "1\nformat=2"),
        ("machine.capability=", ("machine", "capability"), None),
    ],
)
def test_a_setting_is_changed_by_its_name(typed: str, place: tuple[Any, ...], value: Any) -> None:
    found: Any = chosen(typed)
    for part in place:
        known = isinstance(found, dict | tuple)
        found = found[part] if known else getattr(found, part)
    assert found == value


def test_of_two_values_for_a_setting_the_later_one_holds_and_the_name_goes_before_an_option() -> (
    None
):
    found = chosen("train.seed=7", "train.seed=9", seed=3)
    assert found.train.seed == 9
    assert chosen(seed=3).train.seed == 3


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        (["A.learnin_rate=1"], "--set A.learnin_rate=1: no such key; did you mean learning_rate?"),
        (["trian.seed=7"], "--set trian.seed=7: no strategy or table trian; did you mean train?"),
        (
            ["E.seed=7"],
            "--set E.seed=7: no strategy or table E; known are A, B, C, D, minimum, ma",
        ),
        (["seed=7"], "--set seed=7: must be STRATEGY.key=value or table.key=value, such as A.mod"),
        (["train.seed"], "--set train.seed: must be STRATEGY.key=value or table.key=value"),
        (["train.seed=-1"], "--set train.seed=-1: must be greater than or equal to 0"),
        (["train.seed=seven"], "--set train.seed=seven: must be a valid integer"),
        (["A.model_max_length=long"], "--set A.model_max_length=long: must be"),
        (["train.seed="], "--set train.seed=: is missing; add it"),
        (["train.seed.x=1"], "--set train.seed.x=1: seed is no table, so it has no key x"),
        (
            ["train.checkpoint_fractions.0=0.5"],
            "--set train.checkpoint_fractions.0=0.5: checkpoint_fractions is no table, so it has n",
        ),
        (
            ["A.search.learning_rate.low=1e-4"],
            "--set A.search.learning_rate.low=1e-4: learning_rate is no table, so it has no key lo",
        ),
        (["train.checkpoint_fractions=[0.8"], "the value is no TOML"),
        (["probe.max_length=64"], "--set probe.max_length=64: must be at least min_length, 128"),
        (["B.name=A"], '--set B.name=A: strategy: "A" is there twice: names must differ'),
        (
            ["train.seed=-1", "A.batch_size=0"],
            "--set train.seed=-1: must be greater than or equal to 0; and --set A.batch_size=0: mu",
        ),
    ],
)
def test_what_is_wrong_with_a_change_is_one_line(typed: list[str], line: str) -> None:
    with pytest.raises(BadInput) as fault:
        chosen(*typed)
    assert line in str(fault.value)
    assert "\n" not in str(fault.value)


def test_a_limit_on_rounds_holds_for_what_is_searched() -> None:
    found = chosen(max_rounds="5", model_max_length=512).study.search
    assert found is not None
    assert found.space["max_rounds"] == (2, 4, 5)
    assert found.model_max_length == "fits"
    typed = chosen("study.search.model_max_length=1024", model_max_length=512).study.search
    assert typed is not None and typed.model_max_length == 512


def lengths(profile: Profile) -> dict[str, Any]:
    """What each strategy asks for."""
    return {s.name: s.model_max_length for s in profile.strategies}


def test_no_strategy_gets_longer_by_a_limit_and_none_passes_it() -> None:
    assert lengths(chosen()) == {"A": 1024, "B": 768, "C": "fits", "D": "fits", "minimum": 512}
    limited = chosen(model_max_length=640, max_rounds="5")
    assert lengths(limited) == {"A": 640, "B": 640, "C": "fits", "D": "fits", "minimum": 512}
    assert limited.probe.max_length == 640  # what `fits` can come to
    assert [s.max_rounds for s in limited.strategies] == [5, 5, 5, 5, 4]
    assert limited.probe.max_rounds == 5
    short = chosen(model_max_length=64).probe
    assert (short.min_length, short.max_length) == (64, 64)


def test_a_limit_above_everything_changes_nothing() -> None:
    assert chosen(model_max_length=8192, max_rounds="all") == chosen()


def test_a_limit_holds_for_what_a_change_asks_for_too() -> None:
    found = chosen("A.model_max_length=1280", "A.max_rounds=fits", model_max_length=896)
    assert lengths(found)["A"] == 896
    assert found.strategies[0].max_rounds == "fits"


def test_the_strategies_of_a_run_are_tried_in_the_order_that_is_typed() -> None:
    found = chosen(strategies="C, A", trials_per_strategy=2, max_hours=3, stop_at_target=False)
    assert [(s.name, s.n_trials) for s in found.tried] == [("C", 2), ("A", 2)]
    assert [s.name for s in found.strategies] == ["A", "B", "C", "D", "minimum"]
    assert (found.study.max_hours, found.study.stop_at_target) == (3, False)
    assert [s.name for s in chosen().tried] == ["A", "B", "C", "D", "minimum"]


@pytest.mark.parametrize("typed", ["A,X", "A,A", "", "A,,B"])
def test_only_strategies_that_there_are_can_be_tried_each_once(typed: str) -> None:
    with pytest.raises(BadInput, match=r"--strategies .*: must be names of strategies"):
        chosen(strategies=typed, max_hours=3)
