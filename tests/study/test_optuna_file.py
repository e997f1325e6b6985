"""study.db is a copy of the record: whatever becomes of it, it is rebuilt, and that is said."""

import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from autotune.base.errors import EnvironmentFault, ExitCode
from autotune.protocol import events
from autotune.protocol.space import SEARCHABLE
from autotune.run.state import StudyState, replay
from autotune.run.trial_summary import summaries
from autotune.study.optuna_file import StudyFile, is_copy, opened
from autotune.study.optuna_study import STUDY, whole_space
from tests import records, setups

SEARCHED = setups.strategy("A", n_trials=9, search={"learning_rate": (1e-5, 1e-2)})
PROFILE = setups.profile(SEARCHED)


def state(ended: int, running: int = 0) -> StudyState:
    """So many trials that are over, the second without a score, and perhaps one that is not."""
    book = records.Book()
    for number in range(ended + running):
        plan = records.plan("A").model_copy(update={"learning_rate": 1e-3 / (number + 1)})
        book.add(events.TrialStarted(number=number, optuna_number=number, plan=plan), after=1)
        if number < ended:
            passes = None if number == 1 else 1 + 3 * number % 20
            book.add(records.evaluated(number, records.checkpoint(number, 12, 1.0), passes))
            book.add(events.TrialEnded(number=number, best=None))
    return replay(book.records)


def file(path: Path) -> StudyFile:
    return StudyFile(path, PROFILE)


def rows(path: Path) -> list[tuple[str, float, float | None]]:
    """State, learning rate and value of the database's trials."""
    import optuna

    with opened(path) as storage:
        study = optuna.load_study(study_name=STUDY, storage=storage)
        return [(t.state.name, t.params["learning_rate"], t.value) for t in study.get_trials()]


