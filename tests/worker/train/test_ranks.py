"""One training by two processes is the training by one: losses, weights, checkpoints.

Two real processes, started by torchrun and joined by gloo on this computer.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from autotune.launch import worker_environment
from autotune.protocol import events
from autotune.protocol.events import WORKER_EVENT, HeldOutLoss, WorkerEvent
from autotune.protocol.failure import Failure
from autotune.protocol.job import JOB
from autotune.worker.memory.errors import classify
from autotune.worker.train.loop import BadJob, resumed, train
from autotune.worker.train.ranks import OtherRankFailed, Ranks, SeveralRanks, shares
from tests.worker.toys import (
    FULL,
    Tight,
    chat_file,
    cpu,
    loaded_toy,
    losses,
    of_kind,
    plan_of,
    save_toy,
    stepper_of,
    train_job,
)
from tests.worker.train.two_ranks import SHORT_RANK

pytestmark = pytest.mark.torch

STEPS = 8
"""Two epochs of 25 conversations, eight a step: the fourth step of each has one."""


MICRO_BATCH_TOKENS = 1024
"""More than a step has: what cuts it is the share of each rank."""


@dataclass
class Both:
    """The same training by one process, and what each rank and the worker of two said of theirs."""

    folder: Path
    alone: list[WorkerEvent]
    ranks: list[dict[str, Any]]
    worker: list[WorkerEvent]

    def weights(self, name: str, step: int = STEPS) -> dict[str, torch.Tensor]:
        return load_file(self.folder / name / f"step-{step:06d}" / "model.safetensors")

    def assert_same_weights(self, name: str) -> None:
        """To what AdamW makes of float32's rounding, as in `test_oom`."""
        alone = self.weights("alone")
        for key, weight in self.weights(name).items():
            torch.testing.assert_close(weight, alone[key], rtol=0, atol=2e-6, msg=key)


def continued(folder: Path, source: str, name: str) -> None:
    """A folder that holds only the checkpoint in the middle of a training."""
    middle = f"step-{STEPS // 2:06d}"
    shutil.copytree(folder / source / middle, folder / name / middle)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    if sys.platform == "win32":
        pytest.skip("torchrun was not tried on Windows")
    folder = tmp_path_factory.mktemp("ranks")
    plan = plan_of(
        save_toy(folder / "model"),
        chat_file(folder / "chat.jsonl", conversations=27),
        conversations=25,
        held_out=2,
        batch_size=8,
        micro_batch_tokens=MICRO_BATCH_TOKENS,
        neftune_noise_alpha=5.0,
        resume_every_seconds=1e9,
    )
    assert plan.total_steps == STEPS
    pipe = Tight()
    train(train_job(plan, folder / "alone"), cpu(), pipe)
    continued(folder, "alone", "resumed")
    for name in ("short", "resumed", "whole"):
        job = train_job(plan, folder / name)
        (folder / f"{name}.json").write_text(job.model_dump_json(), encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", "2", "-m", "tests.worker.train.two_ranks", str(folder)),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env=worker_environment()
        | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-3000:]
    ranks = [json.loads((folder / f"rank-{at}.json").read_text("utf-8")) for at in (0, 1)]
    worker = [WORKER_EVENT.validate_json(line) for line in done.stdout.splitlines()]
    return Both(folder, pipe.emitted, ranks, worker)


def test_two_processes_take_the_steps_of_one_and_end_with_its_weights(both: Both) -> None:
    assert losses(both.worker) == pytest.approx(losses(both.alone), rel=1e-5)
    assert len(losses(both.worker)) == STEPS
    held = [{e.step: e.loss for e in of_kind(s, HeldOutLoss)} for s in (both.worker, both.alone)]
    assert held[0] == pytest.approx(held[1], rel=1e-5)
    both.assert_same_weights("whole")


def test_the_first_rank_alone_reports_and_saves(both: Both) -> None:
    kinds = [event.kind for event in both.worker if event.kind != "phase"]
    assert kinds == ["ready"] + [event.kind for event in both.alone if event.kind != "phase"]
    assert [e.checkpoint.step for e in of_kind(both.worker, events.CheckpointSaved)] == [4, 8]
    assert [rank["short"]["saved"] for rank in both.ranks] == [[4, 8], []]


