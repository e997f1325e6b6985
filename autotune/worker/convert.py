"""The prepare job: make a model folder from a GGUF file, or of the toy."""

from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
)

from autotune.base.files import remove_tree
from autotune.base.manifest import entries_of, put_in_place, seal, verified
from autotune.protocol import events
from autotune.protocol.job import PrepareJob
from autotune.worker.channel import Pipe
from autotune.worker.tokens.saved import save_tokenizer
from autotune.worker.tokens.tokenizer import reading
from autotune.worker.toy import toy
from autotune.worker.weights import check_loaded, load_weights


def prepare(job: PrepareJob, pipe: Pipe) -> None:
    """Build the folder beside its place and move it there whole; a whole one is left alone.

    Of two processes that need it for the first time, one builds it and the other waits for that.
    """
    out = Path(job.out)
    if not is_whole(out):
        pipe.enter("converting" if job.source == "gguf" else "building")
        out.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(out.with_name(f".{out.name}.lock")):
            if not is_whole(out):  # another process may have built it meanwhile
                build(job, out)
    millions = load_weights(out).num_parameters() / 1e6
    sentence = f"model folder ready: {out} ({millions:.1f} M parameters)"
    pipe.emit(events.Notice(about="model", sentence=sentence))


def is_whole(folder: Path) -> bool:
    """Whether a folder is as it was sealed, with weights: an earlier version sealed some without.

    There two processes built at one place, and the second took the first one's half for its own.
    """
    names = entries_of(folder) or {}
    return any(name.endswith(".safetensors") for name in names) and verified(folder)


def build(job: PrepareJob, out: Path) -> None:
    """Make the model folder; the caller holds its lock."""
    model, tokenizer = from_gguf(Path(str(job.gguf))) if job.source == "gguf" else toy(job.seed)
    work = out.with_name(f".{out.name}.tmp")
    remove_tree(work)
    work.mkdir()
    model.save_pretrained(work, safe_serialization=True)
    save_tokenizer(tokenizer, work, int(model.config.max_position_embeddings))
    seal(work)
    put_in_place(work, out)


def from_gguf(path: Path) -> tuple[Any, Any]:
    """The model of a GGUF file as `gguf_model` gives it, and its tokenizer."""
    return gguf_model(path), gguf_tokenizer(path)


def gguf_tokenizer(path: Path) -> Any:
    """The tokenizer of a GGUF file, with its chat template."""
    return AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)


def gguf_model(path: Path) -> Any:
    """Dequantize a GGUF file to an ordinary fp32 model.

    transformers marks a model read from GGUF as quantized and refuses to save it, so its weights
    are handed to a fresh model of the same configuration.
    """
    folder, name = str(path.parent), path.name
    auto: Any = AutoModelForCausalLM
    with reading(path):
        quantized, info = auto.from_pretrained(
            folder, gguf_file=name, dtype=torch.float32, output_loading_info=True
        )
    check_loaded(path, quantized, info)
    config = quantized.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    config.name_or_path = ""
    model: Any = type(quantized)(config)
    model.load_state_dict(quantized.state_dict())
    model.generation_config = GenerationConfig.from_model_config(config)
    return model
