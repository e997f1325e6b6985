"""fp16 as it is really computed: autocast and torch's GradScaler, here on a CPU.

Overflows are made by a loss scale that is far too large, by weights whose products leave fp16's
range, or by gradients that are made infinite.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from autotune.protocol import events
from autotune.protocol.choices import Precision
from autotune.worker.train import checkpoint
from autotune.worker.train import step as step_module
from autotune.worker.train.loop import train
from autotune.worker.train.optimizer import MAX_SKIPS
from autotune.worker.train.step import Stepper
from tests.worker.toys import (
    Tight,
    chat_file,
    cpu,
    loaded_toy,
    of_kind,
    plan_of,
    save_toy,
    some_rows,
    stepper_of,
    train_job,
)

pytestmark = pytest.mark.torch

LENGTHS = [12, 61, 33, 40]
NAME = "0123456789abcdef"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_toy(tmp_path_factory.mktemp("toy"))


def told_by(stepper: Stepper) -> list[events.PrecisionChanged]:
    told: list[events.PrecisionChanged] = []
    stepper.on_precision_change = told.append
    return told


def go_on(stepper: Stepper, first: int, last: int) -> list[float]:
    rows = [some_rows(LENGTHS, seed=number) for number in range(first, last + 1)]
    return [stepper.step(r, number).loss for number, r in enumerate(rows, start=first)]


def assert_same_bits(one: Stepper, other: Stepper) -> None:
    weights, others = one.loaded.model.state_dict(), other.loaded.model.state_dict()
    moments, more = checkpoint.optimizer_tensors(one), checkpoint.optimizer_tensors(other)
    for name, tensor in (weights | moments).items():
        assert torch.equal(tensor, (others | more)[name]), name


def scaler_at(scale: float, **options: Any) -> Any:
    return torch.amp.GradScaler("cpu", init_scale=scale, **options)


def test_an_overflow_at_every_scale_goes_on_in_bf16_and_says_so(folder: Path) -> None:
    """From 2^120 no number of halvings that is allowed reaches a scale that fits."""
    stepper = stepper_of(loaded_toy(folder), Precision.FP16)
    stepper.scaler = scaler_at(2.0**120)
    told = told_by(stepper)
    result = stepper.step(some_rows(LENGTHS), 3)
    assert (told[0].step, told[0].before, told[0].after) == (3, Precision.FP16, Precision.BF16)
    assert told[0].reason.startswith(f"gradients overflowed {MAX_SKIPS + 1} times in a row")
    assert result.skips == stepper.skipped_steps == MAX_SKIPS + 1
    bf16 = stepper_of(loaded_toy(folder), Precision.BF16)
    assert result.loss == bf16.step(some_rows(LENGTHS), 3).loss
    assert go_on(stepper, 4, 6) == go_on(bf16, 4, 6)
    assert_same_bits(stepper, bf16)
    assert len(told) == 1


def test_a_scale_that_falls_below_one_is_the_end_of_fp16(folder: Path) -> None:
    """Infinite as long as fp16 computes: torch's first scale is halved from 65 536 to a half."""
    stepper = stepper_of(loaded_toy(folder), Precision.FP16)
    told = told_by(stepper)

    def full(gradient: torch.Tensor) -> torch.Tensor:
        return gradient * float("inf") if stepper.scaler.is_enabled() else gradient

    stepper.loaded.model.model.norm.weight.register_hook(full)
    assert stepper.step(some_rows(LENGTHS), 1).skips == 17
    assert told[0].reason == "gradients overflow at a loss scale of 1"


