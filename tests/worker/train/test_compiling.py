"""Compiled layers: the same numbers and names, few compilations, and training without a compiler.

Mostly with `aot_eager`, which traces and compiles as `inductor` does but makes no kernels.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from autotune.protocol import events
from autotune.worker.generate.job import answer_batch
from autotune.worker.model import Loaded
from autotune.worker.train import compiling
from autotune.worker.train.compiling import compiler_fault
from autotune.worker.train.loop import train
from autotune.worker.train.step import Stepper
from tests.worker.toys import (
    FULL,
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

pytestmark = [
    pytest.mark.torch,
    # The compiler looks at tensors in ways of which torch warns everybody else.
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A compiler that makes no kernels."""
    monkeypatch.setattr(compiling, "BACKEND", "aot_eager")
    compiler_fault.cache_clear()
    yield
    compiler_fault.cache_clear()


def steps(stepper: Stepper) -> list[tuple[float, float]]:
    """Losses and gradient norms of three steps, each of other shapes."""
    found = []
    for number in (1, 2, 3):
        rows = some_rows([12 + number, 61, 33 + 2 * number, 40], seed=number)
        result = stepper.step(rows, number)
        found.append((result.loss, result.grad_norm))
    return found


def graphs() -> int:
    """How many graphs were compiled so far."""
    from torch._dynamo.utils import counters

    return int(counters["stats"]["unique_graphs"])


def both(folder: Path, **options: Any) -> tuple[Stepper, Stepper, list[str]]:
    """The same training with compiled layers and without, and what was warned of."""
    told: list[str] = []
    compiled = stepper_of(loaded_toy(folder), torch_compile=True, warn=told.append, **options)
    return compiled, stepper_of(loaded_toy(folder), **options), told


@pytest.mark.parametrize("packing", [False, True])
def test_compiled_layers_give_the_same_numbers_and_are_compiled_once_for_all_shapes(
    folder: Path, traced: None, packing: bool
) -> None:
    compiled, plain, told = both(folder, micro_batch_tokens=70, packing=packing)
    names = list(compiled.loaded.model.state_dict())
    compiled.step(some_rows([12, 61, 33, 40]), 1)
    plain.step(some_rows([12, 61, 33, 40]), 1)
    before = graphs()
    for (loss, norm), (expected, other) in zip(steps(compiled), steps(plain), strict=True):
        assert loss == pytest.approx(expected, rel=1e-5)
        assert norm == pytest.approx(other, rel=1e-4)
    assert graphs() == before
    assert told == []
    assert compiled.compiled.on
    assert list(compiled.loaded.model.state_dict()) == names


def test_layers_share_what_is_compiled(tmp_path: Path, traced: None) -> None:
    made = []
    for layers in (2, 5):
        loaded = loaded_toy(save_toy(tmp_path / str(layers), num_hidden_layers=layers))
        stepper = stepper_of(loaded, torch_compile=True)
        assert len(stepper.compiled._calls) == 3 * layers
        before = graphs()
        stepper.step(some_rows([12, 61]), 1)
        assert stepper.compiled.on
        made.append(graphs() - before)
    assert made[0] == made[1] > 0


@pytest.mark.slow
def test_recomputed_activations_are_compiled_as_well(folder: Path, traced: None) -> None:
    compiled, plain, _ = both(folder, micro_batch_tokens=70, gradient_checkpointing=True)
    assert np.array(steps(compiled)) == pytest.approx(np.array(steps(plain)), rel=1e-4)
    assert compiled.compiled.on


def test_outside_of_steps_the_model_is_as_it_was(folder: Path, traced: None) -> None:
    compiled, plain, _ = both(folder)
    steps(compiled), steps(plain)
    before = graphs()
    asked = [[5, 6, 7], [9] * 20]
    said = [answer_batch(s.loaded, cpu(), asked, 8) for s in (compiled, plain)]
    assert said[0] == said[1]
    assert graphs() == before
    assert all("forward" not in vars(module) for module in compiled.loaded.model.modules())


def test_without_a_compiler_training_goes_on_and_says_why(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "BACKEND", "none_of_that_name")
    compiler_fault.cache_clear()
    compiled, plain, told = both(folder)
    compiler_fault.cache_clear()
    assert not compiled.compiled.on
    (line,) = told
    assert line.startswith("torch.compile cannot be used: ")
    assert "none_of_that_name" in line
    assert line.endswith("; training continues without it")
    assert steps(compiled) == steps(plain)


def test_a_compiler_that_fails_in_a_step_is_left_out_and_the_step_done_again(
    folder: Path, traced: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled, plain, told = both(folder)
    assert compiled.compiled.on

    def broken(graph: Any, inputs: Any) -> Any:
        raise ValueError("no such instruction")

    parts = [part for part, _ in compiled.compiled._calls]
    monkeypatch.setattr(compiling, "BACKEND", broken)
    compiled.compiled = compiling.Compiled(parts, told.append)
    assert steps(compiled) == steps(plain)
    (line,) = told
    assert line.startswith("torch.compile failed in step 1 (BackendCompilerFailed: ")
    assert line.endswith("; training continues without it")
    assert not compiled.compiled.on


def test_a_lack_of_memory_that_the_compiler_passes_on_stays_one(
    folder: Path, traced: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled, _, told = both(folder)
    assert compiled.compiled.on

    def full(graph: Any, inputs: Any) -> Any:
        raise torch.OutOfMemoryError(FULL)

    parts = [part for part, _ in compiled.compiled._calls]
    monkeypatch.setattr(compiling, "BACKEND", full)
    compiled.compiled = compiling.Compiled(parts, told.append)
    with pytest.raises(RuntimeError, match="out of memory"):
        steps(compiled)
    assert told == []


@pytest.mark.slow
def test_a_training_with_compiled_layers_saves_a_plain_checkpoint(
    folder: Path, tmp_path: Path, traced: None
) -> None:
    chat = chat_file(tmp_path / "chat.jsonl")
    found: dict[bool, Loaded] = {}
    for way in (True, False):
        pipe = Tight()
        plan = plan_of(folder, chat, torch_compile=way, resume_every_seconds=1e9)
        train(train_job(plan, tmp_path / str(way)), cpu(), pipe)
        assert not of_kind(pipe.emitted, events.Warned)
        found[way] = loaded_toy(tmp_path / str(way) / "step-000008")
    for (name, one), (other_name, other) in zip(
        found[True].model.named_parameters(), found[False].model.named_parameters(), strict=True
    ):
        assert name == other_name
        torch.testing.assert_close(one, other, rtol=0, atol=2e-5, msg=name)


def test_a_model_without_known_layers_is_trained_as_it_is(folder: Path) -> None:
    told: list[str] = []
    strange = nn.Sequential(nn.Linear(2, 2))
    found = compiling.compiled_layers(strange, torch.device("cpu"), told.append)
    assert not found.on
    assert "this model has no layers that are known" in told[0]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler on a CPU")
@pytest.mark.filterwarnings("ignore")  # of the compiler's own modules
@pytest.mark.parametrize("packing", [False, True])
def test_kernels_that_inductor_makes_give_the_same_numbers(folder: Path, packing: bool) -> None:
    compiled, plain, told = both(folder, micro_batch_tokens=70, packing=packing)
    if not compiled.compiled.on:
        pytest.skip(told[0])
    for (loss, norm), (expected, other) in zip(steps(compiled), steps(plain), strict=True):
        assert loss == pytest.approx(expected, rel=1e-5)
        assert norm == pytest.approx(other, rel=1e-4)
    assert compiled.compiled.on
