"""Ctrl-C before there is anything to interrupt, and a computer whose memory is full."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from autotune.base.error_texts import lacks_memory
from autotune.base.errors import ExitCode
from autotune.base.format import quoted
from autotune.cli import start
from autotune.cli.main import run
from autotune.launch import JobResult, SubprocessRunner
from autotune.protocol.failure import Failure
from autotune.protocol.job import GenerateJob, Job, PrepareJob
from autotune.sources.cache import CACHE_VARIABLE
from tests import setups

LINE = "smolsft-autotune: interrupted; nothing is lost, the same command resumes from here\n"

AT_IMPORT = """
import os, signal, time
os.kill(os.getpid(), signal.SIGINT)
time.sleep(60)
"""
"""A library that is interrupted while it loads."""


PROGRAM = "import sys; sys.path.insert(0, {folder!r}); from autotune.cli import main; main()"


def heed() -> None:
    """What a terminal starts heeds Ctrl-C, also where these tests run in a shell's background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def started(
    folder: Path, *arguments: str, before: Callable[[], None] = heed
) -> "subprocess.CompletedProcess[str]":
    """The command line as a process that finds the modules in this folder first."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(folder=str(folder)), *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
        preexec_fn=before,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="sends a process the signal of Ctrl-C")
@pytest.mark.parametrize(
    ("library", "arguments"), [("typer", ["--version"]), ("rich", ["report", "nowhere"])]
)
def test_ctrl_c_while_the_program_or_a_command_loads_is_one_line_without_a_trace(
    tmp_path: Path, library: str, arguments: list[str]
) -> None:
    (tmp_path / f"{library}.py").write_text(AT_IMPORT, encoding="utf-8")
    done = started(tmp_path, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", LINE)


@pytest.mark.skipif(sys.platform == "win32", reason="sends a process the signal of Ctrl-C")
@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
def test_a_command_that_its_shell_or_nohup_shields_from_a_signal_stays_shielded(
    tmp_path: Path, name: str
) -> None:
    def shield() -> None:
        signal.signal(getattr(signal, name), signal.SIG_IGN)

    shown = AT_IMPORT.replace("time.sleep(60)", "print('still here', flush=True); os._exit(0)")
    shown = shown.replace("SIGINT", name)
    (tmp_path / "typer.py").write_text(shown, encoding="utf-8")
    assert started(tmp_path, before=shield).stdout == "still here\n"


def test_closing_the_window_on_windows_is_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    handled: dict[int, object] = {}
    monkeypatch.setattr(signal, "SIGBREAK", 21, raising=False)
    monkeypatch.setattr(signal, "signal", handled.__setitem__)
    assert {signal.SIGINT, signal.SIGTERM, 21} <= set(start.termination_signals())
    start.interruptible([signal.SIGINT, 21])
    assert set(handled) == {signal.SIGINT, 21}
    for answer in handled.values():
        assert isinstance(answer, start.Interrupts)
    with pytest.raises(KeyboardInterrupt):
        handled[21](21, None)  # type: ignore[operator]


def test_signals_that_come_together_interrupt_once_and_a_later_one_again() -> None:
    answer = start.Interrupts()
    with pytest.raises(KeyboardInterrupt):
        answer(signal.SIGTERM, None)
    answer(signal.SIGINT, None)
    answer.asked -= start.ENDING_SECONDS  # type: ignore[operator]
    with pytest.raises(KeyboardInterrupt):
        answer(signal.SIGINT, None)


class Uncommitted(OSError):
    """What Windows raises when a process cannot be started for want of memory."""

    winerror = 1455


class NoResources(OSError):
    """The same in other words; the number is Windows' ERROR_NOT_ENOUGH_MEMORY."""

    winerror = 8


