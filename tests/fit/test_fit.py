"""A fit that is known: taken as it is, checked with one trial, or probed again, and why."""

from dataclasses import replace
from pathlib import Path

import pytest

from autotune.fit.fit import fitted
from autotune.protocol import events
from autotune.protocol.failure import Failure
from autotune.protocol.results import Fit
from autotune.run.folder import RunDir
from autotune.run.setup import Setup
from tests import setups
from tests.played import BASE, EACH, Memory, fitting

DATA = setups.survey([300, 300])
NOW = {"device": "GPU-1", "driver": "551.61", "torch": "2.13.0", "data": "abc", "settings": "s"}


def asked(
    folder: Path, memory: Memory, fingerprint: dict[str, str], limit: int = fitting(330)
) -> tuple[Fit, events.Fitted | None, int]:
    """The fit, the event that tells of it, and how many trials it took."""
    folder.mkdir(exist_ok=True)
    session, memory.runner = setups.session(folder, memory)
    before = len(memory.points)
    setup: Setup = replace(
        setups.setup(setups.profile(max_length=1024), limit), fingerprint=fingerprint
    )
    told = len(list(RunDir(folder).records()))
    fit = fitted(session, setup, DATA)
    new = [r.event for r in list(RunDir(folder).records())[told:]]
    event = next((e for e in new if isinstance(e, events.Fitted)), None)
    return fit, event, len(memory.points) - before


def test_nothing_changed_nothing_is_tried(tmp_path: Path) -> None:
    memory = Memory(BASE, EACH)
    first, _, trials = asked(tmp_path / "a", memory, NOW)
    assert trials > 1
    again, event, trials = asked(tmp_path / "a", memory, NOW)
    assert (again, trials) == (first, 0)
    assert event is not None
    assert event.note == "nothing that it depends on changed since it was found"


def test_a_run_beside_takes_over_the_answer_and_names_where_it_is_from(tmp_path: Path) -> None:
    memory = Memory(BASE, EACH)
    first, _, _ = asked(tmp_path / "a", memory, NOW)
    other, event, trials = asked(tmp_path / "b", memory, NOW)
    assert trials == 0
    assert other == first
    assert event is not None
    assert event.reused
    assert event.note == "nothing that it depends on changed since it was found (from a)"
    assert RunDir(tmp_path / "b").read_fit() == first


def test_another_driver_is_checked_with_one_trial_of_the_highest_peak(tmp_path: Path) -> None:
    memory = Memory(BASE, EACH)
    first, _, _ = asked(tmp_path / "a", memory, NOW)
    newer = NOW | {"driver": "560.94"}
    fit, event, trials = asked(tmp_path / "a", memory, newer)
    assert trials == 1
    assert memory.points[-1].row_tokens == 320
    assert (fit.model_max_length, fit.fingerprint) == (first.model_max_length, newer)
    assert event is not None
    assert event.note == "checked again with one trial: changed since: driver 551.61 -> 560.94"
    # Once checked it holds without another trial.
    assert asked(tmp_path / "a", memory, newer)[2] == 0


def test_what_does_not_hold_with_another_driver_is_probed_again(tmp_path: Path) -> None:
    memory = Memory(BASE, EACH)
    _, _, trials = asked(tmp_path / "a", memory, NOW)
    refused: setups.Played = ([], setups.failed(Failure.OUT_OF_MEMORY, "out of memory"))
    memory.answers[trials] = refused
    _, event, more = asked(tmp_path / "a", memory, NOW | {"driver": "560.94"})
    assert more > 1
    assert event is not None
    assert not event.reused
    assert "does not hold any more" in event.note
    assert "driver 551.61 -> 560.94" in event.note


@pytest.mark.parametrize("name", ["device", "data", "settings"])
def test_another_question_is_probed_again_and_the_change_is_named(
    tmp_path: Path, name: str
) -> None:
    memory = Memory(BASE, EACH)
    asked(tmp_path / "a", memory, NOW)
    _, event, trials = asked(tmp_path / "a", memory, NOW | {name: "other"})
    assert trials > 1
    assert event is not None
    assert event.note == f"probed again: changed since the last probe: {name} {NOW[name]} -> other"


def test_a_peak_above_what_is_free_now_is_probed_again(tmp_path: Path) -> None:
    memory = Memory(BASE, EACH)
    asked(tmp_path / "a", memory, NOW)
    fit, event, trials = asked(tmp_path / "a", memory, NOW, fitting(200))
    assert trials > 1
    assert fit.model_max_length == 192
    assert event is not None
    assert event.note == (
        "probed again: the last probe's peak of 420 MiB is above the budget of 300 MiB now"
    )


def test_asked_to_probe_again_it_does(tmp_path: Path) -> None:
    memory = Memory(BASE, EACH)
    asked(tmp_path / "a", memory, NOW)
    session, memory.runner = setups.session(tmp_path / "a", memory)
    before = len(memory.points)
    setup = replace(setups.setup(setups.profile(max_length=1024), fitting(330)), fingerprint=NOW)
    fitted(session, setup, DATA, again=True)
    assert len(memory.points) > before + 1


def test_the_file_says_what_each_change_leads_to(tmp_path: Path) -> None:
    fit, _, _ = asked(tmp_path / "a", Memory(BASE, EACH), NOW)
    assert fit.expiry == {
        "device": "probed again",
        "driver": "checked again with one trial",
        "torch": "checked again with one trial",
        "data": "probed again",
        "settings": "probed again",
    }
