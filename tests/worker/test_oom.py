"""One step that runs out of memory: what is cleaned, what is tried, and when it is left alone.

Errors are raised where the real ones are: within a layer, in the backward pass, between unscaling
and update.
"""

import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from autotune.protocol import events
from autotune.protocol.choices import Precision
from autotune.protocol.failure import Failure
from autotune.protocol.oom_recovery import SLACK_BYTES
from autotune.worker.channel import Pipe
from autotune.worker.memory.base import MemoryReading
from autotune.worker.memory.errors import classify
from autotune.worker.oom import MemoryKept, StepRecovery
from autotune.worker.train.ranks import ALONE
from autotune.worker.train.step import Stepper
from tests.fakes.memory import FakeMemory
from tests.worker.toys import FULL, Tight, loaded_toy, of_kind, some_rows, stepper_of

pytestmark = pytest.mark.torch

LENGTHS = [12, 61, 33, 40, 7, 18]


def rescue_of(stepper: Stepper, pipe: Pipe) -> StepRecovery:
    stepper.enter = pipe.enter
    return StepRecovery(stepper, pipe, longest_row=61, batch_size=6)


def raises_once(after: int) -> Callable[..., None]:
    """A hook that runs out of memory when it is called the `after`-th time."""
    calls = [0]

    def hook(*_: Any) -> None:
        calls[0] += 1
        if calls[0] == after:
            raise torch.OutOfMemoryError(FULL)

    return hook


def in_a_layer(stepper: Stepper, monkeypatch: pytest.MonkeyPatch) -> None:
    stepper.loaded.model.model.layers[1].register_forward_hook(raises_once(2))


def in_backward(stepper: Stepper, monkeypatch: pytest.MonkeyPatch) -> None:
    stepper.loaded.model.model.layers[0].mlp.down_proj.weight.register_hook(raises_once(2))


def in_clipping(stepper: Stepper, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients are unscaled by then, which fp16's scaler allows once an update."""
    clip, full = torch.nn.utils.clip_grad_norm_, raises_once(1)

    def tight(*arguments: Any) -> Any:
        full()
        return clip(*arguments)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", tight)


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.FP16])
@pytest.mark.parametrize("where", [in_a_layer, in_backward, in_clipping])
def test_a_step_that_is_broken_off_anywhere_is_taken_again_as_if_it_had_not_begun(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: Callable[[Stepper, pytest.MonkeyPatch], None],
    precision: Precision,
) -> None:
    """fp16 is autocast with GradScaler on the CPU."""
    rows = [some_rows(LENGTHS, seed=number) for number in (1, 2, 3)]
    calm = stepper_of(loaded_toy(tmp_path), precision, micro_batch_tokens=122)
    expected = [calm.step(r, number) for number, r in enumerate(rows, start=1)]
    stepper = stepper_of(loaded_toy(tmp_path), precision, micro_batch_tokens=122)
    pipe = Tight()
    step_recovery = rescue_of(stepper, pipe)
    where(stepper, monkeypatch)
    results = [step_recovery.step(r, number) for number, r in enumerate(rows, start=1)]
    assert len(of_kind(pipe.emitted, events.MicroBatchResized)) == 1
    tolerance = 1e-5 if precision is Precision.FP32 else 1e-3
    for result, other in zip(results, expected, strict=True):
        assert result.loss == pytest.approx(other.loss, rel=tolerance)
        assert result.learning_rate == other.learning_rate
        assert result.skips == other.skips == 0
    assert stepper.scaler.state_dict() == calm.scaler.state_dict()
    if precision is Precision.FP32:
        others = calm.loaded.model.state_dict()
        for name, weight in stepper.loaded.model.state_dict().items():
            torch.testing.assert_close(weight, others[name], rtol=0, atol=2e-6, msg=name)


def test_nothing_of_the_failed_batch_is_alive_when_the_step_is_done_again(tmp_path: Path) -> None:
    stepper = stepper_of(loaded_toy(tmp_path), micro_batch_tokens=122)
    pipe = Tight()
    step_recovery = rescue_of(stepper, pipe)
    outputs: list[weakref.ref[torch.Tensor]] = []
    alive: list[list[object]] = []

    def full(module: Any, arguments: Any, output: torch.Tensor) -> None:
        if of_kind(pipe.emitted, events.MicroBatchResized):
            if not alive:
                alive.append([ref() for ref in outputs if ref() is not None])
            return
        outputs.append(weakref.ref(output))
        if len(outputs) == 2:
            raise torch.OutOfMemoryError(FULL)

    stepper.loaded.model.model.layers[1].register_forward_hook(full)
    step_recovery.step(some_rows(LENGTHS), 1)
    assert len(outputs) == 2
    assert alive == [[]]


