"""The step: the same mathematics at every cut, fp16 overflows, faults, and what stays alive."""

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch

from autotune.protocol.choices import Precision
from autotune.worker.finite import NumericFault
from autotune.worker.model import Loaded
from autotune.worker.tokens.encode import IGNORED, Row
from autotune.worker.train import step as step_module
from autotune.worker.train.optimizer import MAX_SKIPS
from autotune.worker.train.step import Stepper
from tests.worker.toys import loaded_toy, save_toy, some_rows, stepper_of

pytestmark = pytest.mark.torch

LENGTHS = [12, 61, 33, 40, 7, 18]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_toy(tmp_path_factory.mktemp("toy"))


def weights(loaded: Loaded) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in loaded.model.named_parameters()}


def four_steps(folder: Path, **options: Any) -> tuple[list[float], list[float], Loaded]:
    """Losses, gradient norms and the trained toy."""
    loaded = loaded_toy(folder)
    stepper = stepper_of(loaded, **options)
    results = [stepper.step(some_rows(LENGTHS, seed=number), number) for number in (1, 2, 3, 4)]
    return [r.loss for r in results], [r.grad_norm for r in results], loaded


@pytest.mark.parametrize("micro_batch_tokens", [1, 70, 128, 10_000])
@pytest.mark.parametrize("gradient_checkpointing", [False, True])
@pytest.mark.parametrize("packing", [False, True])
def test_how_a_step_is_cut_changes_nothing_but_rounding(
    folder: Path, micro_batch_tokens: int, gradient_checkpointing: bool, packing: bool
) -> None:
    whole = four_steps(folder, micro_batch_tokens=10_000)
    cut = four_steps(
        folder,
        micro_batch_tokens=micro_batch_tokens,
        gradient_checkpointing=gradient_checkpointing,
        packing=packing,
    )
    assert cut[0] == pytest.approx(whole[0], rel=1e-5)
    assert cut[1] == pytest.approx(whole[1], rel=1e-4)
    for name, after in weights(cut[2]).items():
        torch.testing.assert_close(after, weights(whole[2])[name], rtol=0, atol=2e-5, msg=name)


def test_eight_rows_one_at_a_time_learn_what_eight_at_once_do(folder: Path) -> None:
    """Accumulation 1 x 8 against 8 x 1; the rows differ in length and in their share of labels."""
    rows = [some_rows([length], seed=length)[0] for length in (60, 58, 57, 55, 54, 52, 51, 49)]
    for row, share in zip(rows, range(8), strict=True):
        row.labels[: 6 * share] = [IGNORED] * 6 * share
    single, whole = (stepper_of(loaded_toy(folder), micro_batch_tokens=n) for n in (1, 8 * 60))
    assert (len(single.pieces(rows)), len(whole.pieces(rows))) == (8, 1)
    for number in range(1, 6):
        one, other = single.step(rows, number), whole.step(rows, number)
        assert one.loss == pytest.approx(other.loss, rel=1e-5)
        assert one.grad_norm == pytest.approx(other.grad_norm, rel=1e-4)


def test_the_loss_is_the_mean_over_the_steps_supervised_tokens(folder: Path) -> None:
    loaded = loaded_toy(folder)
    rows = some_rows([30, 50])
    supervised = sum(len(row.labels[1:]) - row.labels[1:].count(IGNORED) for row in rows)
    logprobs = 0.0
    for row in rows:
        with torch.no_grad():
            logits = loaded.model(input_ids=torch.tensor([row.input_ids])).logits[0]
        scores = logits.log_softmax(-1)
        logprobs += sum(
            float(scores[at - 1, label])
            for at, label in enumerate(row.labels)
            if at > 0 and label != IGNORED
        )
    result = stepper_of(loaded).step(rows, 1)
    assert result.loss == pytest.approx(-logprobs / supervised, rel=1e-5)
    assert result.supervised_tokens == supervised
    assert result.tokens == 80


def test_a_label_that_nothing_predicts_is_not_in_the_mean(folder: Path) -> None:
    row = some_rows([20])[0]
    cut_off = Row(row.input_ids, [row.input_ids[0], *row.labels[1:]])  # as a cut on the left does
    plain = Row(row.input_ids, [IGNORED, *row.labels[1:]])
    one, other = (stepper_of(loaded_toy(folder)).step([r], 1) for r in (cut_off, plain))
    assert (one.loss, one.supervised_tokens) == (other.loss, other.supervised_tokens)


def test_the_rate_warms_up_and_falls_by_the_true_number_of_steps(folder: Path) -> None:
    stepper = stepper_of(loaded_toy(folder), warmup_steps=2, total_steps=6, learning_rate=1e-3)
    rates = [stepper.step(some_rows([9]), number).learning_rate for number in range(1, 7)]
    assert rates[:3] == pytest.approx([0.0, 5e-4, 1e-3])
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert 0 < rates[-1] < 2e-4


@pytest.mark.parametrize("precision", list(Precision))
def test_weights_move_and_stay_fp32_in_every_precision(folder: Path, precision: Precision) -> None:
    loaded = loaded_toy(folder)
    before = weights(loaded)
    stepper = stepper_of(loaded, precision, warmup_steps=0)
    losses = [stepper.step(some_rows(LENGTHS), number).loss for number in range(1, 7)]
    assert losses[-1] < losses[0]
    for name, after in weights(loaded).items():
        assert after.dtype == torch.float32
        assert not torch.equal(after, before[name]), name