def test_a_few_overflows_are_no_reason_to_leave_fp16(folder: Path) -> None:
    stepper = stepper_of(loaded_toy(folder), Precision.FP16)
    told = told_by(stepper)
    calls = [0]

    def full(gradient: torch.Tensor) -> torch.Tensor:
        calls[0] += 1
        return gradient * float("inf") if calls[0] <= 3 else gradient

    stepper.loaded.model.model.norm.weight.register_hook(full)
    results = [stepper.step(some_rows(LENGTHS), number) for number in (1, 2, 3)]
    assert [r.skips for r in results] == [3, 0, 0]
    assert stepper.scaler.get_scale() == 65536 / 8
    assert stepper.compute.precision is Precision.FP16
    assert told == []


def test_a_loss_that_overflows_in_fp16_is_taken_in_bf16_at_once(folder: Path) -> None:
    """States of size 1e5 are beyond fp16's 65 504 before any scale could act."""

    def loud(precision: Precision) -> Stepper:
        loaded = loaded_toy(folder)
        with torch.no_grad():
            loaded.model.model.norm.weight.mul_(1e5)
        return stepper_of(loaded, precision)

    stepper = loud(Precision.FP16)
    told = told_by(stepper)
    result = stepper.step(some_rows(LENGTHS), 2)
    assert (result.skips, told[0].reason) == (1, "the loss overflows")
    bf16 = loud(Precision.BF16)
    assert result.loss == bf16.step(some_rows(LENGTHS), 2).loss
    assert_same_bits(stepper, bf16)


def test_a_shared_device_keeps_its_precision_for_the_next_job(folder: Path) -> None:
    loaded, compute = loaded_toy(folder), cpu(Precision.FP16)
    stepper = stepper_of(loaded, Precision.FP16)
    stepper.compute = compute
    stepper.use(Precision.BF16)
    assert compute.precision is Precision.FP16
    assert stepper.compute.memory is compute.memory


def test_every_field_of_the_scaler_is_restored_and_it_grows_at_the_same_step(
    folder: Path, tmp_path: Path
) -> None:
    """The checkpoint lies in the middle of a growth interval."""
    stepper = stepper_of(loaded_toy(folder), Precision.FP16)
    stepper.scaler = scaler_at(2.0**7, growth_factor=4.0, backoff_factor=0.25, growth_interval=3)
    go_on(stepper, 1, 2)
    before = stepper.scaler.state_dict()
    assert before == {
        "scale": 2.0**7,
        "growth_factor": 4.0,
        "backoff_factor": 0.25,
        "growth_interval": 3,
        "_growth_tracker": 2,
    }
    where = checkpoint.save(tmp_path, stepper.loaded, stepper, 2, NAME)
    again = stepper_of(loaded_toy(folder), Precision.FP16)
    checkpoint.restore(where, again)
    assert again.scaler.state_dict() == before
    assert go_on(again, 3, 3) == go_on(stepper, 3, 3)
    assert again.scaler.get_scale() == stepper.scaler.get_scale() == 2.0**9
    assert go_on(again, 4, 7) == go_on(stepper, 4, 7)
    assert again.scaler.state_dict() == stepper.scaler.state_dict()
    assert_same_bits(again, stepper)


def test_a_training_that_left_fp16_is_resumed_outside_it_to_the_same_bits(
    folder: Path, tmp_path: Path
) -> None:
    stepper = stepper_of(loaded_toy(folder), Precision.FP16)
    go_on(stepper, 1, 1)
    stepper.scaler = scaler_at(2.0**120)
    go_on(stepper, 2, 2)
    where = checkpoint.save(tmp_path, stepper.loaded, stepper, 2, NAME)
    state = json.loads((where / "trainer_state.json").read_text(encoding="utf-8"))
    assert (state["precision"], state["scaler"]) == ("bf16", {})
    again = stepper_of(loaded_toy(folder), Precision.FP16)
    told = told_by(again)
    checkpoint.restore(where, again)
    assert again.skipped_steps == stepper.skipped_steps == MAX_SKIPS + 1
    assert go_on(again, 3, 6) == go_on(stepper, 3, 6)
    assert_same_bits(again, stepper)
    assert told == []


