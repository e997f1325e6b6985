"""`init`: four questions, what is typed in place of an answer, and all faults at once."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from autotune.base.errors import ExitCode
from autotune.base.format import quoted
from autotune.cli.main import run
from autotune.config.load import find_profile, list_profiles
from autotune.config.project import PROJECT_FILE, read_project

CHAT = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMOLSFT_CACHE", str(tmp_path / "cache"))


def written() -> dict[str, Any]:
    return tomllib.loads(Path(PROJECT_FILE).read_text(encoding="utf-8"))


def test_init_takes_the_defaults_and_what_was_typed(capsys: pytest.CaptureFixture[str]) -> None:
    typed = ("--model", "demo", "--target", "30%", "--max-hours", "2.5")
    assert run(["init", "--yes", "--profile", "cpu-smollm2", *typed, "--json"]) == ExitCode.DONE
    said = json.loads(capsys.readouterr().out)
    assert (said["model"], said["target"], said["max_hours"]) == ("demo", 0.3, 2.5)
    data = find_profile("cpu-smollm2").data.source
    assert written() == {
        "profile": "cpu-smollm2",
        "target": 0.3,
        "model": {"source": "demo"},
        "data": {"source": data},
        "study": {"max_hours": 2.5},
    }
    assert run(["run", "--explain", "--json"]) == ExitCode.DONE
    rows = json.loads(capsys.readouterr().out)["settings"]
    hours = next(row for row in rows if row["setting"] == "study.max_hours")
    assert (hours["value"], hours["origin"]) == (2.5, PROJECT_FILE)
    assert run(["init", "--yes"]) == ExitCode.BAD_INPUT
    assert "smolsft.toml: is there already" in capsys.readouterr().err
    assert run(["init", "--yes", "--overwrite"]) == ExitCode.DONE
    assert "profile" not in written()  # nobody named one: the machine decides


def test_every_line_that_init_leaves_in_comments_can_be_taken_in() -> None:
    for profile in list_profiles():
        assert run(["init", "--yes", "--overwrite", "--profile", profile.name]) == ExitCode.DONE
        lines = Path(PROJECT_FILE).read_text(encoding="utf-8").splitlines()
        text = "\n".join(re.sub(r"^# (?=\[|\w+ += )", "", line) for line in lines)
        Path(PROJECT_FILE).write_text(text, encoding="utf-8")
        found = read_project(Path())
        assert found is not None and found.profile == profile.name
        assert found.over(profile).train.max_conversations == 1000


class Terminal:
    """A terminal at which somebody types these lines, and then the end of the file."""

    def __init__(self, *lines: str) -> None:
        self.lines = [f"{line}\n" for line in lines]

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        return self.lines.pop(0) if self.lines else ""


def test_init_asks_four_questions_until_each_answer_can_be_used(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("chats.jsonl").write_text(json.dumps(CHAT), encoding="utf-8")
    typed = ("./none", "toy", "gone.jsonl", "chats.jsonl", "25", "", "-1", "3")
    monkeypatch.setattr("sys.stdin", Terminal(*typed))
    assert run(["init", "--profile", "cpu-smoke"]) == ExitCode.DONE
    out = capsys.readouterr().out
    assert "model ./none: no such folder" in out and "data gone.jsonl: no such file" in out
    assert "did you mean 0.25?" in out and "--max-hours -1: must be above 0" in out
    found = written()
    assert (found["model"], found["data"]) == ({"source": "toy"}, {"source": "chats.jsonl"})
    assert (found["target"], found["study"]) == (0.25, {"max_hours": 3})
    before = Path(PROJECT_FILE).read_bytes()
    monkeypatch.setattr("sys.stdin", Terminal("perhaps", ""))
    assert run(["init", "--profile", "cpu-smoke"]) == ExitCode.BAD_INPUT
    monkeypatch.setattr("sys.stdin", Terminal("yes", "toy"))
    assert run(["init", "--profile", "cpu-smoke"]) == ExitCode.INTERRUPTED
    assert Path(PROJECT_FILE).read_bytes() == before


def test_init_without_a_terminal_asks_for_yes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init"]) == ExitCode.BAD_INPUT
    assert "add --yes to take the defaults" in capsys.readouterr().err
    assert not Path(PROJECT_FILE).exists()


def test_all_faults_of_what_was_typed_are_said_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    typed = ("--model", "./none", "--data", "gone.jsonl", "--target", "25", "--max-hours", "-1")
    assert run(["init", "--yes", "--profile", "nope", *typed]) == ExitCode.BAD_INPUT
    first, *faults = capsys.readouterr().err.splitlines()
    assert first == "smolsft-autotune: init: 5 faults"
    for part in (
        "profile nope: no such profile",
        "model ./none: no such folder",
        "data gone.jsonl: no such file",
        "--target 25: must be above 0",
        "--max-hours -1: must be above 0",
    ):
        assert sum(part in fault for fault in faults) == 1, (part, faults)
    assert run(["init", "--yes", "--target", "25"]) == ExitCode.BAD_INPUT
    assert capsys.readouterr().err.startswith("smolsft-autotune: --target 25: must be above 0")
    assert not Path(PROJECT_FILE).exists()


def test_the_faults_of_a_file_that_is_there_are_said_with_those_of_what_was_typed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path(PROJECT_FILE).write_text("target = 30\n[train]\nsede = 1\n", encoding="utf-8")
    assert run(["init", "--yes", "--target", "25"]) == ExitCode.BAD_INPUT
    said = capsys.readouterr().err
    for part in (
        "init: 3 faults",
        "smolsft.toml: is there already",
        "smolsft.toml: 2 faults",
        "target = 30: must be above 0 and at most 1; write 0.3",
        "train.sede: no such key; did you mean seed?",
        "--target 25: must be above 0",
    ):
        assert part in said, (part, said)
    Path(PROJECT_FILE).write_text("target = \n", encoding="utf-8")
    assert run(["init", "--yes", "--overwrite", "--profile", "cpu-smoke"]) == ExitCode.DONE
    assert written()["profile"] == "cpu-smoke"


def test_on_a_terminal_nothing_is_asked_while_what_was_typed_is_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal())
    assert run(["init", "--model", "./none", "--target", "25"]) == ExitCode.BAD_INPUT
    shown = capsys.readouterr()
    assert "init: 2 faults" in shown.err and "Which" not in shown.out


def test_a_fault_is_said_once_and_shows_what_was_typed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "--yes", "--max-hours", "-1"]) == ExitCode.BAD_INPUT
    said = capsys.readouterr().err
    assert said == "smolsft-autotune: --max-hours -1: must be above 0, or none\n"


def test_what_neither_this_machine_nor_the_hub_has_is_said_with_a_way_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autotune.cli.init.hub_is_reachable", lambda: False)
    typed = ["init", "--yes", "--overwrite", "--profile", "cpu-smollm2", "--data", "demo"]
    assert run([*typed, "--model", "somebody/no-such-model"]) == ExitCode.DONE
    *_, away, next_line = capsys.readouterr().out.splitlines()
    assert away.startswith("somebody/no-such-model: not on this machine, and the hub cannot be")
    assert "commands that need it stop" in away and "--model FOLDER, demo or toy" in away
    assert next_line == "next: smolsft-autotune demo"
    assert run([*typed, "--model", "demo"]) == ExitCode.DONE
    assert "hub" not in capsys.readouterr().out
    monkeypatch.setattr("autotune.cli.init.hub_is_reachable", lambda: True)
    assert run([*typed, "--model", "somebody/no-such-model"]) == ExitCode.DONE
    assert "hub" not in capsys.readouterr().out


def test_a_folder_or_a_name_that_is_nearly_right_leads_to_the_file_of_conversations(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("a-package.json").write_text('{"name": "x", "scripts": {}}', encoding="utf-8")
    Path("chats.jsonl").write_text(json.dumps(CHAT), encoding="utf-8")
    for typed, said in ((".", "it, such as chats.jsonl"), ("chat.jsonl", "mean chats.jsonl?")):
        assert run(["init", "--yes", "--data", typed]) == ExitCode.BAD_INPUT
        assert capsys.readouterr().err.rstrip().endswith(said)


def test_no_hours_leave_no_table_of_hours_and_what_the_profile_says_stays(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["init", "--yes", "--profile", "cpu-smoke", "--json"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["max_hours"] is None
    text = Path(PROJECT_FILE).read_text(encoding="utf-8")
    assert "\n# [study]\n# max_hours = 8 " in text and "study" not in written()


def test_a_profile_that_ends_by_hours_takes_no_answer_of_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("toy", "toy", "25%", "none", "12"))
    assert run(["init", "--profile", "nvidia", "--json"]) == ExitCode.DONE
    shown = capsys.readouterr()
    asked = " ".join(shown.err.split())
    assert "How many hours may a run work? [8]:" in asked
    assert (
        "--max-hours none: profile nvidia ends by max_hours, which smolsft.toml can change but not"
        " take away; give a number of hours"
    ) in asked
    assert json.loads(shown.out)["max_hours"] == 12 == written()["study"]["max_hours"]


def test_a_profile_of_a_file_is_written_as_it_was_typed_and_is_found_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["profiles", "new", "mine", "--from", "cpu-smoke"]) == ExitCode.DONE
    Path("a folder").mkdir()
    file = str(Path("mine.toml").rename(Path("a folder") / "mine.toml"))
    capsys.readouterr()
    assert run(["init", "--yes", "--profile", file, "--json"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["profile"] == written()["profile"] == file
    text = Path(PROJECT_FILE).read_text(encoding="utf-8")
    assert f"#   smolsft-autotune profiles show {quoted(file)}\n" in text
    assert run(["run", "--explain"]) == ExitCode.DONE
    assert run(["init", "--yes", "--overwrite", "--profile", "CPU-smoke"]) == ExitCode.DONE
    assert written()["profile"] == "cpu-smoke"


def test_what_no_command_could_read_is_said_and_not_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(PROJECT_FILE).write_text("target = 0.3\n", encoding="utf-8")
    monkeypatch.setattr("autotune.cli.init.project_text", lambda *_: "[train]\nsede = 1\n")
    assert run(["init", "--yes", "--overwrite", "--profile", "cpu-smoke"]) == ExitCode.BAD_INPUT
    assert "train.sede: no such key" in capsys.readouterr().err
    assert written() == {"target": 0.3}
