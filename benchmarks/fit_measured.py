"""A real card's numbers, predicted without one: JSON on standard output.

    python benchmarks/fit_measured.py FOLDER [--only TEXT]

FOLDER holds the rows of fitcheck-llm 0.3.1 (MIT; `data/` of its source distribution on PyPI):
training steps that were measured on a Tesla T4 with the peak of each phase, what the allocator had
reserved, the CUDA context and the kernel of attention. Each unquantized step is traced here on fake
tensors as it was run there (`scripts/measure.py`): weights in fp16, LoRA in fp32 by peft,
transformers' loss over all logits, gradient checkpointing, AdamW over lists of tensors, a first
step before the one that counts. A row takes 10 to 60 s of one core.
"""

import argparse
import itertools
import json
import statistics
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from autotune.base.library_memory import library_bytes
from autotune.worker.predict.memory_tracker import Kind, MemoryTracker
from benchmarks.caching_allocator import CachingAllocator

MIB = 2**20
PHASES = ("forward", "backward", "optimizer")
T4 = (7, 5)
"""The capability of a Tesla T4."""

EFFICIENT, EAGER = "memory-efficient", "eager"


@dataclass(frozen=True)
class Step:
    """A step as it was measured: B rows x T tokens; sizes in MiB.

    `config` has the fields of a Llama's configuration; `qwen` says that it is a Qwen2's, which has
    biases.
    """

    model: str
    config: dict[str, Any]
    qwen: bool
    kernel: str
    rows: int
    tokens: int
    lora_rank: int
    lora_targets: tuple[str, ...]
    measured: dict[str, float]

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What tells steps apart; some were measured three times."""
        return self.model, self.kernel, self.rows, self.tokens


@dataclass(frozen=True)
class Traced:
    """What a trace says of a step, in MiB: resident before it, the peak by phase, reserved."""

    resident: float
    peaks: dict[str, float]
    reserved: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the measured rows lie, *.json")
    parser.add_argument("--only", default="", help="rows whose name has this, such as 135M")
    given = parser.parse_args()
    warnings.simplefilter("ignore", FutureWarning)  # transformers renames gradient checkpointing
    begin = time.perf_counter()
    steps = [s for s in unquantized(given.folder) if given.only in s.model]
    traces: dict[Any, Traced] = {}
    for step in steps:
        if step.key not in traces:
            traces[step.key] = trace(step)
            print(json.dumps(line(step, traces[step.key])), file=sys.stderr, flush=True)
    lines = [line(step, traces[step.key]) for step in steps]
    report = {
        "card": "Tesla T4, measured by fitcheck-llm 0.3.1",
        "rows": lines,
        "phases": {phase: summary(row["errors"][phase] for row in lines) for phase in PHASES},
        "peak": summary(row["errors"]["peak"] for row in lines),
        "reserved_by_allocator": {
            kernel: summary(r["errors"]["reserved"] for r in lines if r["kernel"] == kernel)
            for kernel in (EFFICIENT, EAGER)
        },
        "process_by_allocator": summary(row["errors"]["process"] for row in lines),
        "process_by_share": held_out(given.folder, steps, traces),
        "seconds": round(time.perf_counter() - begin, 1),
    }
    print(json.dumps(report, indent=1))


def unquantized(folder: Path) -> list[Step]:
    """The measured steps whose weights were fp16, in the files' order."""
    return [step_of(row) for row in rows(folder) if row["run"]["quantization"] == "none"]


def rows(folder: Path) -> list[dict[str, Any]]:
    """All measured rows, in the files' order."""
    files = sorted(folder.glob("*.json"))
    return [row for file in files for row in json.loads(file.read_text(encoding="utf-8"))["runs"]]


def step_of(row: dict[str, Any]) -> Step:
    """A row of the files."""
    run, given = row["run"], row["model_config"]
    return Step(
        model=row["model_id"].rsplit("/", 1)[-1],
        config={
            "vocab_size": given["vocab_size"],
            "hidden_size": given["hidden_size"],
            "intermediate_size": given["intermediate_size"],
            "num_hidden_layers": given["num_layers"],
            "num_attention_heads": given["num_attention_heads"],
            "num_key_value_heads": given["num_kv_heads"],
            "tie_word_embeddings": given["tie_word_embeddings"],
        },
        qwen="Qwen" in row["model_id"],
        kernel=EAGER if run["attn_impl"] == "eager" else EFFICIENT,
        rows=run["batch_size"],
        tokens=run["seq_len"],
        lora_rank=run["lora_rank"],
        lora_targets=tuple(run["lora_targets"]),
        measured=row["measured"],
    )


