"""Real worker processes: each way that one can end is told truthfully."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from autotune.base.errors import EnvironmentFault
from autotune.base.sizes import GIB
from autotune.launch import JobResult, SubprocessRunner, worker_environment
from autotune.launch.worker_errors import worker_error
from autotune.protocol import events, exit_codes
from autotune.protocol.choices import Precision
from autotune.protocol.events import WorkerEvent
from autotune.protocol.failure import Failure
from autotune.protocol.job import DeviceSpec, Job, PrepareJob, as_read

HEAD = """
import json, os, sys, time
def say(**event):
    print(json.dumps(event), flush=True)
"""


def job(folder: Path, limit: int = 0) -> PrepareJob:
    device = DeviceSpec(kind="cpu", precision=Precision.FP32, limit_bytes=limit)
    return PrepareJob(device=device, source="toy", out=str(folder / "toy"))


def run(
    folder: Path, code: str, silence: float = 30.0, limit: int = 0
) -> tuple[JobResult, list[WorkerEvent]]:
    """How a worker that is this piece of Python ends, and what it said."""
    emitted: list[WorkerEvent] = []
    runner = SubprocessRunner((sys.executable, "-c", HEAD + code))
    ending = runner.run(job(folder, limit), folder, emitted.append, silence_seconds=silence)
    return ending, emitted


def test_a_worker_that_does_its_job_is_done_and_every_event_is_handed_on(tmp_path: Path) -> None:
    ending, emitted = run(
        tmp_path,
        """
say(kind="phase", name="loading")
say(kind="notice", about="model", sentence=json.load(open(sys.argv[1], encoding="utf-8"))["out"])
print("ünïcode", file=sys.stderr)
""",
    )
    assert ending.failure is None
    assert emitted == [
        events.Phase(name="loading"),
        events.Notice(about="model", sentence="toy"),
    ]
    assert ending.phase == "loading"
    assert "ünïcode" in (tmp_path / "worker.log").read_text(encoding="utf-8")
    written = PrepareJob.model_validate_json((tmp_path / "job.json").read_bytes())
    assert as_read(written, tmp_path) == job(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to be killed by")
def test_a_killed_worker_has_crashed_and_the_signal_is_named(tmp_path: Path) -> None:
    ending, _ = run(tmp_path, 'say(kind="phase", name="backward")\nos.kill(os.getpid(), 9)')
    assert ending.died
    assert ending.words == "crashed"
    assert ending.reason == "killed from outside (signal 9) during backward"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to be killed by")
@pytest.mark.parametrize(("left", "code", "killed"), [(8, 9, True), (8, 11, False), (1, 9, False)])
def test_a_kill_is_from_outside_only_where_memory_was_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int, code: int, killed: bool
) -> None:
    monkeypatch.setattr("autotune.launch.process.memory_left", lambda: (left * GIB, 16 * GIB))
    ending, _ = run(tmp_path, f"time.sleep(0.3)\nos.kill(os.getpid(), {code})")
    assert ending.killed is killed
    assert ending.free_bytes == left * GIB


def test_a_worker_that_ends_without_a_word_has_crashed_with_its_code(tmp_path: Path) -> None:
    ending, _ = run(tmp_path, "sys.exit(7)")
    assert (ending.failure, ending.reason) == (
        Failure.CRASHED,
        "worker ended with code 7 during start",
    )
    assert ending.failed is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to be killed by")
def test_a_worker_that_the_system_killed_says_perhaps_that_the_computers_memory_ran_out(
    tmp_path: Path,
) -> None:
    ending, _ = run(tmp_path, "os.kill(os.getpid(), 9)")
    assert ending.failed is None
    assert ending.failure is Failure.HOST_MEMORY
    ending, _ = run(tmp_path, "os.kill(os.getpid(), 11)")
    assert ending.reason == (
        "worker ended with signal 11 (segmentation fault: access violation) during start"
    )
    assert ending.failure is Failure.CRASHED


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0xC0000005, "worker ended with 0xC0000005 (access violation)"),
        (-1073741819, "worker ended with 0xC0000005 (access violation)"),
        (0xC0000409, "worker ended with 0xC0000409 (abort"),
        (0xC000012D, "worker ended with 0xC000012D (commit limit"),
        (0xC0000017, "worker ended with 0xC0000017 (no memory"),
        (0xC00000FF, "worker ended with 0xC00000FF"),
        (-9, "killed from outside (signal 9)"),
        (137, "killed from outside (signal 9)"),
        (-11, "worker ended with signal 11 (segmentation fault"),
        (139, "worker ended with signal 11 (segmentation fault"),
        (-6, "worker ended with signal 6 (abort"),
        (7, "worker ended with code 7"),
        (255, "worker ended with code 255"),
        (-99, "worker ended with code -99"),
    ],
)
def test_the_code_of_a_dead_worker_is_reported_in_words(code: int, words: str) -> None:
    assert exit_codes.exit_text(code).startswith(words)


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        (0xC000012D, Failure.HOST_MEMORY),
        (0xC0000017, Failure.HOST_MEMORY),
        (0xC000012D - 2**32, Failure.HOST_MEMORY),
        (-9, Failure.HOST_MEMORY),
        (0xC0000005, Failure.CRASHED),
        (-11, Failure.CRASHED),
        (1, Failure.CRASHED),
    ],
)
def test_some_codes_tell_that_the_computers_memory_ran_out(code: int, failure: Failure) -> None:
    assert exit_codes.failure_of(code) is failure


def test_who_reads_of_a_killed_process_reads_what_to_do(tmp_path: Path) -> None:
    ending = JobResult(Failure.HOST_MEMORY, "killed from outside (signal 9)", 1.0)
    error = worker_error(ending, "data rows.jsonl", tmp_path)
    assert isinstance(error, EnvironmentFault)
    assert str(error).startswith("data rows.jsonl: killed from outside (signal 9); perhaps the com")
    assert "; run the same command again" in str(error)
    assert "perhaps" not in str(worker_error(replace(ending, killed=True), "data", tmp_path))


def test_a_worker_that_hangs_is_ended_and_timed_out(tmp_path: Path) -> None:
    begin = time.monotonic()
    ending, _ = run(tmp_path, 'say(kind="phase", name="forward")\ntime.sleep(60)', silence=0.7)
    assert ending.failure is Failure.TIMED_OUT
    assert ending.reason == "no sign of life for 1 s in forward"
    assert time.monotonic() - begin < 30


def test_a_worker_that_goes_on_talking_is_not_hung(tmp_path: Path) -> None:
    code = 'for _ in range(8):\n    say(kind="phase", name="forward")\n    time.sleep(0.2)'
    ending, emitted = run(tmp_path, code, silence=1.2)
    assert ending.failure is None
    assert len(emitted) == 8


GROW = """
say(kind="phase", name="backward")
held = b"x" * (64 * 2**20)
{wait}
"""


@pytest.mark.parametrize(
    "wait",
    ["time.sleep(60)", 'while True:\n    say(kind="phase", name="backward")\n    time.sleep(0.01)'],
    ids=["silent", "talking"],
)
def test_a_worker_that_outgrows_its_memory_is_ended(tmp_path: Path, wait: str) -> None:
    ending, _ = run(tmp_path, GROW.format(wait=wait), limit=50 * 2**20)
    assert ending.failure is Failure.OVER_BUDGET
    assert "during backward" in ending.reason
    assert ending.peak_bytes > 50 * 2**20


def test_a_worker_that_stays_is_held_to_the_limit_of_each_job(tmp_path: Path) -> None:
    code = HEAD + 'say(kind="finished")\ninput()\n' + GROW.format(wait="time.sleep(60)")
    with SubprocessRunner((sys.executable, "-c", code)).warm() as warm:
        endings = [
            warm.run(
                job(tmp_path / str(at), limit),
                tmp_path / str(at),
                lambda _: None,
                silence_seconds=30,
            )
            for at, limit in enumerate((0, 50 * 2**20))
        ]
    assert [ending.failure for ending in endings] == [None, Failure.OVER_BUDGET]


def test_lines_that_are_no_events_are_passed_over(tmp_path: Path) -> None:
    ending, emitted = run(
        tmp_path,
        """
