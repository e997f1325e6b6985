"""Predicted against measured peaks of a training step, as JSON on standard output.

    python benchmarks/fit.py [--quick]

The model has SmolLM2-135M's architecture and random weights, made here; nothing is fetched and no
file beside the checkout is read. With an NVIDIA card, real trials run in real worker processes,
one for each point, and their peaks (tensors, reserved with the context, the whole card) stand
beside the prediction. On a CPU the same optimizer step is run under PyTorch's profiler, whose trace
of every allocation gives the peak; fp32, fewer layers and short rows keep that to a minute.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

ARCHITECTURE = {
    "vocab_size": 49152,
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
}
"""SmolLM2-135M, by its config.json."""

CARD_POINTS = ((1, 256), (1, 1024), (4, 1024), (16, 1024), (1, 8192), (4, 8192))
QUICK_CARD_POINTS = ((1, 1024), (4, 1024))
CPU_POINTS = ((1, 512), (2, 512))
MIB = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer points, a minute at most")
    quick = parser.parse_args().quick
    import torch

    begin = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="fit-", ignore_cleanup_errors=True) as work:
        cuda = torch.cuda.is_available()
        report = on_card(Path(work), quick) if cuda else on_cpu(quick)
    print(json.dumps(report | {"seconds": round(time.perf_counter() - begin, 1)}, indent=1))


def on_cpu(quick: bool) -> dict[str, Any]:
    """The step on a CPU in fp32, with two layers (`--quick`) or six."""
    import torch
    from transformers import LlamaConfig

    layers = 2 if quick else 6
    config = LlamaConfig(**(ARCHITECTURE | {"num_hidden_layers": layers}))
    points = [
        compared(config, rows, tokens, checkpointing)
        for rows, tokens in (CPU_POINTS[:1] if quick else CPU_POINTS)
        for checkpointing in (False, True)
    ]
    return {
        "device": "cpu",
        "torch": torch.__version__,
        "layers": layers,
        "precision": "fp32",
        "measured_by": "torch.profiler, every allocation of the CPU allocator",
        "points": points,
        "largest_error": max(abs(p["error"]) for p in points),
    }


def compared(config: Any, rows: int, tokens: int, gradient_checkpointing: bool) -> dict[str, Any]:
    """Predicted and traced peak of one shape on the CPU; `error` is predicted / measured - 1."""
    from autotune.protocol.choices import Precision
    from autotune.protocol.prediction import PredictPoint
    from autotune.worker.predict.job import Predictor

    predictor = Predictor(config, "cpu", Precision.FP32, 1.0)
    point = PredictPoint(rows=rows, tokens=tokens, gradient_checkpointing=gradient_checkpointing)
    predicted = predictor.peak(point).peak_bytes
    measured = traced_peak(config, rows, tokens, gradient_checkpointing)
    return {
        **point.model_dump(),
        "predicted_mib": round(predicted / MIB, 1),
        "measured_mib": round(measured / MIB, 1),
        "error": round(predicted / measured - 1, 4),
    }


def traced_peak(config: Any, rows: int, tokens: int, gradient_checkpointing: bool) -> int:
    """Peak bytes of the second optimizer step over two micro-batches, really run on this CPU.

    What is alive before the step (weights, buffers, Adam's state) is counted from the tensors; the
    profiler tells every allocation and release within it.
    """
    import torch
    from torch.profiler import ProfilerActivity, profile
    from transformers import AutoModelForCausalLM

    from autotune.protocol.choices import Precision
    from autotune.protocol.plan import MicroBatching
    from autotune.worker.compute import Compute
    from autotune.worker.memory.cpu import CpuMemory
    from autotune.worker.tokens.encode import Row
    from autotune.worker.train.optimizer import Recipe
    from autotune.worker.train.step import Stepper

    torch.manual_seed(0)
    model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32)

    class Loaded:
        pad_token_id = 0

    loaded: Any = Loaded()
    loaded.model = model
    stepper = Stepper(
        loaded,
        Compute(torch.device("cpu"), Precision.FP32, CpuMemory(), "CPU"),
        Recipe(total_steps=3),
        MicroBatching(
            micro_batch_tokens=rows * tokens, gradient_checkpointing=gradient_checkpointing
        ),
    )
    batch = [Row([1 + at % 90 for at in range(tokens)], [1] * tokens)] * (2 * rows)
    stepper.step([Row([1] * 64, [1] * 64)], 1)
    held = storage_bytes([*model.parameters(), *model.buffers()])
    held += storage_bytes(
        value for state in stepper.optimizer.state.values() for value in state.values()
    )
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as trace:
        stepper.step(batch, 2)
    changes = [
        (event.start_ns(), event.nbytes())
        for event in trace.profiler.kineto_results.events()
        if event.name() == "[memory]"
    ]
    peak = live = 0
    for _, size in sorted(changes, key=lambda change: change[0]):
        live += size
        peak = max(peak, live)
    return held + peak


def storage_bytes(tensors: Iterable[Any]) -> int:
    """Bytes of these tensors' storages, each once."""
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
    return sum(storages.values())


def on_card(work: Path, quick: bool) -> dict[str, Any]:
    """Real trials on the card in fp16, each in a worker of its own, beside their prediction.

    Points that are predicted to need more than the card has are left out: on Windows they would
    spill into the computer's memory for minutes.
    """
    import os

    import torch

    from autotune.fit.allowance import card_allowance
    from autotune.protocol.choices import Attention, Precision
    from autotune.protocol.job import DeviceSpec
    from autotune.protocol.prediction import PredictPoint
    from autotune.worker.predict.job import Predictor
    from autotune.worker.predict.trace import read_config

    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).resolve().parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    name = torch.cuda.get_device_name(0)
    limit = torch.cuda.mem_get_info(0)[0] - 512 * MIB
    model, data = save_model(work / "model"), chat_file(work / "chat.jsonl")
    attention = Attention.FUSED
    capability = torch.cuda.get_device_capability(0)
    predictor = Predictor(read_config(model), "cuda", Precision.FP16, 1.0, attention, capability)
    points = []
    for rows, tokens in QUICK_CARD_POINTS if quick else CARD_POINTS:
        for checkpointing in (False, True):
            asked = PredictPoint(rows=rows, tokens=tokens, gradient_checkpointing=checkpointing)
            predicted = predictor.peak(asked).peak_bytes
            needed = card_allowance(attention).needed_bytes(predicted)
            found = {**asked.model_dump(), "predicted_mib": round(predicted / MIB)}
            found["predicted_needed_mib"] = round(needed / MIB)
            if needed > limit:
                points.append(found | {"measured": "not tried: beyond the card"})
                continue
            card = DeviceSpec(kind="cuda", precision=Precision.FP16, limit_bytes=limit)
            points.append(found | trial(work / f"trial-{len(points)}", model, data, asked, card))
            if "allocated_mib" in points[-1]:
                points[-1]["error"] = round(predicted / MIB / points[-1]["allocated_mib"] - 1, 4)
    return {
        "device": name,
        "torch": torch.__version__,
        "layers": ARCHITECTURE["num_hidden_layers"],
        "precision": "fp16",
        "measured_by": "CUDA allocator of a worker process; peak_mib is reserved plus context",
        "points": points,
        "largest_error": max((abs(p["error"]) for p in points if "error" in p), default=None),
    }


