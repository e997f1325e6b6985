"""On a card: a trial in fp16 under a capped allocator, out of memory, and a training that goes on.

Weights are random and made here; nothing is fetched.
"""

from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from autotune.base.sizes import GIB, MIB
from autotune.launch import SubprocessRunner
from autotune.protocol import events
from autotune.protocol.choices import Precision, Supervision
from autotune.protocol.events import WorkerEvent
from autotune.protocol.failure import Failure
from autotune.protocol.job import DeviceSpec, TrainJob, TrialJob
from autotune.protocol.kernels import Kernel
from autotune.protocol.plan import MicroBatching, TrialPoint
from autotune.worker.attention.kernels import Watch, training_kernel
from autotune.worker.compute import Compute, open_compute
from autotune.worker.generate.batches import generate_batch
from autotune.worker.generate.rows import GenerationSettings, RowsEngine
from autotune.worker.model import load
from autotune.worker.toy import toy_model
from autotune.worker.train.optimizer import Recipe
from autotune.worker.train.packing import pack, packed
from autotune.worker.train.step import Stepper
from tests.worker.played_kind import play
from tests.worker.toys import (
    chat_file,
    data_spec,
    longest_row,
    losses,
    of_kind,
    plan_of,
    save_toy,
    some_rows,
    work,
)