say(kind="phase", name="loading")
print("a library talks", flush=True)
say(kind="never heard of")
sys.stdout.buffer.write(b'\\xff\\xfe{"kind":"pha')
sys.stdout.flush()
os._exit(1)
""",
    )
    assert ending.failure is Failure.CRASHED
    assert emitted == [events.Phase(name="loading")]


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (Failure.OUT_OF_MEMORY, 3, "out of memory"),
        (Failure.BAD_JOB, 4, "bad job"),
        (Failure.POISONED, 1, "crashed"),
    ],
)
def test_a_worker_that_says_what_it_failed_of_is_believed(
    tmp_path: Path, fault: Failure, code: int, words: str
) -> None:
    said = f'say(kind="failed", fault="{fault}", phase="backward", message="why")'
    ending, emitted = run(tmp_path, f"{said}\nsys.exit({code})")
    assert (ending.failure, ending.words, ending.reason) == (fault, words, "why")
    assert not ending.died
    assert ending.failed == events.Failed(fault=fault, phase="backward", message="why")
    assert emitted == [ending.failed]


def test_a_listener_that_fails_leaves_no_worker_behind(tmp_path: Path) -> None:
    pids: list[int] = []

    def listen(event: WorkerEvent) -> None:
        assert isinstance(event, events.Phase)
        pids.append(int(event.name))
        raise EnvironmentFault("the disk is full")

    code = HEAD + 'say(kind="phase", name=str(os.getpid()))\ntime.sleep(60)'
    begin = time.monotonic()
    with pytest.raises(EnvironmentFault, match="full"):
        SubprocessRunner((sys.executable, "-c", code)).run(
            job(tmp_path), tmp_path, listen, silence_seconds=30
        )
    assert not psutil.pid_exists(pids[0])
    assert time.monotonic() - begin < 30


SECRETS = {
    "HF_TOKEN": "hf_0123456789",
    "HUGGING_FACE_HUB_TOKEN": "hf_0123456789",
    "WANDB_API_KEY": "hf_0123456789",
    "AWS_SECRET_ACCESS_KEY": "hf_0123456789",
    "DB_PASSWORD": "hf_0123456789",
    "http_passwd": "hf_0123456789",
}


def test_no_secret_reaches_a_worker_or_a_file_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    run(tmp_path, "print(dict(os.environ), file=sys.stderr)\nraise RuntimeError(os.environ)")
    for path in tmp_path.iterdir():
        assert "hf_0123456789" not in path.read_text(encoding="utf-8"), path.name
    environment = worker_environment()
    assert environment["CUDA_VISIBLE_DEVICES"] == "0"
    assert environment["HF_HUB_OFFLINE"] == environment["PYTHONUTF8"] == "1"
    assert not set(SECRETS) & set(environment)


def real_worker(folder: Path, told: Job | None) -> JobResult:
    """How the real worker ends with this job, or with a file that holds none."""
    runner = SubprocessRunner()
    if told is None:
        (folder / "nonsense.json").write_text('{"job": "dance"}', encoding="utf-8")
        runner = SubprocessRunner((*runner.command, str(folder / "nonsense.json")))
    return runner.run(told or job(folder), folder, lambda _: None, silence_seconds=120)


def test_the_real_worker_refuses_a_file_that_is_no_job(tmp_path: Path) -> None:
    ending = real_worker(tmp_path, None)
    assert ending.failure is Failure.BAD_JOB
    assert ending.reason.startswith("job file: ")
    assert "\n" not in ending.reason


BROKEN = {
    "torch": (
        "raise OSError('[WinError 126] The specified module could not be found. Error loading"
        ' "fbgemm.dll" or one of its dependencies.\')'
    ),
}


@pytest.mark.parametrize(
    ("library", "reason"),
    [
        ("torch", "torch cannot be loaded: OSError: [WinError 126] The specified module"),
        ("nothing", "torch cannot be loaded: ModuleNotFoundError: No module named 'torch'"),
    ],
)
def test_a_torch_that_cannot_be_loaded_is_reported_with_its_reason_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, reason: str
) -> None:
    (tmp_path / "broken").mkdir()
    fault = BROKEN.get(library, "raise ModuleNotFoundError(\"No module named 'torch'\")")
    (tmp_path / "broken" / "torch.py").write_text(fault, encoding="utf-8")
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'broken'}{os.pathsep}{before}")
    ending = real_worker(tmp_path, job(tmp_path))
    assert ending.words == "crashed"
    assert ending.failure is Failure.LIBRARY
    assert ending.reason.startswith(reason)
    error = worker_error(ending, "data demo conversations", tmp_path)
    assert isinstance(error, EnvironmentFault)
    assert "demo conversations" not in str(error)
    assert "install" in str(error)


@pytest.mark.torch
def test_a_transformers_that_cannot_be_loaded_is_reported_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken").mkdir()
    fault = "raise ImportError('tokenizers is too old')"
    (tmp_path / "broken" / "transformers.py").write_text(fault, encoding="utf-8")
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'broken'}{os.pathsep}{before}")
    ending = real_worker(tmp_path, job(tmp_path))
    assert (ending.words, ending.failure) == ("crashed", Failure.LIBRARY)
    assert "transformers cannot be loaded: ImportError: tokenizers is too old" in ending.reason


PARENT = """
import sys
from pathlib import Path
from autotune.launch import SubprocessRunner
from tests.launch.test_workers import job
folder = Path(sys.argv[1])
command = (sys.executable, "-c", sys.argv[2])
SubprocessRunner(command).run(
    job(folder), folder, lambda event: print(event.name, flush=True), silence_seconds=60
)
"""

# The start of the real worker, which watches its input, and then nothing but waiting.
WAITING = """
import json, os, time
from autotune.worker.channel import JobInbox
JobInbox()
print(json.dumps({"kind": "phase", "name": str(os.getpid())}), flush=True)
time.sleep(60)
"""


def test_a_worker_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path), WAITING],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[2],
        encoding="utf-8",
    )
    with parent:
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        parent.wait(timeout=30)
        worker.wait(timeout=30)
    assert not worker.is_running()


@pytest.mark.torch
def test_the_real_worker_makes_a_toy_model(tmp_path: Path) -> None:
    ending = real_worker(tmp_path, job(tmp_path))
    assert ending.failure is None, ending
    assert (tmp_path / "toy" / "config.json").is_file()