def trace(step: Step) -> Traced:
    """The step on fake tensors, with a card's allocator beside it."""
    model = empty_model(step)
    allocator = CachingAllocator()
    tracker = MemoryTracker(
        allocator=allocator, vocabulary=step.config["vocab_size"], share=1.0, scratch=True
    )
    with FakeTensorMode(), tracker, softmax_of_a_card():
        fill(model)
        tracker.mark(itertools.chain(model.parameters(), model.buffers()), Kind.WEIGHTS)
        resident = float(tracker.live.sum())
        # What cuBLAS holds is taken at the first product of each of its two threads.
        library = library_bytes(T4, step.qwen)
        kept = [allocator.take(library // 2)]
        trained = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=1e-4, foreach=True)

        def one_step(number: int) -> None:
            ids = torch.randint(0, step.config["vocab_size"], (step.rows, step.tokens))
            optimizer.zero_grad(set_to_none=True)
            tracker.enter("forward")
            out = model(input_ids=ids, labels=ids)
            if number == 1:
                kept.append(allocator.take(library // 2))
            tracker.enter("backward")
            out.loss.backward()
            tracker.enter("optimizer")
            optimizer.step()  # with the logits still held by `out`, as there

        for number in (1, 2):
            tracker.forget()
            one_step(number)
    peaks = {
        phase: max(c.sum() for part in tracker.parts if part.phase == phase for c in part.counts)
        for phase in PHASES
    }
    return Traced(
        resident / MIB,
        {phase: float(peak + library) / MIB for phase, peak in peaks.items()},
        allocator.reserved / MIB,
    )


def empty_model(step: Step) -> Any:
    """The model with its adapters, without memory."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config

    config = (Qwen2Config if step.qwen else LlamaConfig)(
        **step.config, max_position_embeddings=8192
    )
    auto: Any = AutoModelForCausalLM
    with torch.device("meta"):
        model = auto.from_config(
            config,
            dtype=torch.float16,
            attn_implementation="eager" if step.kernel == EAGER else expanding(),
        )
        model.config.use_cache = False
        adapters = LoraConfig(
            r=step.lora_rank,
            lora_alpha=2 * step.lora_rank,
            lora_dropout=0.0,
            bias="none",
            task_type="CAUSAL_LM",
            target_modules=list(step.lora_targets),
        )
        model = get_peft_model(model, adapters, low_cpu_mem_usage=True)
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    model.train()
    return model


def fill(model: Any) -> None:
    """Give weights and buffers fake memory: first the model's, then the adapters', in fp32.

    In the order in which `.cuda()` moves them, which decides how blocks lie in segments.
    """
    made: dict[int, Tensor] = {}
    modules = list(from_the_leaves(model))
    for adapters in (False, True):
        for module, table in ((m, t) for m in modules for t in (m._parameters, m._buffers)):
            for old in table.values():
                if old is None or id(old) in made or old.requires_grad is not adapters:
                    continue
                new = torch.empty(old.shape, dtype=torch.float32 if adapters else old.dtype)
                made[id(old)] = new if table is module._buffers else nn.Parameter(new, adapters)
    for module in modules:
        for table in (module._parameters, module._buffers):
            table.update({n: made[id(old)] for n, old in table.items() if old is not None})


def from_the_leaves(module: nn.Module) -> Iterator[nn.Module]:
    """A module's descendants before it, as `nn.Module._apply` goes."""
    for child in module.children():
        yield from from_the_leaves(child)
    yield module


def expanding() -> str:
    """Register the attention that ran there, repeated heads and one kernel; gives its name."""
    from transformers import AttentionInterface, AttentionMaskInterface

    def attend(
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        scaling: float | None = None,
        **_: Any,
    ) -> tuple[Tensor, None]:
        repeats = query.shape[1] // key.shape[1]
        if repeats > 1:
            key, value = (s.repeat_interleave(repeats, dim=1) for s in (key, value))
        kernel: Any = torch.ops.aten._scaled_dot_product_efficient_attention
        out = kernel(query, key, value, None, query.requires_grad, 0.0, True, scale=scaling)[0]
        return out.transpose(1, 2).contiguous(), None

    attention: Any = AttentionInterface
    masks: Any = AttentionMaskInterface
    attention.register("expanding", attend)
    masks.register("expanding", lambda *_, **__: None)
    return "expanding"


@contextmanager
def softmax_of_a_card() -> Iterator[None]:
    """Within, a softmax from fp16 to fp32 is one kernel, as on CUDA and not on a CPU."""
    plain = nn.functional.softmax

    def softmax(states: Tensor, dim: int, dtype: torch.dtype | None = None, **rest: Any) -> Tensor:
        if states.dtype is torch.float16 and dtype is torch.float32:
            fused: Any = torch.ops.aten._softmax.default
            answer: Tensor = fused(states, dim, True)
            return answer
        return plain(states, dim=dim, dtype=dtype, **rest)

    nn.functional.softmax = softmax
    try:
        yield
    finally:
        nn.functional.softmax = plain


def line(step: Step, traced: Traced) -> dict[str, Any]:
    """Traced beside measured, in MiB, and the errors, traced / measured - 1."""
    measured = step.measured
    context = measured["cuda_context_mib"]
    pairs = {phase: (traced.peaks[phase], measured[f"peak_{phase}_mib"]) for phase in PHASES} | {
        "resident": (traced.resident, measured["resident_before_step_mib"]),
        "peak": (max(traced.peaks.values()), measured["peak_allocated_mib"]),
        "reserved": (traced.reserved, measured["peak_reserved_mib"]),
        "process": (traced.reserved + context, measured["process_mib"]),
    }
    return {
        "model": step.model,
        "kernel": step.kernel,
        "shape": f"{step.rows}x{step.tokens}",
        "mib": {name: [round(value, 1) for value in pair] for name, pair in pairs.items()},
        "errors": {name: round(ours / theirs - 1, 5) for name, (ours, theirs) in pairs.items()},
    }


def held_out(folder: Path, steps: Sequence[Step], traces: dict[Any, Traced]) -> dict[str, Any]:
    """Process memory from traced tensors by a share and a context, fitted on every second row.

    The share is the median of reserved / allocated by kernel, over every second of all measured
    rows, quantized ones too and repeats once, in order of quantization, kernel, model and shape.
    What it gives is reported for the others, and for these beside them, as far as they were traced.
    The replayed allocator needs no such fit; it is what this is to be compared with.
    """
    distinct: dict[Any, dict[str, Any]] = {}
    for row in rows(folder):
        run = row["run"]
        distinct.setdefault((step_of(row).key, run["quantization"], run["lora_rank"]), row)
    known = [
        distinct[key] for key in sorted(distinct, key=lambda key: (key[1], *by_kernel(key[0])))
    ]
    fitted, other = known[::2], known[1::2]
    shares = {
        kernel: statistics.median(
            row["measured"]["peak_reserved_mib"] / row["measured"]["peak_allocated_mib"]
            for row in fitted
            if step_of(row).kernel == kernel
        )
        for kernel in (EFFICIENT, EAGER)
    }
    context = statistics.median(row["measured"]["cuda_context_mib"] for row in fitted)

    def errors(half: Sequence[dict[str, Any]]) -> Iterator[float]:
        for row in half:
            step = step_of(row)
            if row["run"]["quantization"] == "none" and step.key in traces:
                tensors = max(traces[step.key].peaks.values())
                predicted = tensors * shares[step.kernel] + context
                yield predicted / step.measured["process_mib"] - 1

    return {
        "shares": {kernel: round(share - 1, 4) for kernel, share in shares.items()},
        "context_mib": context,
        "rows": {"fitted": len(fitted), "held_out": len(other)},
        "fitted": summary(errors(fitted)),
        "held_out": summary(errors(other)),
    }


def by_kernel(key: tuple[str, str, int, int]) -> tuple[str, str, int, int]:
    """A step's key with its kernel first."""
    model, kernel, rows_, tokens = key
    return kernel, model, rows_, tokens


def summary(errors: Any) -> dict[str, float | int]:
    """How many errors, their mean size and the largest."""
    sizes = [abs(error) for error in errors]
    if not sizes:
        return {"rows": 0}
    return {
        "rows": len(sizes),
        "mean": round(statistics.fmean(sizes), 5),
        "worst": round(max(sizes), 5),
    }


if __name__ == "__main__":
    main()
