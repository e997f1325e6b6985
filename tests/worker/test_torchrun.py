"""What torchrun says of a process, and what is refused where there are several; without torch."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from autotune.base.errors import BadInput
from autotune.launch import worker_environment
from autotune.protocol import events
from autotune.protocol.events import WORKER_EVENT
from autotune.protocol.failure import Failure
from autotune.protocol.job import PrepareJob, on_the_computer
from autotune.worker.channel import FailuresOnly
from autotune.worker.torchrun import ALONE, Launch, device_of, launch_of

SECOND = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}


def test_a_process_is_alone_unless_torchrun_says_otherwise() -> None:
    assert launch_of({"PATH": "x"}) == ALONE
    assert not ALONE.shared
    assert launch_of(SECOND) == Launch(rank=1, size=2, local_rank=0)
    assert launch_of(SECOND).shared


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"RANK": "x"}, "RANK=x, WORLD_SIZE=2, LOCAL_RANK=0: .* must be whole numbers"),
        ({"RANK": "2"}, "RANK=2, WORLD_SIZE=2, LOCAL_RANK=0: ranks must be below WORLD_SIZE"),
    ],
)
def test_numbers_of_ranks_that_make_no_sense_are_refused(
    changed: dict[str, str], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        launch_of(SECOND | changed)


def test_each_rank_takes_the_card_of_its_own_number_on_its_machine() -> None:
    computer = on_the_computer()
    card = computer.model_copy(update={"kind": "cuda", "index": 3})
    launch = Launch(rank=5, size=8, local_rank=1)
    assert device_of(card, launch).index == 1
    assert device_of(card, ALONE) == card
    assert device_of(computer, launch) == computer


def test_a_job_that_several_processes_cannot_share_is_refused_in_one_line(tmp_path: Path) -> None:
    """Before torch is loaded."""
    job = PrepareJob(device=on_the_computer(), source="toy", out=str(tmp_path / "out"))
    path = tmp_path / "job.json"
    path.write_text(job.model_dump_json(), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "autotune.worker", str(path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env=worker_environment() | SECOND,
    )
    assert done.returncode == 4
    (line,) = done.stdout.splitlines()
    failed = WORKER_EVENT.validate_json(line)
    assert isinstance(failed, events.Failed)
    assert failed.fault is Failure.BAD_JOB
    assert failed.message == (
        "rank 1 of 2: a prepare job on 2 processes: only a train job is shared among processes;"
        " start it without torchrun"
    )
    assert not (tmp_path / "out").exists()


STARTER = """
import subprocess, sys
child = "from autotune.worker.channel import follow_starter as f; f(); print(1); input()"
subprocess.run([sys.executable, "-c", child])
"""


def test_a_rank_ends_when_torchrun_is_gone_whatever_standard_input_it_was_handed() -> None:
    """The reader of the pipe sees its end when the last of both is over."""
    with subprocess.Popen(
        [sys.executable, "-c", STARTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=worker_environment(),
    ) as starter:
        assert starter.stdout is not None and starter.stdin is not None
        assert starter.stdout.readline().strip() == b"1"
        starter.kill()
        assert starter.stdout.read() == b""


def test_a_rank_that_is_not_the_first_says_only_why_it_failed_and_where() -> None:
    stream = io.BytesIO()
    pipe = FailuresOnly(stream, "rank 1 of 2")
    pipe.enter("backward")
    pipe.emit(events.Warned(message="something"))
    assert (pipe.phase, stream.getvalue()) == ("backward", b"")
    pipe.emit(events.Failed(fault=Failure.OTHER, phase=pipe.phase, message="broken"))
    assert b'"message":"rank 1 of 2: broken"' in stream.getvalue()