def test_a_step_of_one_conversation_is_taken_by_one_rank_and_others_are_shared(
    both: Both,
) -> None:
    first, second = (rank["resumed"]["micro_batches"] for rank in both.ranks)
    assert (first[-1], second[-1]) == (1, 0)
    assert all(first[:-1]) and all(second[:-1])


def test_a_rank_without_memory_has_all_of_them_take_smaller_pieces(both: Both) -> None:
    told = [rank["short"]["resized"] for rank in both.ranks]
    ((step, tokens, reason),), ((other_step, other_tokens, own_reason),) = told
    assert (step, tokens) == (other_step, other_tokens)
    assert tokens < MICRO_BATCH_TOKENS
    assert own_reason == f"OutOfMemoryError: {FULL}"
    assert reason == f"OtherRankFailed: rank {SHORT_RANK} of 2: {own_reason}"
    for rank in both.ranks:
        found = {int(step): loss for step, loss in rank["short"]["losses"].items()}
        assert found == pytest.approx(losses(both.alone), rel=1e-5)
    both.assert_same_weights("short")


def test_two_continue_what_one_began_and_one_what_two_began(both: Both) -> None:
    assert [rank["resumed"]["resumed"] for rank in both.ranks] == [[4], [4]]
    both.assert_same_weights("resumed")
    continued(both.folder, "whole", "back")
    pipe = Tight()
    job: Any = JOB.validate_json((both.folder / "whole.json").read_bytes())
    train(job.model_copy(update={"out": str(both.folder / "back")}), cpu(), pipe)
    assert [e.step for e in of_kind(pipe.emitted, events.Resumed)] == [4]
    assert list(losses(pipe.emitted)) == [5, 6, 7, 8]
    both.assert_same_weights("back")


def test_an_overflow_in_fp16_is_found_on_all_ranks_and_their_weights_stay_the_same(
    both: Both,
) -> None:
    first, second = (rank["fp16"] for rank in both.ranks)
    assert first == second
    assert first["skips"][0] > 0


@given(sizes=st.lists(st.integers(1, 500), max_size=12), ranks=st.integers(1, 5))
def test_each_micro_batch_is_one_ranks_and_no_rank_has_much_more_than_another(
    sizes: list[int], ranks: int
) -> None:
    given_to = shares(sizes, ranks)
    assert len(given_to) == ranks
    assert sorted(at for own in given_to for at in own) == list(range(len(sizes)))
    loads = [sum(sizes[at] for at in own) for own in given_to]
    assert max(loads) - min(loads) <= max(sizes, default=0)
    assert given_to == shares(sizes, ranks)


def test_the_largest_go_first_and_a_rank_may_have_none() -> None:
    assert shares([4, 9, 5, 7, 5], 2) == [[1, 4], [0, 2, 3]]
    assert shares([3], 3) == [[0], [], []]


def test_a_step_that_one_micro_batch_could_hold_is_cut_for_all_ranks() -> None:
    """Two ranks, of which only what needs no other one is asked."""
    two = object.__new__(SeveralRanks)
    two.size = 2
    assert two.limit([30, 20, 31], 1024) == 41
    assert two.limit([30, 20, 31], 32) == 32
    assert two.limit([], 32) == 1


class OfTwoMachines(Ranks):
    """The first of two ranks; the other one sees a checkpoint of step 4."""

    size = 2

    def each(self, number: int) -> list[int]:
        return [number, 4]


def test_ranks_that_see_different_checkpoints_are_refused(both: Both, tmp_path: Path) -> None:
    stepper = stepper_of(loaded_toy(both.folder / "model"))
    stepper.ranks = OfTwoMachines()
    job: Any = JOB.validate_json((both.folder / "whole.json").read_bytes())
    with pytest.raises(BadJob, match=r"newest checkpoint is of step 0 and 4 as the ranks see it"):
        resumed(tmp_path, stepper, job.plan, Tight())


def test_what_another_rank_failed_of_is_what_this_one_fails_of() -> None:
    assert classify(OtherRankFailed(Failure.OUT_OF_MEMORY, "rank 1")) is Failure.OUT_OF_MEMORY
    assert classify(OtherRankFailed(Failure.DISK, "rank 0: full")) is Failure.DISK
