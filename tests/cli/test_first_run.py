"""The first minutes: greeting, `init`, `smolsft.toml` in every command, profiles of one's own."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main

from autotune.base.errors import BadInput, ExitCode
from autotune.base.sizes import GIB, MIB
from autotune.cli.app import app
from autotune.cli.help import EXAMPLES, ORDER
from autotune.cli.main import run
from autotune.cli.options import Options
from autotune.cli.setting import BY_PROFILE
from autotune.config.load import find_profile, list_profiles, profiles_folder, read_profile
from autotune.config.new_profile import machine_lines
from autotune.config.profile import Profile
from autotune.config.project import PROJECT_FILE, read_project
from autotune.device.find import Device

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
    assert len(lines) == 4 and lines[-1].startswith("next: smolsft-autotune doctor")
    assert max(map(len, lines)) <= 100
    project("")
    assert run([]) == ExitCode.DONE
    assert "next: smolsft-autotune inspect" in capsys.readouterr().out


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
    assert settings(capsys, "run")["study.max_hours"] == (2.5, PROJECT_FILE)
    assert run(["init", "--yes"]) == ExitCode.BAD_INPUT
    assert "smolsft.toml: is there already" in capsys.readouterr().err
    assert run(["init", "--yes", "--overwrite"]) == ExitCode.DONE
    assert "profile" not in written()  # nobody named one: the machine decides


def test_every_line_that_init_leaves_in_comments_can_be_taken_in() -> None:
    for profile in list_profiles():
        assert run(["init", "--yes", "--overwrite", "--profile", profile.name]) == ExitCode.DONE
        lines = Path(PROJECT_FILE).read_text(encoding="utf-8").splitlines()
        project("\n".join(re.sub(r"^# (?=\[|\w+ += )", "", line) for line in lines))
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


LAPTOP = Device(
    "cuda",
    "NVIDIA GeForce RTX 4060 Laptop GPU",
    0,
    "GPU-1",
    8188 * MIB,
    7 * GIB,
    "580.95",
    capability=(8, 9),
    bf16=True,
    peak_flops=14.6e12,
)


def test_a_profile_of_this_machine_holds_what_the_machine_has(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autotune.cli.profiles.find_device", lambda choice: LAPTOP)
    assert run(["profiles", "new", "mine"]) == ExitCode.DONE
    assert "next: smolsft-autotune probe --profile mine.toml" in capsys.readouterr().out
    found = read_profile(Path("mine.toml"))
    machine = found.machine
    assert (found.name, found.title) == ("mine", f"{LAPTOP.name}, bf16")
    assert (machine.device, machine.budget, machine.precision) == ("auto", "6.50GiB", "bf16")
    assert (machine.memory, machine.capability, machine.tflops) == ("8188MiB", "8.9", 14.6)
    shipped = read_profile(profiles_folder() / "rtx4060-laptop-8gb.toml")
    assert found.strategies == shipped.strategies
    text = Path("mine.toml").read_text(encoding="utf-8")
    assert "# kept free for the driver and the screen" in text  # the comments of the others stay
    assert "it has bf16 at full speed" in text
    assert run(["profiles", "new", "mine"]) == ExitCode.BAD_INPUT
    assert "mine.toml: is there already" in capsys.readouterr().err


def test_a_machine_whose_driver_hides_figures_gets_a_profile_without_them() -> None:
    lines = machine_lines(
        Device("cuda", "some card", 0, None, None, 4 * GIB, None), "cuda:1", "512MiB"
    )
    assert set(lines) == {"device", "budget", "precision"}
    assert (lines["device"].value, lines["budget"].value) == ('"cuda:1"', '"3.50GiB"')


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Mine", "must be 1 to 60 of a-z"),
        ("../mine", "must be 1 to 60 of a-z"),
        ("cpu-smoke", "comes with the tool; give another name"),
        ("mine --from nowhere", "profile nowhere: no such profile or file"),
    ],
)
def test_a_profile_that_cannot_be_made_is_one_line(
    name: str, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["profiles", "new", *name.split()]) == ExitCode.BAD_INPUT
    assert said in capsys.readouterr().err
    assert not list(tmp_path.glob("*.toml"))


def test_a_copy_of_a_profile_differs_in_its_name_only(capsys: pytest.CaptureFixture[str]) -> None:
    for profile in list_profiles():
        assert run(["profiles", "new", "mine", "--from", profile.name, "--overwrite"]) == 0
        copied = read_profile(Path("mine.toml"))
        title = f"{profile.title} (a copy)"
        assert copied == profile.model_copy(update={"name": "mine", "title": title})


def test_the_schema_names_every_key_of_a_profile(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["profiles", "schema", "--json"]) == ExitCode.DONE
    schema = json.loads(capsys.readouterr().out)
    assert set(schema["properties"]) == {
        field.alias or name for name, field in Profile.model_fields.items()
    }
    assert "learning_rate" in schema["$defs"]["Strategy"]["properties"]
    assert schema["$schema"].startswith("https://json-schema.org/")


def test_what_was_typed_wrong_is_told_from_what_stands_in_the_file() -> None:
    project("[train]\nseed = 3\n")
    options = Options(project=read_project(Path()), seed=-1)
    with pytest.raises(BadInput, match=r"^--seed -1: must be"):
        options.adjust(find_profile("cpu-smoke"))
