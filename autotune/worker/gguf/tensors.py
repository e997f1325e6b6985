"""A Llama's weights as llama.cpp has them: its names, its order of heads, its types.

Letters: h heads, d the size of one, H hidden size.
"""

from collections.abc import Iterator
from typing import Any

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Kind

from autotune.base.errors import BadInput
from autotune.protocol.export_jobs import GgufType

KINDS: dict[GgufType, Kind] = {"f16": Kind.F16, "q8_0": Kind.Q8_0, "f32": Kind.F32}

FILE_TYPES: dict[GgufType, int] = {
    "f32": gguf.LlamaFileType.ALL_F32,
    "f16": gguf.LlamaFileType.MOSTLY_F16,
    "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
}

Stored = tuple[str, np.ndarray[Any, Any], Kind]
"""A tensor's name, its numbers as they lie in the file, and their type."""

F16_LARGEST = 65504.0


def stored_tensors(model: Any, kind: GgufType) -> Iterator[Stored]:
    """Every tensor of a Llama, ready to be written; a head that is the embedding is left out.

    Raises:
        BadInput: a weight has no place in the file, or is too large for 16 bits.
    """
    config = model.config
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    tied = model.get_output_embeddings().weight is model.get_input_embeddings().weight
    for name, weight in model.state_dict().items():
        if tied and name == "lm_head.weight":
            continue
        stem, _, suffix = name.rpartition(".")
        stored = names.get_name(stem)
        if stored is None:
            raise BadInput(f"{name}: has no place in a GGUF file of a Llama; choose another model")
        numbers = weight.detach().to(torch.float32).numpy()
        if stem.endswith(".q_proj"):
            numbers = interleaved(numbers, config.num_attention_heads)
        elif stem.endswith(".k_proj"):
            numbers = interleaved(numbers, config.num_key_value_heads)
        yield f"{stored}.{suffix}", *packed(name, numbers, kind)


def interleaved(weight: np.ndarray[Any, Any], heads: int) -> np.ndarray[Any, Any]:
    """The rows (h * d, ...) of a query or key projection in llama.cpp's order of rotary pairs.

    transformers turns the first half of a head with its second, llama.cpp each even row with the
    odd one behind it (`permute` in its convert_hf_to_gguf.py).
    """
    size = weight.shape[0] // heads // 2
    pairs = weight.reshape(heads, 2, size, *weight.shape[1:])
    return np.ascontiguousarray(pairs.swapaxes(1, 2).reshape(weight.shape))


def packed(
    name: str, numbers: np.ndarray[Any, Any], kind: GgufType
) -> tuple[np.ndarray[Any, Any], Kind]:
    """Numbers in the type asked for; vectors stay fp32, which llama.cpp wants of norms.

    Q8_0 takes 32 numbers of a row together; a matrix of other rows is f16.
    """
    stored = KINDS[kind] if numbers.ndim > 1 else Kind.F32
    if stored is Kind.Q8_0 and numbers.shape[-1] % 32:
        stored = Kind.F16
    if stored is Kind.F16 and float(np.abs(numbers).max(initial=0.0)) > F16_LARGEST:
        raise BadInput(f"{name}: has numbers above {F16_LARGEST:g}, too large for f16; --type f32")
    return gguf.quants.quantize(numbers, stored), stored
