"""`--data` that no strategy of the profile trains on is refused; what only looks says so."""

import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest

from autotune.base.errors import ExitCode
from autotune.cli import inspect
from autotune.cli.main import run
from autotune.cli.options import Options
from autotune.cli.unused_data import demand_used_data, unused_data
from autotune.config.load import find_profile
from autotune.config.own_data import is_trained_on
from autotune.config.project import Project

PROOF = "--profile cpu-proof --model toy --prompts toy"
UNUSED = (
    "--data chats.jsonl: no strategy of profile cpu-proof trains on it (E, minimum: practice data)"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file of chats, which is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMOLSFT_CACHE", str(tmp_path / "cache"))
    turns = '[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]'
    (tmp_path / "chats.jsonl").write_text(f'{{"messages": {turns}}}\n' * 4, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("command", ["run", "run --dry-run", "probe", "probe --plan"])
def test_it_is_a_mistake_that_one_line_mends(
    command: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command.split(), *PROOF.split(), "--data", "chats.jsonl"]) == ExitCode.BAD_INPUT
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(
        f"{UNUSED}; leave it out, take another --profile, or give it to a strategy with --set"
        " E.data=chats.jsonl"
    )
    assert not (folder / "runs").exists()


def test_the_remedy_that_it_names_has_a_strategy_train_on_the_file() -> None:
    words = shlex.split("--set E.data=chats.jsonl")[1:]
    given = Options(changes=words).adjust(find_profile("cpu-proof"))
    assert [s.data for s in given.strategies] == ["chats.jsonl", "synth"]
    mixed = Options(data="chats.jsonl", changes=["E.mix=0.5"])
    demand_used_data(mixed, mixed.adjust(find_profile("cpu-proof")))


def test_only_what_was_typed_is_refused() -> None:
    project = Project(Path("smolsft.toml"), None, None, {"data": {"source": "chats.jsonl"}})
    options = Options(project=project)
    profile = options.adjust(find_profile("cpu-proof"))
    assert profile.data.source == "chats.jsonl" and not is_trained_on(profile)
    demand_used_data(options, profile)
    used = Options(data="chats.jsonl")
    assert unused_data(used, used.adjust(find_profile("cpu-smoke"))) is None


def test_inspect_shows_it_says_so_and_leaves_it_out_of_the_next_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    looked: list[str] = []

    def looks(_: object, profile: SimpleNamespace, *__: object, **___: object) -> None:
        looked.append(profile.data.source)

    monkeypatch.setattr(inspect, "inspect_data", looks)
    monkeypatch.setattr(inspect, "inspected_summary", lambda *_: "")
    assert run(["inspect", *PROOF.split(), "--data", "chats.jsonl"]) == ExitCode.DONE
    said = capsys.readouterr()
    text = said.err + said.out
    assert looked == ["chats.jsonl"]
    assert f"{UNUSED}; it is shown, and left out of the next command" in text
    (after,) = [line for line in text.splitlines() if line.startswith("next: ")]
    assert "--profile cpu-proof" in after and "--data" not in after