@pytest.mark.parametrize(
    ("error", "memory"),
    [
        (MemoryError(), True),
        (OSError(12, "Cannot allocate memory"), True),
        (Uncommitted(22, "The paging file is too small for this operation to complete"), True),
        (NoResources(12, "Für diesen Befehl ist nicht genügend Speicher verfügbar"), True),
        (NoResources(22, "Für diesen Befehl ist nicht genügend Speicher verfügbar"), True),
        (OSError(28, "No space left on device"), False),
        (OSError(121, "not the number 12"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_the_computers_memory_is_known_from_other_errors(error: Exception, memory: bool) -> None:
    assert lacks_memory(error) is memory


def test_a_computer_without_memory_is_one_line_and_no_fault_of_the_tool(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> int:
        raise Uncommitted(22, "The paging file is too small for this operation to complete")

    monkeypatch.setattr("autotune.cli.profiles.list_command", full)
    assert run(["profiles", "list"]) == ExitCode.ENVIRONMENT
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("smolsft-autotune: the computer's memory is full")
    assert "page file" in line


class TestWhatACommandLeaves:
    """The one line after Ctrl-C: what is left, where, and the command that goes on."""

    @pytest.fixture(autouse=True)
    def _own_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)

    def line(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        *typed: str,
        do: Callable[[SubprocessRunner, Job], JobResult],
    ) -> str:
        """What a command says whose workers are `do`, which is interrupted at some time."""

        def work(
            runner: SubprocessRunner, job: Job, folder: Path, on_event: object, **_: object
        ) -> JobResult:
            folder.mkdir(parents=True, exist_ok=True)
            return do(runner, job)

        monkeypatch.setattr(SubprocessRunner, "run", work)
        assert run(list(typed)) == ExitCode.INTERRUPTED
        (line,) = capsys.readouterr().err.splitlines()
        return line.removeprefix("smolsft-autotune: interrupted; ")

    def test_a_look_leaves_nothing(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        Path("my chats.jsonl").write_text(json.dumps(CHAT), encoding="utf-8")
        typed = ("inspect", "--profile", "cpu-smoke", "--data", "my chats.jsonl")
        said = self.line(monkeypatch, capsys, *typed, do=interrupted)
        again = f"smolsft-autotune inspect --profile cpu-smoke --data {quoted('my chats.jsonl')}"
        assert said == f"nothing is left behind; to begin again: {again}"
        assert [p.name for p in tmp_path.iterdir()] == ["my chats.jsonl"]

    def test_a_probe_in_its_first_worker_names_its_folder_and_the_command(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        typed = ("probe", "--profile", "cpu-smoke", "--run-dir", "a b")
        said = self.line(monkeypatch, capsys, *typed, do=interrupted)
        command = f"smolsft-autotune probe --profile cpu-smoke --run-dir {quoted('a b')}"
        assert said.endswith(f": {command}")

    def test_a_run_whose_model_is_being_prepared_leaves_no_folder_and_can_begin_again(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
        typed = ("run", "--profile", "cpu-smoke", "--run-dir", "mine")
        for _ in range(2):
            said = self.line(monkeypatch, capsys, *typed, do=interrupted_while_preparing)
            again = f"smolsft-autotune {' '.join(typed)}"
            assert said == f"nothing is left behind; to begin again: {again}"
            assert not Path("mine").exists()

    def test_an_evaluation_without_answers_leaves_no_folder(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        typed = ("eval", "toy", "--profile", "cpu-smoke")
        said = self.line(monkeypatch, capsys, *typed, do=interrupted)
        assert said == f"nothing is left behind; to begin again: smolsft-autotune {' '.join(typed)}"
        assert list(tmp_path.iterdir()) == []

    def test_one_that_has_answers_keeps_them_and_names_the_command_that_goes_on(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], toy: Path
    ) -> None:
        typed = ("eval", str(toy), "--profile", "cpu-smoke")
        said = self.line(monkeypatch, capsys, *typed, do=interrupted_after_two)
        (folder,) = Path("runs").iterdir()
        command = f"smolsft-autotune {' '.join(map(quoted, typed))} --run-dir {folder}"
        assert said == f"{folder} keeps 2 of 48 answers; to resume: {command}"

    @pytest.mark.parametrize("fault", [Failure.BAD_JOB, Failure.LIBRARY, Failure.OTHER])
    def test_one_that_fails_before_its_first_answer_leaves_no_folder_either(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        toy: Path,
        tmp_path: Path,
        fault: Failure,
    ) -> None:
        monkeypatch.setattr(
            SubprocessRunner, "run", lambda *_, **__: setups.failed(fault, "it is no use", "start")
        )
        refused = (ExitCode.BAD_INPUT, ExitCode.ENVIRONMENT)
        assert run(["eval", str(toy), "--profile", "cpu-smoke"]) in refused
        (line,) = capsys.readouterr().err.splitlines()
        assert "it is no use" in line
        assert "worker.log" not in line
        assert not (tmp_path / "runs").exists()


CHAT = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}


@pytest.fixture
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a model until somebody loads it."""
    import numpy as np
    from safetensors.numpy import save_file

    folder = tmp_path_factory.mktemp("toy")
    (folder / "config.json").write_text('{"max_position_embeddings": 512}', encoding="utf-8")
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    save_file({"w": np.zeros(2, dtype=np.float32)}, folder / "model.safetensors")
    return folder


def interrupted(runner: SubprocessRunner, job: Job) -> JobResult:
    """Ctrl-C while the worker is at it."""
    raise KeyboardInterrupt


def interrupted_while_preparing(runner: SubprocessRunner, job: Job) -> JobResult:
    """The same, when the worker's job and log are there, and its first event is not."""
    assert isinstance(job, PrepareJob)
    for name in ("job.json", "worker.log"):
        Path("mine", "work", "prepare", name).write_text("{}", encoding="utf-8")
    raise KeyboardInterrupt


def interrupted_after_two(runner: SubprocessRunner, job: Job) -> JobResult:
    """The same, two answers later."""
    assert isinstance(job, GenerateJob)
    Path(job.out).parent.mkdir(parents=True, exist_ok=True)
    Path(job.out).write_text("{}\n{}\n", encoding="utf-8")
    raise KeyboardInterrupt
