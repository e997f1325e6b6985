"""A run and the device it began on, and a profile for a card where there is none."""

from pathlib import Path

import pytest

from autotune.base.errors import BadInput, ExitCode
from autotune.cli.main import run
from autotune.cli.options import Options
from autotune.cli.settings import settings_text
from autotune.config.load import find_profile
from autotune.protocol import events
from autotune.run.folder import RunDir
from tests import records

CARD = "NVIDIA GeForce RTX 4060 Laptop GPU"
LAPTOP = "rtx4060-laptop-8gb"

OUTSIDE_ON_A_CARD = "A.learning_rate=3e-4"
"""Above the range that strategy A has in the profiles for cards; that for a CPU has none."""


@pytest.fixture(autouse=True)
def _no_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMOLSFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")


def begun(folder: Path, profile: str, **changes: object) -> RunDir:
    """A run in this folder that stands in the middle, with prompts that are not there."""
    rundir = RunDir(folder)
    folder.mkdir(parents=True)
    settings = Options(prompts="none.jsonl").adjust(find_profile(profile))
    rundir.run_toml.write_text(settings_text(settings), encoding="utf-8")
    rundir.append(records.run_started(device=CARD, **changes), 1_790_000_000.0)
    return rundir


def said_by(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit code and the last line on standard error."""
    code = run([*arguments, "--prompts", "none.jsonl"])
    return code, capsys.readouterr().err.splitlines()[-1]


def test_a_run_begun_on_a_card_does_not_go_on_on_the_cpu(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rundir = begun(tmp_path / "mine", LAPTOP, device_kind="cuda")
    before = rundir.events.read_bytes()
    code, said = said_by(capsys, "run", "--profile", LAPTOP, "--run-dir", "mine")
    assert code == ExitCode.ENVIRONMENT
    assert f"the run in mine began on {CARD} and does not continue on a CPU: " in said
    assert "mend that and run the same command again" in said
    assert rundir.events.read_bytes() == before


@pytest.mark.parametrize("arguments", [(), ("--run-dir", "runs/20261128-1_x")])
def test_nor_does_it_where_the_missing_card_would_choose_another_profile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    begun(tmp_path / "runs" / "20261128-1_x", LAPTOP, device_kind="cuda")
    code, said = said_by(capsys, "run", *arguments)
    assert code == ExitCode.ENVIRONMENT
    assert f"began on {CARD} and does not continue on a CPU" in said
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["20261128-1_x"]


def test_what_a_profile_for_a_card_would_refuse_is_no_fault_where_there_is_no_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BadInput, match="must lie within its own"):
        Options(changes=[OUTSIDE_ON_A_CARD]).adjust(find_profile(LAPTOP))
    begun(tmp_path / "runs" / "20261128-1_x", LAPTOP, device_kind="cuda")
    code, said = said_by(capsys, "run", "--dry-run", "--set", OUTSIDE_ON_A_CARD)
    assert (code, "none.jsonl: no such file" in said) == (ExitCode.BAD_INPUT, True)


def test_one_that_is_over_is_in_nobodys_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rundir = begun(tmp_path / "runs" / "20261128-1_x", LAPTOP, device_kind="cuda")
    rundir.append(events.RunEnded(met=True, reason="met"), 1_790_000_001.0)
    code, said = said_by(capsys, "run")
    assert (code, "none.jsonl: no such file" in said) == (ExitCode.BAD_INPUT, True)


@pytest.mark.parametrize("kind", ["cpu", None])
def test_a_run_begun_on_a_cpu_goes_on_there_and_so_does_one_that_does_not_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str | None
) -> None:
    begun(tmp_path / "mine", "cpu-smoke", device_kind=kind)
    code, said = said_by(capsys, "run", "--profile", "cpu-smoke", "--run-dir", "mine")
    assert (code, "none.jsonl: no such file" in said) == (ExitCode.BAD_INPUT, True)


@pytest.mark.parametrize("command", ["run", "probe"])
def test_a_profile_for_a_card_where_there_is_none_is_refused_with_the_hours_it_would_take(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    code, said = said_by(capsys, command, "--profile", LAPTOP)
    assert code == ExitCode.ENVIRONMENT
    assert f"profile {LAPTOP} is for an NVIDIA card, and there is none (" in said
    hours = int(said.split("would train for some ")[1].split(" hours in fp16")[0])
    assert hours > 24
    assert "on this CPU (an estimate)" in said
    assert "take --profile cpu-smollm2, or add --device cpu to continue all the same" in said
    assert list(tmp_path.iterdir()) == []


def test_nor_are_prompts_answered_by_it_in_a_precision_that_a_cpu_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = said_by(capsys, "eval", "toy", "--profile", LAPTOP)
    assert code == ExitCode.ENVIRONMENT
    assert f"profile {LAPTOP} is for an NVIDIA card, and there is none (" in said
    assert "40 times slower in fp16 than in fp32 (an estimate)" in said
    assert "or --precision fp32, or add --device cpu to continue all the same" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [("--profile", LAPTOP, "--device", "cpu"), ("--profile", LAPTOP, "--precision", "fp32"), ()],
)
def test_they_are_where_the_cpu_or_its_own_precision_is_asked_for(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    code, said = said_by(capsys, "eval", "toy", *arguments)
    assert (code, "none.jsonl: no such file" in said) == (ExitCode.BAD_INPUT, True)


def test_it_goes_on_where_the_cpu_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = said_by(capsys, "run", "--profile", LAPTOP, "--device", "cpu")
    assert (code, "none.jsonl: no such file" in said) == (ExitCode.BAD_INPUT, True)


def test_fewer_conversations_and_fp32_take_less_time(capsys: pytest.CaptureFixture[str]) -> None:
    def hours(*arguments: str) -> float:
        said = said_by(capsys, "run", "--profile", LAPTOP, *arguments)[1]
        return float(said.split("would train for some ")[1].split(" hours")[0])

    whole = hours()
    assert hours("--precision", "fp32") == pytest.approx(whole / 40, rel=0.1)
    assert hours("--max-conversations", "600") == pytest.approx(whole / 10, rel=0.1)


@pytest.mark.parametrize("command", [("probe",), ("run",), ("eval", "demo")])
def test_a_cpu_that_nobody_asked_for_computes_with_the_reason_on_the_screen(
    capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    run([*command, "--prompts", "none.jsonl"])
    out = " ".join(capsys.readouterr().out.split())
    assert "profile cpu-smollm2 (" in out
    assert "computing on " in out
    assert "NVIDIA" in out.partition("computing on ")[2]


@pytest.mark.parametrize("choice", [("--device", "cpu"), ("--profile", "cpu-smollm2")])
def test_one_that_was_asked_for_needs_no_reason(
    capsys: pytest.CaptureFixture[str], choice: tuple[str, ...]
) -> None:
    run(["probe", *choice, "--prompts", "none.jsonl"])
    out = capsys.readouterr().out
    assert "profile cpu-smollm2 (" in out
    assert "computing on" not in out
