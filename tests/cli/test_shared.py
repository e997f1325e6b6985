"""What a person reads who mistypes something about a study of many cards: a line, an exit code."""

import os
import shlex
from pathlib import Path

import pytest

from autotune.cli.main import run
from autotune.cli.options import Options
from autotune.cli.shared_options import passed_on, worker_folder
from autotune.config.load import profiles_folder
from autotune.run.folder import RunDir

HERE = "--storage sqlite:///here.db"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMOLSFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PGPASSWORD", raising=False)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("worker", "worker: needs --storage and --study"),
        (f"worker {HERE}", "worker: needs --study"),
        (f"worker {HERE} --study s", "holds no study yet; begin one there"),
        (f"run {HERE} --study ''", "--study : must be a name"),
        (f"run {HERE} --stages soon", "--stages soon: must be wait or overlap"),
        (f"run {HERE} --gpus some", "--gpus some: must be all"),
        ("run --study s", "--study s: needs --storage"),
        ("run --gpus all", "--gpus all: needs --storage"),
        ("run --stages overlap", "--stages overlap: needs --storage"),
        ("run --storage mysql://h/d", "--storage mysql://...: must be PostgreSQL"),
        (f"worker {HERE} --study s --gpus all --run-dir x", "--run-dir: each of --gpus all"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    typed: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(shlex.split(typed)) == 2
    line = capsys.readouterr().err
    assert said in line and line.count("\n") == 1
    assert not (tmp_path / "runs").exists() and not (tmp_path / "here.db").exists()


def test_hosts_that_would_each_practise_on_other_chats_are_refused_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (profiles_folder() / "cpu-smoke.toml").read_text(encoding="utf-8")
    own = text.replace('title = "aggressive"', 'data = "synth"')
    (tmp_path / "mine.toml").write_text(own, encoding="utf-8")
    assert run(shlex.split(f"run {HERE} --profile mine.toml")) == 2
    line = capsys.readouterr().err
    assert 'strategy B: data = "synth" would be other chats on every host' in line
    assert "smolsft-autotune synth" in line and line.count("\n") == 1
    assert not (tmp_path / "runs").exists() and not (tmp_path / "here.db").exists()


def test_a_typed_password_is_said_to_be_visible_and_is_not_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("psycopg", reason="the driver of PostgreSQL is an extra: [postgres]")
    assert run(["worker", "--study", "s", "--storage", "postgresql://me:hidden@127.0.0.1:1/d"]) == 4
    monkeypatch.setenv("PGPASSWORD", os.environ.pop("PGPASSWORD"))  # gone when the test is over
    said = "".join(capsys.readouterr())
    assert "put it into ~/.pgpass" in said and "cannot be reached" in said and "hidden" not in said


def test_what_is_typed_for_all_cards_reaches_the_worker_of_each() -> None:
    typed = Options(data="my chats.jsonl", vram_budget="7GiB")
    assert passed_on(typed) == ["--data", "my chats.jsonl", "--vram-budget", "7GiB"]


def test_a_second_worker_of_a_card_gets_a_folder_of_its_own() -> None:
    first = worker_folder("monday", "a host", "cpu")
    assert first == Path("runs/monday-a-host-cpu")
    with RunDir(first):
        assert worker_folder("monday", "a host", "cpu") == Path("runs/monday-a-host-cpu-2")
    assert worker_folder("monday", "a host", "cpu") == first
