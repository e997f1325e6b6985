"""Profiles of one's own: `profiles list`, `new`, `schema`."""

import io
import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from autotune.base.errors import ExitCode
from autotune.base.sizes import GIB, MIB
from autotune.cli.main import run
from autotune.cli.profiles import list_lines
from autotune.config.load import list_profiles, profiles_folder, read_profile
from autotune.config.new_profile import machine_lines, renamed
from autotune.config.profile import Profile
from autotune.device.find import Device


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMOLSFT_CACHE", str(tmp_path / "cache"))


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
    head = f"# {LAPTOP.name}, as it was found; the rest is rtx4060-laptop-8gb's.\n\nname ="
    assert text.startswith(head)
    assert run(["profiles", "new", "mine"]) == ExitCode.BAD_INPUT
    assert "mine.toml: is there already" in capsys.readouterr().err


def test_a_profile_of_another_card_is_made_of_the_one_for_any_card(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    card = replace(LAPTOP, name="NVIDIA A10G", total_bytes=22_731 * MIB, capability=(8, 6))
    monkeypatch.setattr("autotune.cli.profiles.find_device", lambda choice: card)
    assert run(["profiles", "new", "mine"]) == ExitCode.DONE
    machine = read_profile(Path("mine.toml")).machine
    assert (machine.memory, machine.capability) == ("22731MiB", "8.6")
    text = Path("mine.toml").read_text(encoding="utf-8")
    assert text.startswith("# NVIDIA A10G, as it was found; the rest is nvidia's.\n")
    assert "aptop" not in text.partition("[machine]")[2].partition("[model]")[0]


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


def test_a_profile_is_shown_whole_where_a_pipe_lacks_its_letters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    title = "Für Łukasz → 8 GB"
    text = (profiles_folder() / "cpu-smoke.toml").read_text(encoding="utf-8")
    Path("mine.toml").write_text(renamed(text, "mine", title), encoding="utf-8")

    def shown(*more: str) -> bytes:
        pipe = io.BytesIO()
        stdout = io.TextIOWrapper(pipe, encoding="cp1252", newline="\n")
        monkeypatch.setattr("sys.stdout", stdout)
        assert run(["profiles", "show", "mine.toml", *more]) == ExitCode.DONE
        stdout.flush()
        return pipe.getvalue()

    assert json.loads(shown("--json").decode("utf-8"))["title"] == title
    # Spelled as a text in TOML may spell them, so that what is shown is that profile.
    said = shown().decode("cp1252")
    assert r"Für \u0141ukasz \u2192 8 GB" in said
    assert tomllib.loads(said)["title"] == title


def test_the_schema_names_every_key_of_a_profile(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["profiles", "schema", "--json"]) == ExitCode.DONE
    schema = json.loads(capsys.readouterr().out)
    assert set(schema["properties"]) == {
        field.alias or name for name, field in Profile.model_fields.items()
    }
    assert "learning_rate" in schema["$defs"]["Strategy"]["properties"]
    assert schema["$schema"].startswith("https://json-schema.org/")


@pytest.mark.parametrize("columns", [120, 80, 40])
def test_the_list_of_profiles_keeps_within_a_terminal_and_is_a_line_each_in_a_pipe(
    columns: int,
) -> None:
    profiles = list_profiles()
    lines = list(list_lines(profiles, columns))
    assert max(map(len, lines)) <= columns
    said = " ".join(" ".join(lines).split())
    piped = list(list_lines(profiles, None))
    assert len(piped) == len(profiles)
    for profile in profiles:
        assert f"{profile.name} {profile.title}" in said
        assert any(line.split(None, 1) == [profile.name, profile.title] for line in piped)
