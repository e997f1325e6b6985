"""One worker for several trials: peaks of their own, and a new process after a failure."""

import time
from pathlib import Path

import pytest

from autotune.base.sizes import MIB
from autotune.launch import JobResult, SubprocessRunner, WarmRunner
from autotune.protocol import events
from autotune.protocol.events import WorkerEvent
from autotune.protocol.failure import Failure
from autotune.protocol.job import TrialJob
from autotune.protocol.plan import TrialPoint
from autotune.protocol.results import Measurement
from tests.worker.test_probe_by_force import MOST_ROUNDS, WIDE, long_chats
from tests.worker.toys import EXACT_PEAKS, data_spec, device, of_kind, save_toy

pytestmark = [pytest.mark.torch]


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model wide enough for its rows to be seen in resident memory, and conversations."""
    folder = tmp_path_factory.mktemp("warm")
    return save_toy(folder / "model", **WIDE), long_chats(folder / "chat.jsonl")


def job(given: tuple[Path, Path], length: int, where: int = MOST_ROUNDS - 1) -> TrialJob:
    return TrialJob(
        device=device(),
        model_folder=str(given[0]),
        data=data_spec(given[1]),
        point=TrialPoint(
            model_max_length=length,
            max_rounds="all",
            micro_batch_tokens=length,
            gradient_checkpointing=False,
            row_tokens=length,
        ),
        longest_conversation=where,
        generate_rows=2,
        generate_context=64,
        seed=1,
    )


def tried(
    runner: WarmRunner | SubprocessRunner, asked: TrialJob, folder: Path
) -> tuple[JobResult, Measurement | None, int]:
    """How the job ended, what it measured, and in which process."""
    emitted: list[WorkerEvent] = []
    ending = runner.run(asked, folder, emitted.append, silence_seconds=120)
    measured = of_kind(emitted, events.Measured)
    pid = of_kind(emitted, events.Ready)[0].pid
    return ending, measured[0].measurement if measured else None, pid


def test_a_warm_trial_measures_what_a_fresh_one_does_in_the_same_process(
    given: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*EXACT_PEAKS)
    cold = SubprocessRunner()
    _, small, _ = tried(cold, job(given, 128), tmp_path / "small")
    _, large, _ = tried(cold, job(given, 320), tmp_path / "large")
    assert small is not None
    assert large is not None
    assert large.peak_bytes > small.peak_bytes + 20 * MIB
    with cold.warm() as warm:
        found = [
            tried(warm, job(given, length), tmp_path / f"{at}")
            for at, length in enumerate((320, 128, 320))
        ]
    endings, measured, pids = zip(*found, strict=True)
    assert [e.failure for e in endings] == [None] * 3
    assert len(set(pids)) == 1
    assert [m.fresh for m in measured if m] == [True, False, False]
    # The second peak is the small row's, though the large one came before it in this process.
    noise = (large.peak_bytes - small.peak_bytes) // 3
    for warm_one, fresh_one in zip(measured, (large, small, large), strict=True):
        assert warm_one is not None
        assert abs(warm_one.peak_bytes - fresh_one.peak_bytes) < noise
    assert all((tmp_path / f"{at}" / "worker.log").exists() for at in range(3))


def test_after_a_failure_the_next_trial_has_a_process_of_its_own(
    given: tuple[Path, Path], tmp_path: Path
) -> None:
    with SubprocessRunner().warm() as warm:
        first = tried(warm, job(given, 128), tmp_path / "1")
        bad = tried(warm, job(given, 128, where=77), tmp_path / "2")
        after = tried(warm, job(given, 128), tmp_path / "3")
    assert (first[0].failure, bad[0].failure, after[0].failure) == (None, Failure.BAD_JOB, None)
    assert first[2] == bad[2] != after[2]
    assert after[1] is not None
    assert after[1].fresh


def test_a_warm_worker_ends_with_its_runner(given: tuple[Path, Path], tmp_path: Path) -> None:
    import psutil

    with SubprocessRunner().warm() as warm:
        _, _, pid = tried(warm, job(given, 128), tmp_path / "1")
        worker = psutil.Process(pid)
        assert worker.is_running()
    for _ in range(50):
        if not worker.is_running():
            break
        time.sleep(0.1)
    assert not worker.is_running()
