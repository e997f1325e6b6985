"""Optuna behind ask and tell: exact values first, other values after, one line when it breaks."""

from pathlib import Path

import pytest

from autotune.errors import EnvironmentFault, ExitCode
from autotune.sampling import Sampler
from autotune.study import StudyState
from tests import setups

SEARCHED = setups.strategy(
    "A", n_trials=4, search={"learning_rate": (1e-5, 1e-2), "weight_decay": (0.0, 0.1)}
)


def asked(folder: Path, seed: int, trials: int) -> list[dict[str, float]]:
    """The values of so many trials, each asked for by a process of its own and told 0.1."""
    folder.mkdir(exist_ok=True)
    values = []
    for count in range(trials):
        sampler = Sampler(folder / "study.db", seed)
        number, parameters = sampler.ask(SEARCHED, first=count == 0)
        sampler.tell("A", number, 0.1)
        values.append(parameters)
    return values


def test_the_first_trial_is_exact_and_the_others_follow_from_the_seed(tmp_path: Path) -> None:
    first, *others = asked(tmp_path / "a", seed=42, trials=3)
    assert first == {"learning_rate": 1e-3, "weight_decay": 0.0}
    rates = [values["learning_rate"] for values in others]
    assert len({1e-3, *rates}) == 3
    assert all(1e-5 <= rate <= 1e-2 for rate in rates)
    assert all(0.0 <= values["weight_decay"] <= 0.1 for values in others)
    assert asked(tmp_path / "b", seed=42, trials=2) == [first, others[0]]
    assert asked(tmp_path / "c", seed=7, trials=2) != [first, others[0]]


def test_telling_twice_changes_nothing(tmp_path: Path) -> None:
    sampler = Sampler(tmp_path / "study.db", 42)
    number, _ = sampler.ask(SEARCHED, first=True)
    sampler.tell("A", number, 0.25)
    sampler.tell("A", number, None)
    sampler.tell("A", number, 0.5)


def test_a_damaged_database_is_one_line_that_names_its_copy(tmp_path: Path) -> None:
    database = tmp_path / "study.db"
    Sampler(database, 42).ask(SEARCHED, first=True)
    database.write_bytes(b"not a database" * 100)
    sampler = Sampler(database, 42)
    for use in (
        lambda: sampler.ask(SEARCHED, first=True),
        lambda: sampler.tell("A", 0, 0.1),
        lambda: sampler.settle(StudyState()),
    ):
        with pytest.raises(EnvironmentFault, match=r"study\.db: cannot be used") as fault:
            use()
        assert fault.value.exit_code == ExitCode.ENVIRONMENT
        assert "study.db.bak" in str(fault.value)
        assert "\n" not in str(fault.value)


def test_the_copy_beside_a_damaged_database_can_take_its_place(tmp_path: Path) -> None:
    database = tmp_path / "study.db"
    sampler = Sampler(database, 42)
    number, _ = sampler.ask(SEARCHED, first=True)
    database.write_bytes(b"")
    database.with_suffix(".db.bak").replace(database)
    Sampler(database, 42).tell("A", number, 0.1)


def test_a_database_on_a_full_disk_is_one_line_and_loads_afterwards(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="Windows has no limit on a file's size")
    database = tmp_path / "study.db"
    sampler = Sampler(database, 42)
    sampler.ask(SEARCHED, first=True)
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (database.stat().st_size, old[1]))
    try:
        with pytest.raises(EnvironmentFault, match=r"study\.db: cannot be used") as fault:
            for _ in range(300):
                sampler.ask(SEARCHED, first=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert "\n" not in str(fault.value)
    number, _ = Sampler(database, 42).ask(SEARCHED, first=False)
    Sampler(database, 42).tell("A", number, 0.5)


def test_no_database_yet_is_nothing_to_settle(tmp_path: Path) -> None:
    Sampler(tmp_path / "study.db", 42).settle(StudyState())
    assert list(tmp_path.iterdir()) == []
