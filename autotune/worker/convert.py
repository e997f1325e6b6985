"""The prepare job: make a model folder from a GGUF file, or a toy model from a seed.

The toy: a Llama of a hundred thousand weights and a byte tokenizer, made from a seed.

It has every part of the real thing (tied embeddings, grouped attention, ChatML tokens), needs no
download, and trains in seconds on a CPU. It learns nothing worth reading.
"""

from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from autotune.base.files import remove_tree
from autotune.base.manifest import put_in_place, seal, verified
from autotune.protocol import events
from autotune.protocol.job import PrepareJob
from autotune.worker.channel import Pipe
from autotune.worker.tokens.tokenizer import reading
from autotune.worker.weights import check_loaded, load_weights


def prepare(job: PrepareJob, pipe: Pipe) -> None:
    """Build the folder beside its place and move it there whole; a whole one is left alone."""
    out = Path(job.out)
    if not verified(out):
        pipe.enter("converting" if job.source == "gguf" else "building")
        model, tokenizer = from_gguf(Path(str(job.gguf))) if job.source == "gguf" else toy(job.seed)
        work = out.with_name(f".{out.name}.tmp")
        remove_tree(work)
        work.mkdir(parents=True)
        model.save_pretrained(work, safe_serialization=True)
        tokenizer.save_pretrained(work)
        seal(work)
        put_in_place(work, out)
    millions = load_weights(out).num_parameters() / 1e6
    sentence = f"model folder ready: {out} ({millions:.1f} M parameters)"
    pipe.emit(events.Notice(about="model", sentence=sentence))


def toy(seed: int) -> tuple[Any, Any]:
    """The toy model and its tokenizer."""
    tokenizer = toy_tokenizer()
    return toy_model(seed, len(tokenizer)), tokenizer


def from_gguf(path: Path) -> tuple[Any, Any]:
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
    return model, AutoTokenizer.from_pretrained(folder, gguf_file=name)


SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
"""The same ids as SmolLM2's: 0, 1 and 2."""


def toy_tokenizer() -> Any:
    """One token a byte, after three special tokens: any text encodes, and exactly."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: at for at, token in enumerate([*SPECIAL, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL])
    fast: Any = PreTrainedTokenizerFast
    return fast(
        tokenizer_object=tokenizer,
        bos_token=SPECIAL[0],
        eos_token=SPECIAL[0],
        pad_token=SPECIAL[0],
        unk_token=SPECIAL[0],
        additional_special_tokens=list(SPECIAL[1:]),
        model_max_length=4096,
    )


def toy_model(seed: int, vocab_size: int) -> Any:
    """A two-layer Llama with random weights; the same seed gives the same weights."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=64,
        intermediate_size=160,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )
    return LlamaForCausalLM(config)
