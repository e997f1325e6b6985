"""Seven ways to train the same rows; one process each, for `train_throughput.py`.

    python benchmarks/throughput_ways.py WAY SPEC.json

Trains one optimizer step over all rows of the spec to warm up, says so, and then one more step for
every line on standard input. After each step one JSON line says its seconds and the peak memory.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, Trainer, TrainerCallback, TrainingArguments

from autotune.protocol.choices import Precision, Supervision
from autotune.protocol.job import DeviceSpec
from autotune.protocol.plan import MicroBatching
from autotune.worker.compute import Compute, open_compute
from autotune.worker.model import load
from autotune.worker.tokens.encode import IGNORED, Row
from autotune.worker.train.optimizer import Recipe
from autotune.worker.train.step import Stepper

ROUNDS = 1000
"""More steps than anybody asks for; the process ends with its standard input."""


class Spec:
    """What all ways are given: rows, model folder, device, precision and sizes."""

    def __init__(self, path: Path) -> None:
        given = json.loads(path.read_text(encoding="utf-8"))
        self.rows = [Row(r["input_ids"], r["labels"]) for r in given["rows"]]
        self.model = Path(given["model"])
        self.device: str = given["device"]
        self.precision = Precision(given["precision"])
        self.length: int = given["length"]
        self.micro_rows: int = given["micro_rows"]
        self.micro_tokens: int = given["micro_tokens"]
        self.threads: int | None = given["threads"]
        self.scratch = Path(given["scratch"])

    def compute(self) -> Compute:
        """The device with its meter, counting from now."""
        return open_compute(
            DeviceSpec(
                kind="cuda" if self.device == "cuda" else "cpu",
                precision=self.precision,
                limit_bytes=1 << 40,
                threads=self.threads,
            )
        )


def padded(row: Row, width: int) -> dict[str, list[int]]:
    """A row filled up to `width` with its mask, as the course's collator makes it."""
    gap = width - len(row.input_ids)
    return {
        "input_ids": row.input_ids + [0] * gap,
        "labels": row.labels + [IGNORED] * gap,
        "attention_mask": [1] * len(row.input_ids) + [0] * gap,
    }


def tensors(rows: list[Row], width: int) -> dict[str, torch.Tensor]:
    """Padded rows as (B, T) tensors."""
    filled = [padded(row, width) for row in rows]
    return {name: torch.tensor([f[name] for f in filled]) for name in filled[0]}


class Turns(TrainerCallback):
    """Lets a Trainer take one optimizer step per line of standard input, and times it."""

    def __init__(self, compute: Compute) -> None:
        self.compute = compute
        self.begin = self.cpu = 0.0

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Wait for a line; none is the end."""
        if state.global_step > 0 and not sys.stdin.readline():
            os._exit(0)
        self.begin, self.cpu = time.perf_counter(), time.process_time()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Say what the step took."""
        self.compute.synchronize()
        report(time.perf_counter() - self.begin, time.process_time() - self.cpu, self.compute)


