"""A training may not peak above its trial, however many shapes its micro-batches have."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from autotune.launch import worker_environment
from autotune.protocol import events
from autotune.protocol.choices import Precision
from autotune.protocol.job import TrialJob
from autotune.protocol.plan import TrialPoint
from tests.worker.toys import (
    EXACT_PEAKS,
    data_spec,
    device,
    longest_row,
    of_kind,
    plan_of,
    save_toy,
    train_job,
    work,
)

pytestmark = pytest.mark.torch

LARGEST_EXCESS = 0.03

MICRO_BATCHES = """
import sys
from pathlib import Path
from autotune.protocol.plan import Precision
from tests.worker.toys import loaded_toy, save_toy, some_rows, stepper_of

folder = save_toy(Path(sys.argv[1]), num_hidden_layers=6)
stepper = stepper_of(loaded_toy(folder), Precision.BF16)
for length in (96, 80, 64, 48, 96):
    print("micro-batch", flush=True)
    stepper._micro_batch(some_rows([length]), [0], 10, 1)
"""


def conversations(path: Path, count: int) -> Path:
    """Answers of 10 to 200 letters, so that few rows are of one length."""
    draw = random.Random(1)
    lines = []
    for _ in range(count):
        asked, answer = "x" * draw.randint(2, 30), "y" * draw.randint(10, 200)
        turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
        lines.append(json.dumps({"messages": turns}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("packing", [False, True])
@pytest.mark.parametrize("precision", [Precision.FP32, Precision.BF16])
def test_a_training_over_many_lengths_peaks_no_higher_than_its_trial(
    precision: Precision, packing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*EXACT_PEAKS)
    model, count = save_toy(tmp_path / "model"), 90
    chat = conversations(tmp_path / "chat.jsonl", count)
    where, tokens = longest_row(chat, 256)
    trial = TrialJob(
        device=device(precision),
        model_folder=str(model),
        data=data_spec(chat),
        point=TrialPoint(
            model_max_length=256,
            max_rounds="all",
            micro_batch_tokens=256,
            gradient_checkpointing=False,
            packing=packing,
            row_tokens=tokens,
        ),
        longest_conversation=where,
        generate_rows=1,
        generate_context=32,
        seed=5,
    )
    emitted, ending = work(trial, tmp_path / "trial")
    assert ending.failure is None
    tried = of_kind(emitted, events.Measured)[0].measurement.peak_bytes
    plan = plan_of(
        model,
        chat,
        conversations=count,
        batch_size=6,
        num_train_epochs=1,
        packing=packing,
        precision=precision,
        checkpoint_fractions=(1.0,),
        resume_every_seconds=1e6,
    )
    emitted, ending = work(train_job(plan, tmp_path / "checkpoints"), tmp_path / "training")
    assert ending.failure is None
    steps = of_kind(emitted, events.StepDone)
    assert len(steps) == 15
    assert steps[-1].memory_bytes <= tried * (1 + LARGEST_EXCESS)


def test_a_worker_keeps_the_primitives_of_one_micro_batch_and_not_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("oneDNN makes no products in bf16 on this processor")
    monkeypatch.setenv("ONEDNN_VERBOSE", "2")
    said = subprocess.run(
        [sys.executable, "-c", MICRO_BATCHES, str(tmp_path / "model")],
        env=worker_environment(),
        cwd=Path(__file__).parents[3],
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout
    made = [
        [line.rsplit(",", 1)[0] for line in part.splitlines() if "create:cache_miss" in line]
        for part in said.split("micro-batch\n")[1:]
    ]
    assert len(made) == 5
    # Six layers, and nothing is made for more than one of them ...
    assert all(len(part) == len(set(part)) for part in made)
    # ... yet after four other shapes the first one's are made again.
    assert set(made[0]) & set(made[4])
