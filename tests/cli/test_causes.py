"""What ended a command is what the person reads first; what failed after it is a second line."""

from pathlib import Path

import pytest

from autotune.base.errors import EnvironmentFault, ExitCode
from autotune.cli import app
from autotune.cli import run as work
from autotune.cli.main import run
from autotune.cli.run import reported
from autotune.run.folder import RunDir
from autotune.run.session import Session
from tests import records
from tests.fakes.runner import FakeRunner
from tests.played import Workers

FULL = "run/events.jsonl: cannot be written (No space left on device); free disk space"


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A run whose report cannot be written: a folder has its name."""
    (tmp_path / "report.json").mkdir()
    session = Session(RunDir(tmp_path), FakeRunner(Workers()))
    session.emit(records.run_started())
    return session


def test_a_report_that_cannot_be_written_does_not_hide_what_ended_the_run(
    session: Session, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_that_fails(*_: object, **__: object) -> int:
        with reported(session):
            raise EnvironmentFault(FULL)

    monkeypatch.setattr(app, "app", run_that_fails)
    assert run(["run"]) == ExitCode.ENVIRONMENT
    first, second = capsys.readouterr().err.splitlines()
    assert first == f"smolsft-autotune: {FULL}"
    assert second.startswith(f"and then: {session.rundir.root / 'report.json'}: cannot be written")


def test_ctrl_c_stays_ctrl_c_where_the_report_cannot_be_written(session: Session) -> None:
    with pytest.raises(KeyboardInterrupt), reported(session):
        raise KeyboardInterrupt


def test_ctrl_c_leaves_a_report_where_it_cannot_be_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(RunDir(tmp_path), FakeRunner(Workers()))
    session.emit(records.run_started())

    def full(*_: object) -> None:
        raise EnvironmentFault(FULL)

    monkeypatch.setattr(session.rundir, "append", full)
    with pytest.raises(KeyboardInterrupt), reported(session):
        raise KeyboardInterrupt
    assert (tmp_path / "report.json").is_file()


def test_a_report_that_cannot_be_written_is_the_cause_where_nothing_else_is(
    session: Session,
) -> None:
    with (
        pytest.raises(EnvironmentFault, match=r"report\.json: cannot be written"),
        reported(session),
    ):
        pass


def test_an_interrupt_that_cannot_be_recorded_still_leaves_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(RunDir(tmp_path), FakeRunner(Workers()))
    session.emit(records.run_started())

    def full(_: Session) -> None:
        raise EnvironmentFault(FULL)

    monkeypatch.setattr(work, "emit_interrupt", full)
    with pytest.raises(KeyboardInterrupt), reported(session):
        raise KeyboardInterrupt
    assert (tmp_path / "report.json").is_file()
