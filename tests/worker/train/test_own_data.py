"""A whole toy run in which one strategy trains on other conversations than the run."""

import json
from pathlib import Path
from typing import Any

import pytest

from autotune.base.errors import ExitCode
from autotune.cli.main import run
from autotune.sources.cache import CACHE_VARIABLE
from autotune.sources.digest import sha256_of
from tests.faults.toyrun import write_inputs

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures("forked_workers")]

COMMAND = ["run", "--profile", "faults.toml", "--target", "1.0", "--run-dir", "run"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The smallest run's files; B trains on three of its own conversations, of another format."""
    write_inputs(tmp_path)
    rows = [
        {"instruction": f"name {word}", "output": word} for word in ("oak", "elm", "ash", "fir")
    ]
    more = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "more.jsonl").write_text(more, encoding="utf-8")
    profile = tmp_path / "faults.toml"
    text = profile.read_text(encoding="utf-8")
    own = 'name = "B"\ndata = "more.jsonl"\nmax_conversations = 3\n'
    for there, instead in (
        ('name = "B"\n', own),
        ("average_checkpoints = 2", "average_checkpoints = 0"),
        ("num_train_epochs = 2", "num_train_epochs = 1"),
        ("[0.5, 1.0]", "[1.0]"),
        ("0.0001", "1000"),
        ('limit = "all"', "limit = 2"),
    ):
        assert there in text
        text = text.replace(there, instead)
    profile.write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path


def test_a_strategy_trains_on_its_own_data_and_the_run_goes_on_only_with_that(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(COMMAND) == ExitCode.BELOW_TARGET
    lines = (project / "run" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events: list[dict[str, Any]] = [json.loads(line)["event"] for line in lines]
    (content,) = (e for e in events if e["kind"] == "content")
    more = sha256_of(project / "more.jsonl")
    assert content["own_data"] == {"B": {"more.jsonl": more}}
    plans = [e["plan"] for e in events if e["kind"] == "trial_started"]
    used = [(p["strategy"], p["conversations"], Path(p["data"]["path"]).name) for p in plans]
    assert used == [("A", 4, "chats.jsonl"), ("B", 3, "more.jsonl")]
    assert [e["steps"] for e in events if e["kind"] == "trained"] == [2, 2]
    found = [(e["strategies"], e["conversations"]) for e in events if e["kind"] == "surveyed"]
    assert found == [([], 4), (["B"], 3)]
    assert (project / "run" / f"survey-{more[:16]}-3.json").is_file()
    capsys.readouterr()
    assert run(COMMAND) == ExitCode.BELOW_TARGET, "the same data goes on"
    (project / "more.jsonl").write_text('{"instruction": "a", "output": "b"}\n', encoding="utf-8")
    capsys.readouterr()
    assert run(COMMAND) == ExitCode.BAD_INPUT
    said = "smolsft-autotune: data of strategy B: more.jsonl has changed since this run began"
    assert said in capsys.readouterr().err