WHOLE = [
    ("COMPLETE", 1e-3, 1 / 24),
    ("FAIL", 1e-3 / 2, None),
    ("RUNNING", 1e-3 / 3, None),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The database of three trials, which SQLite takes a second to make on a slow disk."""
    path = tmp_path_factory.mktemp("made") / "study.db"
    for known in (state(0, 1), state(2, 1)):
        assert file(path).store(known) is None
    return path.read_bytes()


@pytest.fixture
def stored(tmp_path: Path, made: bytes) -> Path:
    """The database of three trials in a folder of its own."""
    path = tmp_path / "study.db"
    path.write_bytes(made)
    return path


def test_it_follows_the_record_trial_by_trial(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    assert file(path).store(StudyState()) is None
    assert not path.exists()
    for known in (state(0, 1), state(1), state(2, 1)):
        assert file(path).store(known) is None
    assert rows(path) == WHOLE
    assert [p.name for p in tmp_path.iterdir()] == ["study.db"]


def remove(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def random_bytes(path: Path) -> None:
    path.write_bytes(bytes(n * n % 251 for n in range(9000)))


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20_000])


def turned_into_a_folder(path: Path) -> None:
    path.unlink()
    (path / "inside").mkdir(parents=True)


def replaced_by_another(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("create table trials (recipe text)")
    connection.close()


def of_another_run(path: Path) -> None:
    other = path.with_name("other.db")
    other_run = state(3)
    other_run.trials[0].plan = records.plan("A").model_copy(update={"learning_rate": 0.25})
    file(other).store(other_run)
    other.replace(path)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (remove, "was gone"),
        (empty, "was empty"),
        (random_bytes, "was damaged (file is not a database)"),
        (torn, "was damaged"),
        (turned_into_a_folder, "was no file"),
        (replaced_by_another, "was damaged"),
        (of_another_run, "held"),
    ],
)
def test_one_that_is_gone_or_damaged_is_made_again_and_that_is_said(
    stored: Path, harm: Callable[[Path], None], said: str
) -> None:
    harm(stored)
    recorded = file(stored).store(state(2, 1))
    assert recorded is not None
    assert recorded.startswith(f"study.db {said}")
    assert "rebuilt from the record" in recorded
    assert rows(stored) == WHOLE
    aside = stored.with_name("study.db.damaged-1")
    assert aside.exists() is (harm not in (remove, empty))
    assert file(stored).store(state(2, 1)) is None


@pytest.mark.parametrize("ending", ["-journal", "-wal", "-shm"])
def test_leftovers_of_a_writer_do_no_harm(stored: Path, ending: str) -> None:
    leftover = stored.with_name(stored.name + ending)
    leftover.write_bytes(bytes(range(256)) * 40)
    file(stored).store(state(3))
    assert [name for name, _, _ in rows(stored)] == ["COMPLETE", "FAIL", "COMPLETE"]
    stored.unlink()
    leftover.write_bytes(bytes(range(256)) * 40)
    file(stored).store(state(3))
    assert [name for name, _, _ in rows(stored)] == ["COMPLETE", "FAIL", "COMPLETE"]


def test_one_that_another_program_holds_is_passed_over_and_caught_up_later(
    stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autotune.study.optuna_file.LOCK_SECONDS", 0.05)
    holder = sqlite3.connect(stored)
    try:
        holder.execute("begin exclusive")
        recorded = file(stored).store(state(3))
        assert recorded is not None
        assert recorded.startswith("study.db: locked by another program")
    finally:
        holder.close()
    assert file(stored).store(state(4)) is None
    assert len(rows(stored)) == 4


@pytest.mark.parametrize("name", ["a{b}{", "50%20", "a?b=c", "x#y 'ü☃"])
def test_a_folder_may_have_any_name_and_two_runs_never_share_a_database(
    tmp_path: Path, name: str
) -> None:
    if any(letter in '<>:"/\\|?*' for letter in name):
        pytest.importorskip("resource", reason="no such name on Windows")
    folder = tmp_path / name
    folder.mkdir()
    assert file(folder / "study.db").store(state(0, 1)) is None
    assert [p.name for p in folder.iterdir()] == ["study.db"]
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert len(rows(folder / "study.db")) == 1


def test_a_full_disk_is_one_line_and_the_next_start_catches_up(stored: Path) -> None:
    resource = pytest.importorskip("resource", reason="Windows has no limit on a file's size")
    path = stored
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, old[1]))
    try:
        with pytest.raises(EnvironmentFault, match=r"study\.db: cannot be used") as fault:
            file(path).store(state(40))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert fault.value.exit_code == ExitCode.ENVIRONMENT
    assert "\n" not in str(fault.value)
    assert file(path).store(state(40)) is None
    assert len(rows(path)) == 40


def test_what_an_earlier_version_asked_for_and_did_not_record_is_not_kept(stored: Path) -> None:
    import optuna

    with opened(stored) as storage:
        optuna.load_study(study_name=STUDY, storage=storage).ask()
    recorded = file(stored).store(state(2, 1))
    assert recorded is not None
    assert recorded.startswith("study.db held more trials than the record")
    assert rows(stored) == WHOLE


def test_one_that_is_a_copy_is_known_without_loading_optuna(
    stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, longer = state(2, 1), state(3)
    other = state(2, 1)
    other.trials[1].plan = other.trials[0].plan
    monkeypatch.setitem(sys.modules, "optuna", None)

    def known(recorded: StudyState) -> bool:
        trials = summaries(recorded)
        return is_copy(stored, trials, whole_space(PROFILE, trials))

    assert known(whole)
    assert file(stored).store(whole) is None
    assert not known(longer)
    assert not known(other)


def test_optunas_own_tools_see_one_study_whose_best_trial_is_the_records(tmp_path: Path) -> None:
    import optuna

    path, recorded = tmp_path / "study.db", state(3)
    for known in (state(0, 1), recorded):
        assert file(path).store(known) is None
    with opened(path) as storage:
        study = optuna.load_study(study_name=STUDY, storage=storage)
        best = study.best_trial
        assert optuna.get_all_study_names(storage) == [STUDY]
    assert recorded.best is not None
    assert (best.number, best.value) == (recorded.best.number, recorded.best.value)
    assert set(best.params) == set(SEARCHABLE)
    assert best.intermediate_values == {100: best.value}
    said = best.user_attrs
    assert (said["strategy"], said["passes"], said["n"]) == ("A", 7, 24)
    assert said["checkpoint"] == "step-000012"


def test_a_running_trial_shows_what_its_checkpoints_count_for(tmp_path: Path) -> None:
    import optuna

    path = tmp_path / "study.db"
    recorded = state(0, 1)
    assert file(path).store(recorded) is None
    scored = records.evaluated(0, records.checkpoint(0, 10, 0.8), 6)
    recorded.trials[0].evaluations[scored.checkpoint.place] = scored
    assert file(path).store(recorded) is None
    with opened(path) as storage:
        (trial,) = optuna.load_study(study_name=STUDY, storage=storage).get_trials()
    assert (trial.state.name, trial.intermediate_values) == ("RUNNING", {80: 0.25})