def trial(work: Path, model: Path, data: Path, point: Any, device: Any) -> dict[str, Any]:
    """What a trial at this point measured, in MiB, or how it ended."""
    from autotune.launch import SubprocessRunner
    from autotune.protocol import events
    from autotune.protocol.job import TrialJob
    from autotune.protocol.plan import DataSpec, TrialPoint

    job = TrialJob(
        device=device,
        model_folder=str(model),
        data=DataSpec(path=str(data), format="auto"),
        point=TrialPoint(
            model_max_length=point.tokens,
            max_rounds="all",
            micro_batch_tokens=point.rows * point.tokens,
            gradient_checkpointing=point.gradient_checkpointing,
            row_tokens=point.tokens,
        ),
        longest_conversation=0,
        generate_rows=1,
        generate_context=64,
        seed=0,
    )
    emitted: list[Any] = []
    ending = SubprocessRunner().run(job, work, emitted.append, silence_seconds=120.0)
    measured = [event.measurement for event in emitted if isinstance(event, events.Measured)]
    if ending.failure is not None or not measured:
        return {"measured": f"{ending.words}: {ending.reason}"}
    found = measured[-1]
    return {
        "allocated_mib": round(found.allocated_bytes / MIB),
        "peak_mib": round(found.peak_bytes / MIB),
        "device_mib": None if found.device_bytes is None else round(found.device_bytes / MIB),
        "step_seconds": [round(s, 3) for s in found.step_seconds],
    }


def save_model(folder: Path) -> Path:
    """A model folder with random weights of the true size and a tokenizer of bytes."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from autotune.worker.toy import toy_tokenizer

    torch.manual_seed(0)
    config = LlamaConfig(**ARCHITECTURE, bos_token_id=0, eos_token_id=0, pad_token_id=0)
    LlamaForCausalLM(config).save_pretrained(folder)
    toy_tokenizer().save_pretrained(folder)
    return folder


def chat_file(path: Path) -> Path:
    """One conversation whose answer is longer, in bytes, than the longest row."""
    turns = [
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": "a steady answer " * 600},
    ]
    path.write_text(json.dumps({"messages": turns}) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    main()
