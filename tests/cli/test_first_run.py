"""The first minutes: greeting, `init`, `smolsft.toml` in every command, profiles of one's own."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from autotune.base.errors import BadInput, ExitCode
from autotune.cli.app import app
from autotune.cli.help import EXAMPLES, ORDER
from autotune.cli.main import run
from autotune.cli.options import Options
from autotune.cli.setting import BY_PROFILE
from autotune.config.load import find_profile
from autotune.config.project import PROJECT_FILE, read_project

CHAT = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMOLSFT_CACHE", str(tmp_path / "cache"))


def project(text: str) -> None:
    Path(PROJECT_FILE).write_text(text, encoding="utf-8")


def settings(capsys: pytest.CaptureFixture[str], *typed: str) -> dict[str, tuple[Any, str]]:
    """Value and origin of each setting, as `--explain` has them."""
    assert run([*typed, "--explain", "--json"]) == ExitCode.DONE
    rows = json.loads(capsys.readouterr().out)["settings"]
    return {row["setting"]: (row["value"], row["origin"]) for row in rows}


def test_what_counts_before_what_is_the_order_of_the_manual(
    capsys: pytest.CaptureFixture[str],
) -> None:
    project(
        'profile = "cpu-smoke"\ntarget = 0.3\n[train]\nseed = 9\nmax_conversations = 50\n'
        "[strategy.A]\nbatch_size = 4\nlearning_rate = 2e-3\n[prompts]\nlimit = 12\n"
    )
    found = settings(capsys, "run", "--seed", "7", "--set", "A.batch_size=2")
    assert found["profile"] == ("cpu-smoke", PROJECT_FILE)
    assert found["target"] == (0.3, PROJECT_FILE) or found["target"] == ("0.3", PROJECT_FILE)
    assert found["train.seed"] == (7, "--seed")
    assert found["A.batch_size"] == (2, "--set")
    assert found["A.learning_rate"] == (2e-3, PROJECT_FILE)
    assert found["B.learning_rate"][1] == "profile cpu-smoke"
    assert found["train.max_conversations"] == (50, PROJECT_FILE)
    assert found["prompts.limit"] == (12, PROJECT_FILE)
    assert found["prompts.seed"] == (0, "profile cpu-smoke")
    assert found["A.n_trials"] == (1, "default")
    page = Path(__file__).resolve().parents[2] / "docs" / "first-run.md"
    manual = page.read_text(encoding="utf-8")
    order = ("the default of a key", "the profile", "`smolsft.toml`", "an option", "`--set`")
    rows = [manual.index(f"| {at} | {what}") for at, what in enumerate(order, 1)]
    assert rows == sorted(rows)
    assert settings(capsys, "run", "--profile", "cpu-smollm2")["profile"][1] == "--profile"
    assert settings(capsys, "run", "--target", "40%")["target"] == ("40%", "--target")


@pytest.mark.parametrize("name", BY_PROFILE)
def test_every_command_that_works_by_a_profile_reads_the_file(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    project("[train]\nseed = 'x'\n")
    further = {"eval": ["toy"], "eval compare": ["a", "b"], "synth": ["toy"]}
    Path("a").write_text("{}", encoding="utf-8")
    Path("b").write_text("{}", encoding="utf-8")
    typed = [*name.split(), *further.get(name, []), "--profile", "cpu-smoke"]
    assert run(typed) == ExitCode.BAD_INPUT
    assert capsys.readouterr().err.splitlines() == [
        "smolsft-autotune: smolsft.toml: 1 fault",
        '  train.seed = "x": must be a valid integer',
    ]


def test_the_commands_that_the_file_names_as_its_readers_are_those_that_read_it() -> None:
    assert run(["init", "--yes", "--model", "demo", "--data", "demo"]) == ExitCode.DONE
    first = Path(PROJECT_FILE).read_text(encoding="utf-8").splitlines()[0]
    named = set(re.findall(r"\w+", first.removeprefix("# What ").partition(" work with ")[0]))
    assert named - {"and"} == {"doctor"} | {name.split()[0] for name in BY_PROFILE}


def test_a_profile_of_your_own_is_found_or_its_file_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["profiles", "new", "mine", "--from", "cpu-smoke"]) == ExitCode.DONE
    assert run(["run", "--explain", "--profile", "mine"]) == ExitCode.BAD_INPUT
    assert "did you mean mine.toml?" in capsys.readouterr().err


def test_all_faults_of_the_file_are_reported_together(capsys: pytest.CaptureFixture[str]) -> None:
    project(
        'profile = "cpu-smokee"\ntarget = "30%"\nname = "mine"\n[[strategy]]\nname = "A"\n'
        '[train]\nsed = 1\nseed = "7"\n[trian]\n[study]\nmax_hours = -1\n'
    )
    assert run(["run", "--profile", "cpu-smoke"]) == ExitCode.BAD_INPUT
    first, *faults = capsys.readouterr().err.splitlines()
    assert first == "smolsft-autotune: smolsft.toml: 8 faults"
    for part in (
        'profile = "cpu-smokee": no such profile or file; did you mean cpu-smoke?',
        'target = "30%": must be above 0 and at most 1; write 0.3',
        "name: names a profile",
        "strategy: changes one of the profile's, such as [strategy.A]",
        "trian: no such key; did you mean train?",
        "train.sed: no such key; did you mean seed?",
        'train.seed = "7": must be a valid integer; write 7 without quotes',
        "study.max_hours = -1",
    ):
        assert any(part in fault for fault in faults), (part, faults)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("target = \n", "smolsft.toml:1: not TOML"),
        ("[strategy.Z]\nseed = 1\n", "strategy.Z: no such strategy; the profile has A, B, minimum"),
        ("[strategy.A]\nbatch_size = 0\n", "strategy.A.batch_size = 0: must be"),
        ("[strategy]\nA = 3\n", "strategy.A = 3: must be a table, [strategy.A]"),
        ("train = 3\n", "train = 3"),
        ("[train.seed]\nx = 1\n", "train.seed"),
        ("target = 0\n", "target = 0: must be above 0 and at most 1"),
        ("target = true\n", "target = true: must be above 0"),
        ("profile = 3\n", "profile = 3: must be the name of a profile or a file"),
        ("[machine]\ndevice = 3\n", "machine.device = 3"),
    ],
)
def test_a_fault_of_the_file_is_one_line_with_its_key(
    text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    project(text)
    assert run(["run", "--profile", "cpu-smoke"]) == ExitCode.BAD_INPUT
    assert said in capsys.readouterr().err


def test_the_demo_and_what_trains_nothing_do_not_read_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    project("not TOML")
    assert run(["profiles", "list"]) == ExitCode.DONE
    assert run(["report", "nowhere"]) == ExitCode.BAD_INPUT
    assert "smolsft.toml" not in capsys.readouterr().err
    assert "demo" not in BY_PROFILE and "worker" not in BY_PROFILE


def test_without_a_command_three_lines_greet_and_a_fourth_names_the_next(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run([]) == ExitCode.DONE
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[-1] == "next: see whether this machine is ready: smolsft-autotune doctor"
    assert max(map(len, lines)) <= 100
    project("")
    assert run([]) == ExitCode.DONE
    said = "next: see what smolsft.toml comes to: smolsft-autotune inspect\n"
    assert capsys.readouterr().out.endswith(said)


def test_help_lists_the_commands_in_the_order_of_use_with_an_example_of_each(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["--help"]) == ExitCode.DONE
    text = capsys.readouterr().out.partition("Commands:\n")[2]
    shown = re.findall(r"^  (\S+)", text, re.MULTILINE)
    known = [name for name in ORDER if name in shown]
    assert shown[: len(known)] == known
    commands = {n: c for n, c in vars(typer.main.get_command(app))["commands"].items()}
    profiles = commands.pop("profiles").commands
    for name, each in {**commands, **{f"profiles {n}": c for n, c in profiles.items()}}.items():
        assert each.epilog == f"Example: smolsft-autotune {EXAMPLES[name]}", name
        assert EXAMPLES[name].startswith(name)


def test_comparing_has_a_help_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eval", "compare", "--help"]) == ExitCode.DONE
    text = capsys.readouterr().out
    assert "eval compare [OPTIONS]" in text and "Example: smolsft-autotune eval compare" in text
    assert "--vram-budget" not in text
    assert run(["eval", "--help"]) == ExitCode.DONE
    assert "--vram-budget" in capsys.readouterr().out


def test_what_was_typed_wrong_is_told_from_what_stands_in_the_file() -> None:
    project("[train]\nseed = 3\n")
    options = Options(project=read_project(Path()), seed=-1)
    with pytest.raises(BadInput, match=r"^--seed -1: must be"):
        options.adjust(find_profile("cpu-smoke"))