@pytest.mark.parametrize("stored", [torch.bfloat16, torch.float16])
def test_a_16_bit_checkpoint_is_trained_in_fp32(tmp_path: Path, stored: torch.dtype) -> None:
    source = loaded_toy(save_toy(tmp_path / "fp32"))
    source.model.to(stored).save_pretrained(tmp_path / "half")
    source.tokenizer.save_pretrained(tmp_path / "half")
    loaded = loaded_toy(tmp_path / "half")
    before = weights(loaded)
    stepper = stepper_of(loaded, Precision.FP16, learning_rate=4e-5, warmup_steps=0)
    stepper.step(some_rows(LENGTHS), 1)
    moved = [
        float((after != before[name]).float().mean()) for name, after in weights(loaded).items()
    ]
    assert all(p.dtype == torch.float32 for p in loaded.model.parameters())
    assert min(moved) > 0.5  # bf16 weights would round nine of ten of these updates away


def test_an_fp16_overflow_is_counted_and_the_step_done_again(folder: Path) -> None:
    rows = some_rows(LENGTHS)
    calm = stepper_of(loaded_toy(folder), Precision.FP16)
    expected = calm.step(rows, 2)

    stepper = stepper_of(loaded_toy(folder), Precision.FP16)
    stepper.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**24)
    result = stepper.step(rows, 2)
    assert result.skips > 0
    assert stepper.skipped_steps == result.skips
    assert stepper.scaler.get_scale() == 2.0 ** (24 - result.skips)
    assert result.learning_rate == expected.learning_rate
    assert result.loss == pytest.approx(expected.loss, rel=1e-3)
    for name, after in weights(stepper.loaded).items():
        torch.testing.assert_close(after, weights(calm.loaded)[name], rtol=0, atol=2e-4, msg=name)


def test_skipped_attempts_leave_weights_and_moments_alone(folder: Path) -> None:
    stepper = stepper_of(loaded_toy(folder), Precision.FP16)
    before = weights(stepper.loaded)
    stepper.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**120)
    stepper.loaded.model.model.norm.weight.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(NumericFault, match="non-finite gradients at step 3"):
        stepper.step(some_rows(LENGTHS), 3)  # at every scale, and then in bf16 as well
    assert stepper.skipped_steps == MAX_SKIPS + 1
    for name, after in weights(stepper.loaded).items():
        assert torch.equal(after, before[name]), name
    assert all(not s.get("exp_avg", torch.zeros(1)).any() for s in stepper.optimizer.state.values())


@pytest.mark.parametrize("precision", list(Precision))
def test_a_loss_that_is_no_number_ends_the_training_and_names_the_step(
    folder: Path, precision: Precision
) -> None:
    loaded = loaded_toy(folder)
    stepper = stepper_of(loaded, precision)
    with torch.no_grad():
        loaded.model.model.norm.weight[0] = float("nan")
    before = weights(loaded)
    with pytest.raises(NumericFault, match="non-finite loss at step 5"):
        stepper.step(some_rows(LENGTHS), 5)
    for name, after in weights(loaded).items():
        torch.testing.assert_close(after, before[name], rtol=0, atol=0, equal_nan=True)


def test_gradients_that_are_no_numbers_end_an_fp32_training(folder: Path) -> None:
    loaded = loaded_toy(folder)
    loaded.model.model.norm.weight.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(NumericFault, match="non-finite gradients at step 2"):
        stepper_of(loaded).step(some_rows(LENGTHS), 2)


def test_rows_without_a_label_are_refused_before_they_divide_by_zero(folder: Path) -> None:
    stepper = stepper_of(loaded_toy(folder))
    with pytest.raises(NumericFault, match="no supervised token in step 1"):
        stepper.step([Row([5, 6], [5, IGNORED])], 1)


def test_nothing_of_a_failed_batch_stays_alive(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: list[weakref.ref[torch.Tensor]] = []
    padded = step_module.pad

    def watched(*arguments: Any) -> Any:
        batch = padded(*arguments)
        alive.extend(weakref.ref(tensor) for tensor in batch if tensor is not None)
        return batch

    monkeypatch.setattr(step_module, "pad", watched)
    stepper = stepper_of(loaded_toy(folder), micro_batch_tokens=70)

    def full(module: Any, arguments: Any, output: torch.Tensor) -> None:
        alive.append(weakref.ref(output))
        if len(alive) > 6:  # in the second micro-batch
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    hook = stepper.loaded.model.model.layers[1].register_forward_hook(full)
    assert failure(stepper) == "OutOfMemoryError"
    hook.remove()
    stepper.optimizer.zero_grad(set_to_none=True)
    gc.collect()
    assert len(alive) > 6
    assert [ref() for ref in alive if ref() is not None] == []
    assert stepper.step(some_rows(LENGTHS), 1).loss > 0


def failure(stepper: Stepper) -> str:
    """What a step dies of. The error itself is let go here: its traceback holds every frame."""
    try:
        stepper.step(some_rows(LENGTHS), 1)
    except RuntimeError as error:
        return type(error).__name__
    return ""
