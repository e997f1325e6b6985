"""The worker as a process: what it says, what it exits with, and when it goes."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autotune.launch import SubprocessRunner, worker_environment
from autotune.protocol import events
from autotune.protocol.events import WORKER_EVENT, WorkerEvent
from autotune.protocol.failure import Failure
from autotune.protocol.job import PrepareJob, SurveyJob, TrialJob
from autotune.protocol.plan import DataSpec, TrialPoint
from tests.worker.toys import (
    chat_file,
    device,
    longest_row,
    of_kind,
    plan_of,
    save_toy,
    train_job,
    work,
)

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("text", ["", "{", '{"job": "dance"}', '{"job": "survey"}'])
def test_a_job_file_that_is_none_is_a_bad_job(tmp_path: Path, text: str) -> None:
    job = tmp_path / "job.json"
    job.write_text(text, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-m", "autotune.worker", str(job)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        (line,) = process.stdout.read().splitlines()
        assert process.wait() == 4
        assert process.stderr.read() == b""
    said = WORKER_EVENT.validate_json(line)
    assert isinstance(said, events.Failed)
    assert said.fault is Failure.BAD_JOB
    assert said.message.startswith("job file: ")


def test_a_worker_says_events_and_nothing_else(tmp_path: Path) -> None:
    job = PrepareJob(device=device(), source="toy", out=str(tmp_path / "toy"))
    emitted, ending = work(job, tmp_path / "work")
    assert ending.failure is None
    assert isinstance(emitted[0], events.Ready)
    assert (emitted[0].device, emitted[0].torch.count(".") >= 2) == ("CPU, 1 thread", True)
    assert isinstance(emitted[-1], events.Notice)
    assert (tmp_path / "work" / "worker.log").read_bytes() == b""


def test_a_file_that_is_not_there_is_one_line_for_the_person(tmp_path: Path) -> None:
    job = SurveyJob(
        device=device(),
        model_folder=str(tmp_path / "nowhere"),
        data=DataSpec(path=str(tmp_path / "chat.jsonl"), format="auto"),
        out=str(tmp_path / "survey.json"),
    )
    _, ending = work(job, tmp_path / "work")
    assert ending.failure is Failure.BAD_JOB
    assert "nowhere" in ending.reason
    assert "\n" not in ending.reason


def test_a_worker_whose_parent_is_gone_goes_too(tmp_path: Path) -> None:
    plan = plan_of(
        save_toy(tmp_path / "model"), chat_file(tmp_path / "chat.jsonl"), num_train_epochs=2000
    )
    job = tmp_path / "job.json"
    job.write_text(train_job(plan, tmp_path / "out").model_dump_json(), encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-m", "autotune.worker", str(job)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=worker_environment(),
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        while not isinstance(
            WORKER_EVENT.validate_json(process.stdout.readline()), events.StepDone
        ):
            pass
        if sys.platform != "win32":
            process.send_signal(signal.SIGINT)  # Ctrl-C goes to the whole group: not for us
            WORKER_EVENT.validate_json(process.stdout.readline())
            time.sleep(0.2)
            assert process.poll() is None
        process.stdin.close()
        process.stdin = None
        begin = time.monotonic()
        while process.stdout.readline():
            pass
        assert process.wait() != 0
        assert time.monotonic() - begin < 5


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space of a process")
def test_a_worker_without_memory_says_so_and_exits_with_3(tmp_path: Path) -> None:
    limited = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30));"
        " sys.argv = ['worker', *sys.argv[1:]];"
        " runpy.run_module('autotune.worker', run_name='__main__')"
    )
    chat = chat_file(tmp_path / "chat.jsonl")
    where, tokens = longest_row(chat, 128)
    job = TrialJob(
        device=device(),
        model_folder=str(save_toy(tmp_path / "model")),
        data=DataSpec(path=str(chat), format="auto"),
        point=TrialPoint(
            model_max_length=128,
            max_rounds="all",
            micro_batch_tokens=3_000_000,
            gradient_checkpointing=False,
            row_tokens=tokens,
        ),
        longest_conversation=where,
        generate_rows=1,
        generate_context=64,
        seed=0,
    )
    emitted: list[WorkerEvent] = []
    ending = SubprocessRunner((sys.executable, "-c", limited)).run(
        job, tmp_path / "work", emitted.append, silence_seconds=120
    )
    assert ending.failure is Failure.OUT_OF_MEMORY, ending
    assert ending.failed is not None
    assert (ending.failed.fault, ending.failed.phase) == (Failure.OUT_OF_MEMORY, "forward")
    assert "allocate" in ending.reason


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files of a process")
def test_a_training_on_a_full_disk_says_so_and_keeps_what_it_has(tmp_path: Path) -> None:
    plan = plan_of(save_toy(tmp_path / "model"), chat_file(tmp_path / "chat.jsonl"))
    job = train_job(plan, tmp_path / "out")
    limited = (
        "import resource, runpy, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        " resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000));"
        " sys.argv = ['worker', *sys.argv[1:]];"
        " runpy.run_module('autotune.worker', run_name='__main__')"
    )
    emitted: list[WorkerEvent] = []
    ending = SubprocessRunner((sys.executable, "-c", limited)).run(
        job, tmp_path / "work", emitted.append, silence_seconds=120
    )
    assert ending.failed is not None
    assert ending.failed.fault is Failure.DISK
    assert "checkpoint not written" in ending.reason
    assert list((tmp_path / "out").iterdir()) == []
    assert of_kind(emitted, events.StepDone)