@pytest.mark.parametrize("precision", list(Precision))
def test_weights_and_moments_are_fp32_in_every_precision(
    folder: Path, precision: Precision
) -> None:
    stepper = stepper_of(loaded_toy(folder), precision)
    go_on(stepper, 1, 3)
    assert {p.dtype for p in stepper.loaded.model.parameters()} == {torch.float32}
    moments = checkpoint.optimizer_tensors(stepper)
    assert {t.dtype for t in moments.values()} == {torch.float32}
    assert {name.split(".")[1] for name in moments} == {"step", "exp_avg", "exp_avg_sq"}
    assert {float(t) for name, t in moments.items() if name.endswith(".step")} == {3.0}


def test_the_moments_exist_before_the_first_update(folder: Path) -> None:
    stepper = stepper_of(loaded_toy(folder))
    sizes = {name.split(".")[1]: 0 for name in checkpoint.optimizer_tensors(stepper)}
    for name, tensor in checkpoint.optimizer_tensors(stepper).items():
        sizes[name.split(".")[1]] += tensor.numel()
        assert not tensor.any()
    trained = sum(p.numel() for p in stepper.loaded.model.parameters())
    assert sizes["exp_avg"] == sizes["exp_avg_sq"] == trained


@pytest.fixture
def chat(tmp_path: Path) -> Path:
    return chat_file(tmp_path / "chat.jsonl")


def trained(
    folder: Path, chat: Path, out: Path, precision: Precision = Precision.FP16
) -> tuple[list[Any], Tight]:
    """Eight steps by the train job; its steps as they were reported, and all that it said."""
    pipe = Tight()
    plan = plan_of(folder, chat, precision=precision, resume_every_seconds=1e9)
    train(train_job(plan, out), cpu(precision), pipe)
    return of_kind(pipe.emitted, events.StepDone), pipe


def test_skipped_attempts_are_counted_and_move_neither_schedule_nor_progress(
    folder: Path, chat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first scale of 2^24 overflows until it is halved often enough."""
    calm, said = trained(folder, chat, tmp_path / "calm")
    assert of_kind(said.emitted, events.Trained)[0].skipped_steps == 0

    def high(precision: Precision, device: torch.device) -> Any:
        assert precision is Precision.FP16
        return scaler_at(2.0**24)

    monkeypatch.setattr(step_module, "scaler_of", high)
    steps, said = trained(folder, chat, tmp_path / "high")
    skips = [event.skips for event in steps]
    assert skips[0] > 0 and sum(skips[1:]) <= 2
    assert of_kind(said.emitted, events.Trained)[0].skipped_steps == sum(skips)
    assert [e.step for e in steps] == [1, 2, 3, 4, 5, 6, 7, 8]
    for name in ("learning_rate", "supervised_tokens", "tokens"):
        assert [getattr(e, name) for e in steps] == [getattr(e, name) for e in calm]
    assert [e.loss for e in steps] == pytest.approx([e.loss for e in calm], rel=1e-2)
    saved = [e.checkpoint.progress for e in of_kind(said.emitted, events.CheckpointSaved)]
    assert saved == [0.5, 1.0]


def test_a_training_that_leaves_fp16_tells_it_once_and_comes_to_its_end(
    folder: Path, chat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Callable[..., Any] = step_module.scaler_of

    def hopeless(precision: Precision, device: torch.device) -> Any:
        fp16 = precision is Precision.FP16
        return scaler_at(2.0**120) if fp16 else made(precision, device)

    monkeypatch.setattr(step_module, "scaler_of", hopeless)
    steps, said = trained(folder, chat, tmp_path / "out")
    (changed,) = of_kind(said.emitted, events.PrecisionChanged)
    assert (changed.step, changed.after) == (1, Precision.BF16)
    assert [e.skips for e in steps] == [MAX_SKIPS + 1, 0, 0, 0, 0, 0, 0, 0]
    assert len(of_kind(said.emitted, events.CheckpointSaved)) == 2
