"""Three processes at one study on PostgreSQL, of which one is killed: real trainings of the toy."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from autotune.config.load import profiles_folder
from autotune.study.shared.address import read_address
from autotune.study.shared.carried import RUN
from autotune.study.shared.settings import STAGES
from autotune.study.shared.shared_study import SharedStudy, make_study
from tests import postgres

pytestmark = [
    pytest.mark.torch,
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="SIGKILL is of POSIX"),
]

TRIALS = 4
LIMIT_SECONDS = 600.0
"""For a machine on which many others compute; a quiet one with two cores takes one."""


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """The toy as small as it can be: loading torch is most of it."""
    text = (profiles_folder() / "cpu-smoke.toml").read_text(encoding="utf-8")
    tree = tomllib.loads(text)
    tree["machine"] |= {"threads": 1}
    tree["probe"] |= {"min_length": 128, "max_length": 128, "speed_trials": 0}
    tree["train"] |= {"checkpoint_fractions": [1.0], "max_conversations": 16}
    tree["evaluate"] |= {"max_new_tokens": 4}
    first = tree["strategy"][0] | {"model_max_length": 128, "n_trials": TRIALS}
    tree["strategy"] = [first | {"search": {"learning_rate": [1e-4, 1e-2]}}]
    path = tmp_path / "toy.toml"
    path.write_text(tomli_w.dumps(tree), encoding="utf-8")
    return path


@contextmanager
def process(
    folder: Path, log: str, *words: str, without: str = ""
) -> Iterator[subprocess.Popen[bytes]]:
    """A command in a group of its own, of which nothing is left behind."""
    environ = {name: value for name, value in os.environ.items() if name != without}
    with (folder / log).open("wb") as out:
        started = subprocess.Popen(
            [sys.executable, "-m", "autotune", *words],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()


def wait_until(found: Callable[[], Any], *processes: subprocess.Popen[bytes]) -> Any:
    """What is found at last, while all processes live."""
    begin = time.monotonic()
    while not (what := found()):
        assert time.monotonic() - begin < LIMIT_SECONDS
        assert all(each.poll() is None for each in processes)
        time.sleep(0.2)
    return what


def test_three_workers_of_which_one_is_killed_end_all_trials_and_begin_its_own_again(
    database: str, profile: Path, tmp_path: Path, say: Callable[[str], None]
) -> None:
    study = make_study(read_address(database), "toy", heartbeat_seconds=2)
    at = ("--storage", database, "--study", "toy", "--run-dir")
    run = ("run", "--profile", str(profile), "--target", "0.9", *at, "coordinator")
    # As somebody types it who does not know better; it is in no other line and in no file.
    typed = [postgres.with_password(word) if word == database else word for word in run]
    with process(tmp_path, "coordinator.log", *typed, without="PGPASSWORD") as coordinator:
        wait_until(lambda: STAGES in study.attributes, coordinator)
        with (
            process(tmp_path, "one.log", "worker", *at, "one") as one,
            process(tmp_path, "two.log", "worker", *at, "two") as two,
        ):
            words = [word for each in (coordinator, one, two) for word in lines_of(each)]
            words = [word for word in words if word not in typed]
            taken = wait_until(lambda: running(study, tmp_path / "one"), coordinator, one, two)
            one.kill()
            assert coordinator.wait(LIMIT_SECONDS) == 1, (tmp_path / "coordinator.log").read_text()
            assert two.wait(LIMIT_SECONDS) == 0, (tmp_path / "two.log").read_text()
    trials = study.trials()
    everything = study.study.get_trials()
    study.close()
    assert [t.state.name for t in trials] == ["COMPLETE"] * TRIALS
    assert {t.state.name for t in everything} == {"COMPLETE", "FAIL"}
    again = [t for t in trials if taken.number in t.system_attrs.get("retry_history", ())]
    assert [t.params for t in again] == [taken.params]
    assert again[0].user_attrs[RUN] != taken.user_attrs[RUN]
    assert all(Path(t.user_attrs["checkpoint"]).is_dir() for t in trials)
    told = json.loads((tmp_path / "coordinator" / "report.json").read_text(encoding="utf-8"))
    assert [t["number"] for t in told["study"]["trials"]] == [t.number for t in trials]
    assert postgres.PASSWORD not in " ".join(words) + text_of(tmp_path)
    first = min(t.datetime_start for t in trials)
    minutes = (max(t.datetime_complete for t in trials) - first).total_seconds() / 60
    say(
        f"three workers, one killed, on {os.cpu_count()} cores: {TRIALS} trials in"
        f" {60 * minutes:.0f} s, {TRIALS / minutes:.1f} a minute"
    )


def running(study: SharedStudy, folder: Path) -> Any | None:
    """The trial that the worker of a folder is at, once its training has begun."""
    if not any(folder.glob("trials/*/job.json")):
        return None
    mine = (t for t in study.trials() if t.user_attrs.get(RUN) == str(folder))
    return next((t for t in mine if t.state.name == "RUNNING"), None)


def lines_of(started: subprocess.Popen[bytes]) -> list[str]:
    """The command lines of a process and of those that it started, as anybody may read them."""
    import psutil

    here = psutil.Process(started.pid)
    return [word for each in (here, *here.children(recursive=True)) for word in each.cmdline()]


def text_of(folder: Path) -> str:
    """Everything that stands in the files below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return "".join(path.read_bytes().decode("utf-8", "replace") for path in files)