def test_smaller_and_smaller_then_checkpointing_and_then_the_error_itself(tmp_path: Path) -> None:
    pipe = Tight()
    stepper = stepper_of(loaded_toy(tmp_path), micro_batch_tokens=1_000_000)
    step_recovery = rescue_of(stepper, pipe)

    def full(phase: str) -> None:
        pipe.enter(phase)
        raise torch.OutOfMemoryError(FULL)

    stepper.enter = full
    with pytest.raises(torch.OutOfMemoryError, match="Tried to allocate"):
        step_recovery.step(some_rows(LENGTHS), 4)
    cuts = [
        (e.after.micro_batch_tokens, e.after.gradient_checkpointing)
        for e in of_kind(pipe.emitted, events.MicroBatchResized)
    ]
    # Six rows of up to 61, rounded up to 64, are 384 tokens: half a million would change nothing.
    assert cuts == [(192, False), (96, False), (61, False), (61, True)]


def test_memory_that_does_not_come_back_is_left_to_a_new_process(tmp_path: Path) -> None:
    held = iter([100, 100 + SLACK_BYTES + 1])
    stepper = stepper_of(loaded_toy(tmp_path), micro_batch_tokens=122)
    stepper.compute.memory = FakeMemory(lambda _: MemoryReading(0, 0, 0, held_bytes=next(held)))
    pipe = Tight(0)
    with pytest.raises(MemoryKept, match=r"in forward, and 128 MiB of it are still held") as kept:
        rescue_of(stepper, pipe).step(some_rows(LENGTHS), 2)
    assert classify(kept.value) is Failure.OUT_OF_MEMORY
    assert stepper.compute.memory.released == 1
    (resized,) = of_kind(pipe.emitted, events.MicroBatchResized)
    assert (resized.step, resized.same_process, resized.after.micro_batch_tokens) == (2, False, 61)


def test_an_error_that_may_be_for_memory_is_taken_for_it_once(tmp_path: Path) -> None:
    text = "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"
    stepper = stepper_of(loaded_toy(tmp_path), micro_batch_tokens=10_000)
    pipe = Tight(0, lambda: RuntimeError(text))
    step_recovery = rescue_of(stepper, pipe)
    assert step_recovery.step(some_rows(LENGTHS), 1).loss > 0
    assert of_kind(pipe.emitted, events.MicroBatchResized)[0].reason == f"RuntimeError: {text}"
    pipe.at = len(pipe.phases)
    with pytest.raises(RuntimeError, match="NOT_INITIALIZED"):
        step_recovery.step(some_rows(LENGTHS), 2)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        ValueError("a row is out of memory"),
    ],
)
def test_a_broken_device_and_other_errors_are_not_tried_again(
    tmp_path: Path, error: Exception
) -> None:
    pipe = Tight(1, lambda: error)
    with pytest.raises(type(error)):
        rescue_of(stepper_of(loaded_toy(tmp_path)), pipe).step(some_rows(LENGTHS), 1)
    assert pipe.phases == ["forward", "backward"]
    assert not of_kind(pipe.emitted, events.MicroBatchResized)


def test_a_save_without_memory_is_tried_once_more_and_no_further(tmp_path: Path) -> None:
    pipe = Tight()
    step_recovery = rescue_of(stepper_of(loaded_toy(tmp_path)), pipe)

    def save() -> None:
        pipe.enter("saving")
        raise MemoryError

    with pytest.raises(MemoryError):
        step_recovery.between_steps(save, 3)
    assert pipe.phases == ["saving", "saving"]
    (resized,) = of_kind(pipe.emitted, events.MicroBatchResized)
    assert (resized.phase, resized.reason, resized.after) == (
        "saving",
        "MemoryError",
        resized.before,
    )


@pytest.mark.parametrize(("kind", "tried_smaller"), [("cuda", False), ("cpu", True)])
def test_a_lack_of_the_computers_memory_is_met_with_smaller_pieces_on_a_cpu_only(
    kind: str, tried_smaller: bool
) -> None:
    compute = SimpleNamespace(device=torch.device(kind))
    pipe = SimpleNamespace(phase="backward")
    step_recovery = StepRecovery(
        cast(Stepper, SimpleNamespace(compute=compute, ranks=ALONE)),
        cast(Pipe, pipe),
        longest_row=61,
        batch_size=6,
    )
    for error in (MemoryError("std::bad_alloc"), OSError(12, "Cannot allocate memory")):
        assert (step_recovery.recovery.shortage(error, "backward") is not None) is tried_smaller
    assert step_recovery.recovery.shortage(torch.OutOfMemoryError(FULL), "backward") is not None