pytestmark = [
    pytest.mark.torch,
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

WIDE = {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 6}


def card(limit_bytes: int, precision: Precision = Precision.FP16) -> DeviceSpec:
    return DeviceSpec(kind="cuda", index=0, precision=precision, limit_bytes=limit_bytes)


def trial_job(folder: Path, limit_bytes: int, tokens: int, **changes: Any) -> TrialJob:
    chat = chat_file(folder / "chat.jsonl", longest=60)
    where, row_tokens = longest_row(chat, 512)
    return TrialJob(
        device=card(limit_bytes, **changes),
        model_folder=str(save_toy(folder / "model", **WIDE)),
        data=data_spec(chat),
        point=TrialPoint(
            model_max_length=512,
            max_rounds="all",
            micro_batch_tokens=tokens,
            gradient_checkpointing=False,
            row_tokens=row_tokens,
        ),
        longest_conversation=where,
        generate_rows=4,
        generate_context=256,
        seed=1,
    )


@pytest.mark.parametrize("precision", [Precision.FP16, Precision.BF16])
def test_a_trial_counts_the_context_and_what_the_allocator_reserved(
    tmp_path: Path, precision: Precision
) -> None:
    limit = 4 * GIB
    emitted, ending = work(trial_job(tmp_path, limit, 4096, precision=precision), tmp_path / "work")
    assert ending.failure is None, ending
    found = of_kind(emitted, events.Measured)[0].measurement
    assert (found.steps, found.finite, found.allocator_retries) == (3, True, 0)
    assert 100 * MIB < found.allocated_bytes < found.peak_bytes <= limit
    # The context alone takes more than a hundred MiB on every card since 2016.
    assert found.peak_bytes - found.allocated_bytes > 100 * MIB


def test_more_than_the_cap_is_out_of_memory_and_exits_with_3(tmp_path: Path) -> None:
    _, ending = work(trial_job(tmp_path, 2 * GIB, 400_000), tmp_path / "work")
    assert ending.failure is Failure.OUT_OF_MEMORY, ending
    assert ending.failed is not None
    assert ending.failed.fault is Failure.OUT_OF_MEMORY
    assert ending.failed.phase in ("forward", "backward")


def test_a_killed_training_on_a_card_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    plan = plan_of(
        save_toy(tmp_path / "model"),
        chat_file(tmp_path / "chat.jsonl"),
        precision=Precision.FP16,
    )
    whole = TrainJob(device=card(2 * GIB), plan=plan, out=str(tmp_path / "whole"))
    undisturbed, ending = work(whole, tmp_path / "work")
    assert ending.failure is None, ending
    job = TrainJob(device=card(2 * GIB), plan=plan, out=str(tmp_path / "killed"))
    emitted: list[WorkerEvent] = []

    def on_event(event: WorkerEvent) -> None:
        emitted.append(event)
        if isinstance(event, events.StepDone) and event.step == 4:
            psutil.Process(of_kind(emitted, events.Ready)[0].pid).kill()

    ending = SubprocessRunner().run(job, tmp_path / "work", on_event, silence_seconds=120)
    assert ending.died
    again, ending = work(job, tmp_path / "work")
    assert ending.failure is None, ending
    assert of_kind(again, events.Resumed)[0].step >= 3
    # A card's sums are not ordered, so losses agree to rounding and not to the bit.
    for step, loss in losses([*emitted, *again]).items():
        assert loss == pytest.approx(losses(undisturbed)[step], rel=1e-2)


AMPERE = (8, 0)


def compute_on_card(precision: Precision) -> Compute:
    """The first card, as a worker opens it; bf16 only where its kernels know it."""
    if precision is Precision.BF16 and torch.cuda.get_device_capability(0) < AMPERE:
        pytest.skip("a card before Ampere has no bf16 kernels of attention")
    return open_compute(card(4 * GIB, precision))


def kernels_that_ran(profiled: torch.profiler.profile) -> str:
    """The names of all kernels of the card, in one text."""
    return " ".join(event.key for event in profiled.key_averages()).lower()


@pytest.mark.parametrize("precision", [Precision.FP16, Precision.BF16])
def test_packed_rows_attend_as_lone_ones_do_and_by_the_kernel_for_segments(
    precision: Precision,
) -> None:
    compute = compute_on_card(precision)
    model = toy_model(0, 300).to(compute.device).eval()
    rows = some_rows([70, 130, 33])
    input_ids, _, positions, lengths = pack(rows)
    watch = Watch()
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profiled, compute.autocast():
        with packed(model), watch:
            together = model(
                input_ids=input_ids.to(compute.device),
                position_ids=positions.to(compute.device),
                segments=lengths,
                use_cache=False,
            ).logits[0]
        together.float().square().mean().backward()
        torch.cuda.synchronize()
    with torch.no_grad(), compute.autocast():
        alone = [
            model(input_ids=torch.tensor([r.input_ids]).to(compute.device)).logits[0] for r in rows
        ]
    torch.testing.assert_close(together, torch.cat(alone), rtol=2e-2, atol=2e-2)
    has_flash = (
        torch.backends.cuda.is_flash_attention_available()
        and torch.cuda.get_device_capability(0) >= AMPERE
    )
    assert watch.kernel is (Kernel.VARLEN if has_flash else Kernel.EFFICIENT)
    assert ("flash" if has_flash else "fmha") in kernels_that_ran(profiled)


@pytest.mark.parametrize("precision", [Precision.FP16, Precision.BF16, Precision.FP32])
@pytest.mark.parametrize("packing", [False, True])
def test_a_training_step_needs_no_kernel_but_the_memory_efficient_one(
    tmp_path: Path, precision: Precision, packing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with torch's wheels for Windows, which have no flash attention."""
    play(monkeypatch, "cuda", has_varlen=False)
    compute = compute_on_card(precision)
    loaded = load(save_toy(tmp_path), compute.device, Supervision.CONTENT)
    losses = []
    for backends in ([SDPBackend.MATH], [SDPBackend.EFFICIENT_ATTENTION]):
        stepper = Stepper(
            loaded,
            compute,
            Recipe(total_steps=2, learning_rate=1e-9, weight_decay=0.0),
            MicroBatching(micro_batch_tokens=200, gradient_checkpointing=True),
            packing=packing,
        )
        with sdpa_kernel(backends):
            losses.append(stepper.step(some_rows([70, 130, 33]), 1).loss)
            used = training_kernel(loaded.model, compute, stepper.packing)
    assert used is Kernel.EFFICIENT
    assert losses[1] == pytest.approx(losses[0], rel=1e-2)


@pytest.mark.parametrize("precision", [Precision.FP16, Precision.FP32])
def test_answering_needs_no_kernel_but_the_memory_efficient_one(
    tmp_path: Path, precision: Precision
) -> None:
    compute = compute_on_card(precision)
    loaded = load(save_toy(tmp_path), compute.device, Supervision.CONTENT)
    prompts = [[5, 6, 7] * 30, [3, 4], [8] * 50]
    settings = GenerationSettings(
        max_new_tokens=12, batch_size=2, prefill_tokens=64, min_new_tokens=12
    )
    answers: list[list[int]] = []
    with sdpa_kernel([SDPBackend.EFFICIENT_ATTENTION]):
        by_rows = RowsEngine(
            loaded, compute, settings, prompts, lambda reply: answers.append(reply.answer)
        )
        by_rows.run()
        plain = generate_batch(loaded, compute, prompts, 12, min_new_tokens=12)
    assert [len(answer) for answer in (*answers, *plain)] == [12] * 6


def test_a_worker_tells_which_kernels_the_card_has(tmp_path: Path) -> None:
    emitted, ending = work(trial_job(tmp_path, 4 * GIB, 4096), tmp_path / "work")
    assert ending.failure is None, ending
    found = of_kind(emitted, events.Ready)[0].attention
    assert found is not None
    assert found.kernels[0] in (Kernel.FLASH, Kernel.EFFICIENT)
    assert Kernel.EFFICIENT in found.kernels
    assert of_kind(emitted, events.Measured)[0].measurement.attention is found.kernels[0]
