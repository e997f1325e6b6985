"""Noise on the embeddings: how large, on which tokens, of what it depends, and where there is none.

That a step's micro-batches change nothing of it, `test_partitions.py` shows.
"""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from autotune.worker.train.checkpoint import restore, save
from autotune.worker.train.held_out import held_out_loss
from autotune.worker.train.step import Stepper
from tests.worker.toys import loaded_toy, save_toy, some_rows, stepper_of

pytestmark = pytest.mark.torch

ALPHA, WIDTH = 5.0, 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_toy(tmp_path_factory.mktemp("toy"), hidden_size=WIDTH)


def noise_in(stepper: Stepper, lengths: list[int], number: int) -> Tensor:
    """What step `number` adds to the embeddings of rows of these lengths, (B, T, d)."""
    model = stepper.loaded.model
    before = model.get_input_embeddings().weight.detach().clone()
    read: list[Tensor] = []
    embedded: list[Tensor] = []
    hooks = [
        model.model.register_forward_pre_hook(
            lambda _, _inputs, named: read.append(named["input_ids"]), with_kwargs=True
        ),
        model.model.layers[0].register_forward_pre_hook(
            lambda _, inputs: embedded.append(inputs[0].detach().clone())
        ),
    ]
    stepper.step(some_rows(lengths), number)
    for hook in hooks:
        hook.remove()
    return embedded[0] - before[read[0]]


def noisy(folder: Path, **recipe: Any) -> Stepper:
    numbers = {"micro_batch_tokens": 10_000, "neftune_noise_alpha": ALPHA} | recipe
    return stepper_of(loaded_toy(folder), **numbers)


def test_noise_is_uniform_and_as_large_as_the_row_itself_is_long(folder: Path) -> None:
    """Rows are sorted, the longest first; behind the short one stands filling."""
    lengths = [56, 20]
    noise = noise_in(noisy(folder), lengths, 1)
    assert noise.shape == (2, 56, WIDTH)
    for row, length in zip(noise, lengths, strict=True):
        most = ALPHA / math.sqrt(length * WIDTH)
        own = row[:length]
        assert float(own.abs().max()) <= most * 1.001
        assert float(own.abs().max()) > 0.99 * most
        assert float(own.std()) == pytest.approx(most / math.sqrt(3), rel=0.05)
        assert abs(float(own.mean())) < 0.05 * most
        assert not row[length:].any()


def test_every_row_of_every_step_and_every_seed_has_noise_of_its_own(folder: Path) -> None:
    one = noise_in(noisy(folder), [40, 40], 1)
    assert not torch.allclose(one[0], one[1], atol=1e-3)
    assert not torch.allclose(one, noise_in(noisy(folder), [40, 40], 2), atol=1e-3)
    assert not torch.allclose(one, noise_in(noisy(folder, seed=8), [40, 40], 1), atol=1e-3)
    torch.testing.assert_close(one, noise_in(noisy(folder), [40, 40], 1), rtol=0, atol=0)


def test_without_alpha_nothing_is_done_to_the_embeddings(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stepper = noisy(folder, neftune_noise_alpha=0.0)
    embeddings = stepper.loaded.model.get_input_embeddings()

    def refuse(*_: Any) -> None:
        raise AssertionError("a hook on the embeddings")

    monkeypatch.setattr(embeddings, "register_forward_hook", refuse)
    assert not noise_in(stepper, [40, 12], 1).any()


def test_a_model_that_is_measured_or_answers_between_steps_reads_plain_embeddings(
    folder: Path,
) -> None:
    rows = some_rows([30, 17])
    stepper = noisy(folder, neftune_noise_alpha=100.0)
    model, embeddings = stepper.loaded.model, stepper.loaded.model.get_input_embeddings()
    stepper.step(rows, 1)
    with torch.no_grad():
        plain = torch.nn.functional.embedding(torch.tensor([[5, 6, 7]]), embeddings.weight)
        assert torch.equal(embeddings(torch.tensor([[5, 6, 7]])), plain)
    quiet = stepper_of(loaded_toy(folder))
    quiet.loaded.model.load_state_dict(model.state_dict())
    assert held_out_loss(stepper, rows) == held_out_loss(quiet, rows)


def test_a_restored_training_draws_the_noise_of_the_undisturbed_one(
    folder: Path, tmp_path: Path
) -> None:
    def go_on(stepper: Stepper, first: int, last: int) -> list[float]:
        numbers = range(first, last + 1)
        return [stepper.step(some_rows([20, 33, 9], seed=n), n).loss for n in numbers]

    undisturbed = noisy(folder)
    go_on(undisturbed, 1, 2)
    where = save(tmp_path, undisturbed.loaded, undisturbed, 2, "name")
    losses = go_on(undisturbed, 3, 4)
    again = noisy(folder)
    restore(where, again)
    assert go_on(again, 3, 4) == losses
    for one, other in zip(
        again.loaded.model.parameters(), undisturbed.loaded.model.parameters(), strict=True
    ):
        assert torch.equal(one, other)
    calm = noisy(folder, neftune_noise_alpha=0.0)
    restore(where, calm)
    assert go_on(calm, 3, 4) != losses
