"""On a card: a trial in fp16 under a capped allocator, out of memory, and a training that goes on.

Weights are random and made here; nothing is fetched.
"""

from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from autotune import events
from autotune.budget import GIB, MIB
from autotune.events import WorkerEvent
from autotune.job import DeviceSpec, TrainJob, TrialJob
from autotune.outcome import Fault
from autotune.plan import Precision, TrialPoint
from autotune.trials import How, SubprocessRunner
from autotune.worker.packed import pack, packed
from autotune.worker.toy import toy_model
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
    heard, ending = work(trial_job(tmp_path, limit, 4096, precision=precision), tmp_path / "work")
    assert ending.how is How.DONE, ending
    found = of_kind(heard, events.Measured)[0].measurement
    assert (found.steps, found.finite, found.allocator_retries) == (3, True, 0)
    assert 100 * MIB < found.allocated_bytes < found.peak_bytes <= limit
    # The context alone takes more than a hundred MiB on every card since 2016.
    assert found.peak_bytes - found.allocated_bytes > 100 * MIB


def test_more_than_the_cap_is_out_of_memory_and_exits_with_3(tmp_path: Path) -> None:
    _, ending = work(trial_job(tmp_path, 2 * GIB, 400_000), tmp_path / "work")
    assert ending.how is How.OUT_OF_MEMORY, ending
    assert ending.failed is not None
    assert ending.failed.fault is Fault.OUT_OF_MEMORY
    assert ending.failed.phase in ("forward", "backward")


def test_a_killed_training_on_a_card_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    plan = plan_of(
        save_toy(tmp_path / "model"),
        chat_file(tmp_path / "chat.jsonl"),
        precision=Precision.FP16,
    )
    whole = TrainJob(device=card(2 * GIB), plan=plan, out=str(tmp_path / "whole"))
    undisturbed, ending = work(whole, tmp_path / "work")
    assert ending.how is How.DONE, ending
    job = TrainJob(device=card(2 * GIB), plan=plan, out=str(tmp_path / "killed"))
    heard: list[WorkerEvent] = []

    def hear(event: WorkerEvent) -> None:
        heard.append(event)
        if isinstance(event, events.StepDone) and event.step == 4:
            psutil.Process(of_kind(heard, events.Ready)[0].pid).kill()

    ending = SubprocessRunner().run(job, tmp_path / "work", hear, silence_seconds=120)
    assert ending.how is How.CRASHED
    again, ending = work(job, tmp_path / "work")
    assert ending.how is How.DONE, ending
    assert of_kind(again, events.Resumed)[0].step >= 3
    # A card's sums are not ordered, so losses agree to rounding and not to the bit.
    for step, loss in losses([*heard, *again]).items():
        assert loss == pytest.approx(losses(undisturbed)[step], rel=1e-2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_packed_rows_attend_as_lone_ones_do_whatever_kernel_the_card_has(
    dtype: torch.dtype,
) -> None:
    device = torch.device("cuda", 0)
    model = toy_model(0, 300).to(device).eval()
    rows = some_rows([70, 130, 33])
    input_ids, _, positions, lengths = pack(rows)
    with torch.no_grad(), torch.autocast("cuda", dtype=dtype):
        with packed(model):
            together = model(
                input_ids=input_ids.to(device),
                position_ids=positions.to(device),
                segments=lengths,
                use_cache=False,
            ).logits[0]
        alone = [model(input_ids=torch.tensor([r.input_ids]).to(device)).logits[0] for r in rows]
    torch.testing.assert_close(together, torch.cat(alone), rtol=2e-2, atol=2e-2)
