"""Memory that runs out late: the step is done again in smaller pieces, and nothing else changes.

Whole trainings, in which an error as torch raises it comes at the begin of each phase in turn, or
half-way through an update; and one that meets a real limit and a real refusal.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.optim.optimizer import register_optimizer_step_pre_hook

from autotune.launch import SubprocessRunner
from autotune.protocol import events
from autotune.protocol.events import WorkerEvent
from autotune.protocol.plan import MicroBatching, TrainPlan
from autotune.worker.train.loop import train
from tests.worker.toys import (
    FULL,
    WORDS,
    Tight,
    chat_file,
    cpu,
    longest_row,
    losses,
    of_kind,
    plan_of,
    save_toy,
    train_job,
    work,
)

pytestmark = pytest.mark.torch

ROUNDING = 2e-6
"""Absolute, on weights of size 0.02 to 1 after four steps at up to 3e-3 (measured: 1.2e-7). Another
cut adds the same gradients in another order, so it is rounding and not nothing."""
STEP = ("forward", "backward", "forward", "backward", "optimizer")
PHASES = [*STEP, *STEP, "saving", *STEP, *STEP, "saving"]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, int]:
    """A model, six conversations of nearly one length and the longest of their rows."""
    folder = tmp_path_factory.mktemp("toy")
    chat = folder / "chat.jsonl"
    talks = [
        [{"role": "user", "content": f"{word} {at}"}, {"role": "assistant", "content": 2 * word}]
        for at, word in enumerate(WORDS[:6])
    ]
    lines = [json.dumps({"messages": talk}) + "\n" for talk in talks]
    chat.write_text("".join(lines), encoding="utf-8")
    return save_toy(folder / "model"), chat, longest_row(chat, 256)[1]


def plan(toy: tuple[Path, Path, int], **changes: Any) -> TrainPlan:
    """Four steps of three conversations, in two micro-batches each; saved after two and four."""
    model, chat, longest = toy
    values = {"conversations": 6, "micro_batch_tokens": 2 * longest, "resume_every_seconds": 1e9}
    return plan_of(model, chat, **(values | changes))


def final(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "step-000004" / "model.safetensors")


@pytest.fixture(scope="module")
def undisturbed(
    toy: tuple[Path, Path, int], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Tight, dict[str, torch.Tensor]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    pipe = Tight()
    train(train_job(plan(toy), folder), cpu(), pipe)
    return pipe, final(folder)


def assert_same_training(
    emitted: list[WorkerEvent], undisturbed: list[WorkerEvent], *, rel: float = 1e-5
) -> None:
    """The same steps of the same rows at the same rates, and the same losses to rounding."""
    done, expected = of_kind(emitted, events.StepDone), of_kind(undisturbed, events.StepDone)
    for name in ("step", "total_steps", "learning_rate", "supervised_tokens", "tokens"):
        assert [getattr(e, name) for e in done] == [getattr(e, name) for e in expected], name
    assert [e.loss for e in done] == pytest.approx([e.loss for e in expected], rel=rel)


def assert_close(weights: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert weights.keys() == expected.keys()
    for name, weight in weights.items():
        torch.testing.assert_close(weight, expected[name], rtol=0, atol=ROUNDING, msg=name)


@pytest.mark.parametrize("at", range(len(PHASES)), ids=lambda at: f"{at}-{PHASES[at]}")
def test_out_of_memory_in_any_phase_of_any_step_ends_in_the_same_weights(
    toy: tuple[Path, Path, int], undisturbed: tuple[Tight, Any], tmp_path: Path, at: int
) -> None:
    assert undisturbed[0].phases == PHASES
    pipe = Tight(at)
    train(train_job(plan(toy), tmp_path), cpu(), pipe)
    assert_same_training(pipe.emitted, undisturbed[0].emitted)
    assert_close(final(tmp_path), undisturbed[1])
    (resized,) = of_kind(pipe.emitted, events.MicroBatchResized)
    step = 1 + sum(phase == "optimizer" for phase in PHASES[:at])
    whole = MicroBatching(micro_batch_tokens=2 * toy[2], gradient_checkpointing=False)
    if PHASES[at] == "saving":
        step, after = step - 1, whole
    else:
        after = MicroBatching(micro_batch_tokens=toy[2], gradient_checkpointing=False)
    assert (resized.step, resized.phase, resized.batch_size) == (step, PHASES[at], 3)
    assert (resized.before, resized.same_process) == (whole, True)
    assert resized.after == after
    assert resized.reason == f"OutOfMemoryError: {FULL}"
    saved = [e.checkpoint.step for e in of_kind(pipe.emitted, events.CheckpointSaved)]
    assert saved == [2, 4]


def test_the_smaller_cut_stays_and_the_next_lack_of_memory_goes_on_from_it(
    toy: tuple[Path, Path, int], undisturbed: tuple[Tight, Any], tmp_path: Path
) -> None:
    class Twice(Tight):
        def enter(self, phase: str) -> None:
            super().enter(phase)
            steps, resizes = (
                len(of_kind(self.emitted, k)) for k in (events.StepDone, events.MicroBatchResized)
            )
            if (steps, resizes, phase) == (2, 1, "backward"):
                raise torch.OutOfMemoryError(FULL)

    pipe = Twice(0)
    train(train_job(plan(toy), tmp_path), cpu(), pipe)
    first, second = of_kind(pipe.emitted, events.MicroBatchResized)
    assert second.before == first.after
    assert second.after == first.after.model_copy(update={"gradient_checkpointing": True})
    assert (first.step, second.step) == (1, 3)
    assert_same_training(pipe.emitted, undisturbed[0].emitted)
    assert_close(final(tmp_path), undisturbed[1])


def test_memory_that_runs_out_in_the_update_itself_goes_on_from_the_last_checkpoint(
    toy: tuple[Path, Path, int], undisturbed: tuple[Tight, Any], tmp_path: Path
) -> None:
    """Half of the third update is done when the error comes: this process's weights are no good."""
    updates = [0]

    def half_an_update(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        updates[0] += 1
        if updates[0] == 3:
            with torch.no_grad():
                optimizer.param_groups[0]["params"][0].add_(1.0)
            raise torch.OutOfMemoryError(FULL)

    pipe = Tight()
    hook = register_optimizer_step_pre_hook(half_an_update)
    try:
        with pytest.raises(torch.OutOfMemoryError):
            train(train_job(plan(toy), tmp_path), cpu(), pipe)
    finally:
        hook.remove()
    (resized,) = of_kind(pipe.emitted, events.MicroBatchResized)
    assert (resized.step, resized.phase, resized.same_process) == (3, "optimizer", False)
    again = Tight()
    train(train_job(plan(toy, **resized.after.model_dump()), tmp_path), cpu(), again)
    assert [e.step for e in of_kind(again.emitted, events.Resumed)] == [2]
    assert_same_training(
        [*pipe.emitted, *of_kind(again.emitted, events.StepDone)], undisturbed[0].emitted
    )
    assert_close(final(tmp_path), undisturbed[1])


LIMITED = (
    "import resource, runpy, sys, torch, transformers, autotune.worker.train.loop;"
    " pages = int(open('/proc/self/statm').read().split()[0]);"
    " room = pages * resource.getpagesize() + (ROOM << 20);"
    " resource.setrlimit(resource.RLIMIT_AS, (room, room));"
    " sys.argv = ['worker', *sys.argv[1:]];"
    " runpy.run_module('autotune.worker', run_name='__main__')"
)


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space of a process")
def test_a_worker_that_is_really_refused_memory_goes_on_smaller_in_the_same_process(
    tmp_path: Path,
) -> None:
    """The kernel refuses, torch's CPU allocator raises: nothing is injected.

    Undisturbed, a step takes 0.8 GiB beyond what is mapped when the limit is set.
    """
    chat = chat_file(tmp_path / "chat.jsonl", conversations=8, longest=120)
    longest = longest_row(chat, 1024)[1]
    planned = plan_of(
        save_toy(tmp_path / "model", intermediate_size=4096),
        chat,
        conversations=8,
        batch_size=4,
        num_train_epochs=1,
        model_max_length=1024,
        micro_batch_tokens=4 * longest,
        resume_every_seconds=1e9,
    )
    whole, ending = work(train_job(planned, tmp_path / "whole"), tmp_path / "work")
    assert ending.failure is None, ending
    emitted: list[WorkerEvent] = []
    ending = SubprocessRunner((sys.executable, "-c", LIMITED.replace("ROOM", "550"))).run(
        train_job(planned, tmp_path / "tight"),
        tmp_path / "work",
        emitted.append,
        silence_seconds=120,
    )
    assert ending.failure is None, ending
    assert len(of_kind(emitted, events.Ready)) == 1
    told = of_kind(emitted, events.MicroBatchResized)
    assert told and all(e.same_process for e in told)
    assert "can't allocate memory" in told[0].reason
    assert told[0].before == planned.micro_batching
    assert losses(emitted).keys() == losses(whole).keys()
    assert_same_training(emitted, whole, rel=1e-4)
