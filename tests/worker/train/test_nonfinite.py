"""Numbers that are none: the training ends, names the step, and saves nothing more."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.optim.optimizer import register_optimizer_step_post_hook

from autotune.protocol import events
from autotune.protocol.choices import Precision
from autotune.protocol.job import EngineName, GenerateJob
from autotune.score.ifeval.prompts import IFEvalPrompt
from autotune.worker.finite import NumericFault
from autotune.worker.generate.job import generate
from autotune.worker.generate.registry import ENGINES
from autotune.worker.train import step as step_module
from autotune.worker.train.loop import train
from tests.worker.toys import Tight, chat_file, cpu, device, of_kind, plan_of, save_toy, train_job

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("toy")
    return save_toy(folder / "model"), chat_file(folder / "chat.jsonl")


@pytest.mark.parametrize("precision", list(Precision))
def test_one_micro_step_that_is_no_number_ends_the_training_and_saves_nothing_more(
    toy: tuple[Path, Path],
    tmp_path: Path,
    precision: Precision,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    summed, calls = step_module.summed_loss, [0]

    def sometimes(*arguments: Any, **options: Any) -> torch.Tensor:
        calls[0] += 1
        loss = summed(*arguments, **options)
        return loss * float("nan") if calls[0] >= 14 else loss

    monkeypatch.setattr(step_module, "summed_loss", sometimes)
    pipe = Tight()
    plan = plan_of(*toy, precision=precision, micro_batch_tokens=1, resume_every_seconds=1e9)
    # Three micro-batches a step: the fourteenth is the second one of step 5.
    with pytest.raises(NumericFault, match="non-finite loss at step 5"):
        train(train_job(plan, tmp_path / "out"), cpu(precision), pipe)
    assert [e.step for e in of_kind(pipe.emitted, events.StepDone)] == [1, 2, 3, 4]
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["step-000004"]


def test_weights_that_are_no_numbers_are_not_saved(toy: tuple[Path, Path], tmp_path: Path) -> None:
    """They became so in an update whose loss and gradients were numbers."""

    updates = [0]

    def spoil(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        updates[0] += 1
        if updates[0] == 4:
            with torch.no_grad():
                optimizer.param_groups[0]["params"][0][0, 0] = float("nan")

    hook = register_optimizer_step_post_hook(spoil)
    pipe = Tight()
    plan = plan_of(*toy, resume_every_seconds=1e9)
    try:
        with pytest.raises(NumericFault, match="non-finite weights after step 4"):
            train(train_job(plan, tmp_path / "out"), cpu(), pipe)
    finally:
        hook.remove()
    assert list((tmp_path / "out").iterdir()) == []
    assert not of_kind(pipe.emitted, events.CheckpointSaved)


@pytest.mark.parametrize("engine", list(ENGINES))
def test_logits_that_are_no_numbers_make_no_answer(
    toy: tuple[Path, Path], tmp_path: Path, engine: EngineName
) -> None:
    """Their argmax is a token like any other: here the one that ends a turn, so all would stop."""
    save_toy(tmp_path / "model")
    found = load_file(tmp_path / "model" / "model.safetensors")
    found["model.norm.weight"] = torch.full_like(found["model.norm.weight"], 3e38)
    save_file(found, tmp_path / "model" / "model.safetensors", metadata={"format": "pt"})
    prompts = [
        IFEvalPrompt(
            key=key, prompt="Say hi.", instruction_id_list=("punctuation:no_comma",), kwargs=({},)
        )
        for key in range(3)
    ]
    lines = "".join(p.model_dump_json() + "\n" for p in prompts)
    (tmp_path / "prompts.jsonl").write_text(lines, "utf-8")
    job = GenerateJob(
        device=device(),
        model_folder=str(tmp_path / "model"),
        prompts=str(tmp_path / "prompts.jsonl"),
        out=str(tmp_path / "out" / "responses.jsonl"),
        max_new_tokens=4,
        batch_size=2,
        prefill_tokens=64,
        engine=engine,
    )
    with pytest.raises(NumericFault, match=r"logits are not finite .* in fp32, so it has no score"):
        generate(job, cpu(), Tight())
    assert not (tmp_path / "out" / "responses.jsonl").exists()
