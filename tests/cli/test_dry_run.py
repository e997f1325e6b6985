"""`run --dry-run`: it says what it measures, and what makes the figures worse than they are."""

import json
from pathlib import Path
from typing import Any

import psutil
import pytest

from autotune.base.errors import ExitCode, NothingFits
from autotune.cli import dry_run, inspect
from autotune.cli.main import run
from autotune.config.load import find_profile
from autotune.config.own_data import is_trained_on, trained_label
from autotune.config.profile import Profile
from autotune.device.cpu import BUSY_LOAD, busy_load
from autotune.run.folder import RunDir
from autotune.run.state import StudyState
from tests import setups


def said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, load: float) -> list[str]:
    """What a plan without a probe says before it measures."""

    def nothing_fits(*_: Any) -> None:
        raise NothingFits("too small")

    monkeypatch.setattr(dry_run, "unmeasured_fit", nothing_fits)
    monkeypatch.setattr(psutil, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 2)
    lines: list[str] = []
    setup, survey = setups.setup(setups.profile(setups.strategy("A"))), setups.survey([100])
    rundir = RunDir(tmp_path / "alone" / "run")  # a plan looks at what lies beside it
    found = dry_run._basis(  # type: ignore[call-arg]
        *(None, setup, survey, rundir, StudyState(), lines.append)  # type: ignore[arg-type]
    )
    assert found.obstacle is not None
    return lines


def test_a_plan_says_what_it_measures_before_it_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (line,) = said(monkeypatch, tmp_path, load=2.0)
    assert line.startswith("2 of 3: what a training step of ")


def test_on_a_busy_computer_a_plan_says_that_its_times_come_out_longer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, line = said(monkeypatch, tmp_path, load=9.0)
    assert line.startswith("other programs are at work here (4.5 for each core)")


def test_a_system_that_does_not_count_its_programs_is_not_called_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused() -> None:
        raise OSError

    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 4)
    monkeypatch.setattr(psutil, "getloadavg", refused)
    assert busy_load() is None
    monkeypatch.setattr(psutil, "getloadavg", lambda: (4 * BUSY_LOAD, 0.0, 0.0))
    assert busy_load() is None
    monkeypatch.setattr(psutil, "getloadavg", lambda: (4 * BUSY_LOAD + 0.1, 0.0, 0.0))
    assert busy_load() == pytest.approx(BUSY_LOAD + 0.025)


def with_data(*sources: str | None) -> Profile:
    return setups.profile(
        *(setups.strategy(name, data=data) for name, data in zip("AB", sources, strict=False))
    )


def test_data_that_no_strategy_trains_on_is_not_named() -> None:
    proof = find_profile("cpu-proof")
    assert not is_trained_on(proof)
    assert trained_label(proof, "toy conversations", []) == "practice data"
    own = with_data("mine.jsonl", "synth")
    assert trained_label(own, "toy", ["mine.jsonl"]) == "mine.jsonl, practice data"
    assert trained_label(with_data("mine.jsonl", None), "toy", ["mine.jsonl"]) == "toy"
    mixed = setups.profile(setups.strategy("A", data="synth", mix=0.5))
    assert trained_label(mixed, "toy", []) == "toy", "half of what it trains on"


def test_a_run_that_practises_records_what_it_trains_on() -> None:
    setup = setups.setup(setups.profile(setups.strategy("A", data="synth")))
    assert setup.started(0.25, resumed=False).data == "practice data"
    plain = setups.setup(setups.profile(setups.strategy("A")))
    assert plain.started(0.25, resumed=False).data == plain.data_label


def test_inspect_looks_at_data_that_no_strategy_trains_on_only_when_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMOLSFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(inspect, "inspect_data", None)  # is not called
    asked = ("--profile", "cpu-proof", "--model", "toy", "--prompts", "toy", "--json")
    assert run(["inspect", *asked]) == ExitCode.DONE
    captured = capsys.readouterr()
    tree = json.loads(captured.out)
    assert (tree["data"], tree["own_data"]) == (None, [])
    assert "toy conversations" not in captured.err
    assert "practice data, which the run makes" in captured.err
