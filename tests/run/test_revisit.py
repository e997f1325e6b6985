"""The command of a run that is over, given again: a look leaves no trace, work does."""

from pathlib import Path

import pytest

from autotune.protocol import events
from autotune.protocol.events import Record, RunEvent
from autotune.report.build import report_of
from autotune.run.folder import RunDir
from autotune.run.session import Session
from autotune.run.state import replay
from tests import records as book
from tests.fakes.runner import FakeRunner
from tests.played import BASE, EACH, Memory

LATER = book.START + 1e6
OVER = book.story()[-1].event
KNOWN = events.Fitted(fit=book.fit(), reused=True, note="nothing changed since")
INTERRUPTED = events.Notice(about="interrupted", sentence="interrupted: the same command resumes")


def begun(**changes: object) -> events.RunStarted:
    return book.run_started(resumed=True, budget_bytes=5, **changes)


class Shown:
    def __init__(self) -> None:
        self.events: list[RunEvent] = []

    def on_record(self, record: Record) -> None:
        self.events.append(record.event)


def folder_of(story: list[Record], path: Path) -> RunDir:
    rundir = RunDir(path)
    for record in story:
        rundir.append(record.event, record.time)
    return rundir


def look(rundir: RunDir, *told: RunEvent) -> tuple[Session, Shown]:
    shown = Shown()
    session = Session(rundir, FakeRunner(Memory(BASE, EACH)), clock=lambda: LATER, view=shown)
    for event in told:
        session.emit(event)
    return session, shown


@pytest.mark.parametrize("more", [(KNOWN, OVER), (KNOWN,), (KNOWN, INTERRUPTED), ()])
def test_a_look_at_a_run_that_is_over_is_shown_and_not_recorded(
    tmp_path: Path, more: tuple[RunEvent, ...]
) -> None:
    rundir = folder_of(book.story(), tmp_path)
    before = rundir.events.read_bytes()
    report = report_of(look(rundir)[0].history, tmp_path)
    session, shown = look(rundir, begun(), *more)
    assert shown.events == [begun(), *more]
    assert rundir.events.read_bytes() == before
    if OVER in more:
        assert report_of(session.history, tmp_path) == report.model_copy(update={"budget_bytes": 5})
        assert session.state.ended == OVER


def test_a_look_at_a_probe_that_is_over_is_not_recorded(tmp_path: Path) -> None:
    start = book.run_started(target=0.0)
    story = [Record(time=book.START, event=start), *book.until(book.story(), events.Fitted)[1:]]
    rundir = folder_of(story, tmp_path)
    before = rundir.events.read_bytes()
    look(rundir, begun(target=0.0), KNOWN)
    assert rundir.events.read_bytes() == before


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (begun(target=0.5), (KNOWN, OVER)),
        (
            begun(),
            (KNOWN.model_copy(update={"fit": book.fit().model_copy(update={"max_rounds": 9})}),),
        ),
        (begun(), (KNOWN, events.Warned(message="weights are gone"), OVER)),
        (begun(), (KNOWN, events.RunEnded(met=False, reason="every strategy tried"))),
    ],
    ids=["another target", "another fit", "a warning", "another end"],
)
def test_what_is_new_is_recorded_with_all_that_led_to_it(
    tmp_path: Path, start: events.RunStarted, more: tuple[RunEvent, ...]
) -> None:
    rundir = folder_of(book.story(), tmp_path)
    session, _ = look(rundir, start, *more)
    found = list(rundir.records())
    assert [r.event for r in found[len(book.story()) :]] == [start, *more]
    assert replay(found) == session.state


def test_a_run_that_goes_on_with_its_work_is_recorded_from_its_first_word(tmp_path: Path) -> None:
    rundir = folder_of(book.training(), tmp_path)
    look(rundir, begun(), KNOWN)
    assert [r.event for r in rundir.records()][-2:] == [begun(), KNOWN]