def report(seconds: float, cpu_seconds: float, compute: Compute) -> None:
    """One step's line."""
    peak = compute.memory.read().peak_bytes
    figures = {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_bytes": peak}
    OUT.write(json.dumps(figures) + "\n")
    OUT.flush()
    if compute.device.type == "cpu":
        # What a way does not need between its turns is given back to the others. On a card there
        # are none beside it, and an emptied cache would have to be filled in the next step.
        compute.memory.restart()


def arguments(spec: Spec, **more: Any) -> dict[str, Any]:
    """What every Trainer is told: our optimizer's settings, the same precision, nothing saved."""
    return {
        "output_dir": str(spec.scratch),
        "max_steps": ROUNDS,
        "learning_rate": 4e-5,
        "weight_decay": 0.0,
        "lr_scheduler_type": "constant",
        "max_grad_norm": 1.0,
        "optim": "adamw_torch_fused",
        "logging_strategy": "no",
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "use_cpu": spec.device == "cpu",
        "dataloader_pin_memory": spec.device != "cpu",
        "gradient_checkpointing": False,
        "bf16": spec.precision is Precision.BF16,
        "fp16": spec.precision is Precision.FP16,
        **more,
    }


def weights(spec: Spec, dtype: torch.dtype) -> Any:
    """The model in a dtype."""
    auto: Any = AutoModelForCausalLM
    return auto.from_pretrained(str(spec.model), dtype=dtype)


def course(spec: Spec, compute: Compute) -> None:
    """(a) Every row padded to the full length, one at a time, all logits, 16-bit weights.

    fp16 weights cannot take a step on their own and have no arithmetic on a CPU, so the 16-bit
    weights are bf16; with precision fp32 the weights are fp32.
    """
    half = spec.precision is not Precision.FP32
    options = arguments(spec, per_device_train_batch_size=1, bf16=False, fp16=False)
    options["gradient_accumulation_steps"] = len(spec.rows)
    Trainer(
        model=weights(spec, torch.bfloat16 if half else torch.float32),
        args=TrainingArguments(**options),
        train_dataset=[padded(row, spec.length) for row in spec.rows],
        data_collator=lambda rows: {k: torch.tensor([r[k] for r in rows]) for k in rows[0]},
        callbacks=[Turns(compute)],
    ).train()


def trainer(spec: Spec, compute: Compute) -> None:
    """(b) Hugging Face's Trainer: rows of like length together, padded to the longest of them."""

    def collate(items: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        rows = [Row(i["input_ids"], i["labels"]) for i in items]
        return tensors(rows, max(len(r.input_ids) for r in rows))

    options = arguments(spec, per_device_train_batch_size=spec.micro_rows)
    options["gradient_accumulation_steps"] = -(-len(spec.rows) // spec.micro_rows)
    Trainer(
        model=weights(spec, torch.float32),
        args=TrainingArguments(
            **options,
            # The sampler counts input_ids itself where the rows are a plain list.
            train_sampling_strategy="group_by_length",
        ),
        train_dataset=[{"input_ids": r.input_ids, "labels": r.labels} for r in spec.rows],
        data_collator=collate,
        callbacks=[Turns(compute)],
    ).train()


def trl(spec: Spec, compute: Compute) -> None:
    """(c) TRL's SFTTrainer: rows packed to the full length, its chunked loss (its default)."""
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer
    from trl.data_utils import pack_dataset

    data = Dataset.from_list([{"input_ids": r.input_ids, "labels": r.labels} for r in spec.rows])
    packs = len(pack_dataset(data, spec.length, "bfd"))
    options = arguments(spec, per_device_train_batch_size=1, gradient_accumulation_steps=packs)
    SFTTrainer(
        model=weights(spec, torch.float32),
        args=SFTConfig(**options, packing=True, max_length=spec.length),
        train_dataset=data,
        processing_class=AutoTokenizer.from_pretrained(str(spec.model)),
        callbacks=[Turns(compute)],
    ).train()


def ours(spec: Spec, compute: Compute, *, packing: bool, torch_compile: bool = False) -> None:
    """(d) to (g) The step of this tool, padded or packed, its layers compiled or not."""
    stepper = Stepper(
        load(spec.model, compute.device, Supervision.CONTENT),
        compute,
        Recipe(total_steps=ROUNDS, seed=42, learning_rate=4e-5, weight_decay=0.0),
        MicroBatching(micro_batch_tokens=spec.micro_tokens, gradient_checkpointing=False),
        packing=packing,
        torch_compile=torch_compile,
        warn=lambda words: print(words, file=sys.stderr),
    )
    for number in range(1, ROUNDS):
        if number > 1 and not sys.stdin.readline():
            return
        cpu = time.process_time()
        seconds = stepper.step(spec.rows, number).seconds
        report(seconds, time.process_time() - cpu, compute)


WAYS: dict[str, Callable[[Spec, Compute], None]] = {
    "a_course": course,
    "b_trainer": trainer,
    "c_trl": trl,
    "d_padded": lambda spec, compute: ours(spec, compute, packing=False),
    "e_packed": lambda spec, compute: ours(spec, compute, packing=True),
    "f_compiled": lambda spec, compute: ours(spec, compute, packing=False, torch_compile=True),
    "g_both": lambda spec, compute: ours(spec, compute, packing=True, torch_compile=True),
}


if __name__ == "__main__":
    # What libraries print must not stand between the lines of figures.
    OUT = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    spec = Spec(Path(sys.argv[2]))
    WAYS[sys.argv[1]](spec, spec.compute())
