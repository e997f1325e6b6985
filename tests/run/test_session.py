"""A session: what is noted is on record, in the state and on the screen, in that order."""

from pathlib import Path

from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.run.folder import RunDir
from autotune.run.session import Session
from autotune.run.state import replay
from tests import records, setups
from tests.fakes.runner import FakeRunner
from tests.played import BASE, EACH, Memory


class Screen:
    """Keeps what it was shown, and whether it was on record by then."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shown: list[tuple[Record, bool]] = []

    def on_record(self, record: Record) -> None:
        self.shown.append((record, record in RunDir(self.folder).records()))


def test_what_is_shown_is_on_record_first_but_for_what_only_the_moment_needs(
    tmp_path: Path,
) -> None:
    screen = Screen(tmp_path)
    session = Session(
        RunDir(tmp_path), FakeRunner(Memory(BASE, EACH)), clock=lambda: 7.0, view=screen
    )
    answered = events.Answered(done=1, total=8, new_tokens=9, seconds=1.0)
    told = (records.run_started(), events.Phase(name="forward"), answered)
    for event in told:
        session.emit(event)
    assert [record.event for record, _ in screen.shown] == list(told)
    assert [on_record for _, on_record in screen.shown] == [True, False, False]
    assert session.state.phase == "forward"
    assert session.state.answered == answered


def test_a_session_on_a_folder_with_a_record_begins_where_it_ended(tmp_path: Path) -> None:
    story = records.training()
    for record in story:
        RunDir(tmp_path).append(record.event, record.time)
    session, _ = setups.session(tmp_path, Memory(BASE, EACH))
    assert session.state == replay(story)
    assert session.state.current is not None
