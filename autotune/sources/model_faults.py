"""Where config.json, the weights and the tokenizer of a folder do not belong to each other.

Only what every causal LM tells alike is held against the files here, so that it is found before
torch is loaded; the worker compares each tensor with the model that it belongs to.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from autotune.base.format import counted
from autotune.sources.tensors import Described

Config = Mapping[str, Any]
Tensors = Mapping[str, Described]

FLOATS = ("F64", "F32", "F16", "BF16")
"""Types of weights that are numbers as they stand. Any other (I8, U8, I32, F8_E4M3 ...) holds codes
of a quantisation, which mean nothing without its scales; read as numbers they load in silence."""

FULL = "choose the model in full precision (bf16, fp16 or fp32), it is trained in it"
COPY = "copy the whole folder again, or give the config.json that was saved with these weights"

_EMBEDDING = re.compile(r"(?:^|\.)(?:embed_tokens|wte|embed_in|word_embeddings)\.weight$")
_LAYER = re.compile(r"^(.*\b(?:layers|h|blocks))\.(\d+)\.")


def weight_faults(config: Config, tensors: Tensors) -> Iterator[tuple[str, str]]:
    """What is wrong with the weights by their config: (what, remedy) each."""
    method = config.get("quantization_config") or config.get("compression_config")
    if method:
        name = method.get("quant_method") if isinstance(method, dict) else None
        yield f"its weights are quantised ({name or 'config.json says so'})", FULL
    for name, tensor in tensors.items():
        if name.endswith("weight") and len(tensor.shape) > 1 and tensor.dtype not in FLOATS:
            yield f"its weights are quantised ({name} is {tensor.dtype})", FULL
    yield from _embedding_faults(config, tensors)
    yield from _layer_faults(config, tensors)


def vocabulary_faults(
    config: Config, tokenizer: Mapping[str, Any], tensors: Tensors | None
) -> Iterator[tuple[str, str]]:
    """Whether each token of tokenizer.json has a row in the embedding, or in the config's.

    A token without one ends a training with an index out of range, at the first text that has it.
    """
    embedding = _embedding(tensors or {})
    rows = embedding[1].shape[0] if embedding is not None else config.get("vocab_size")
    token, number = _last_token(tokenizer)
    if isinstance(rows, int) and number >= rows:
        yield (
            f"its tokenizer has tokens up to {number} ({token!r}), and its embedding has {rows}"
            f" rows, 0 to {rows - 1}",
            "give the tokenizer that belongs to these weights, or resize the embedding and save it",
        )


def _embedding(tensors: Tensors) -> tuple[str, Described] | None:
    """The table of the input tokens, where exactly one looks like it."""
    found = [(n, t) for n, t in tensors.items() if _EMBEDDING.search(n) and len(t.shape) == 2]
    return found[0] if len(found) == 1 else None


def _embedding_faults(config: Config, tensors: Tensors) -> Iterator[tuple[str, str]]:
    found = _embedding(tensors)
    if found is None:
        return
    name, (rows, columns) = found[0], found[1].shape
    vocabulary, width = config.get("vocab_size"), config.get("hidden_size")
    if isinstance(vocabulary, int) and vocabulary != rows:
        yield f"config.json says vocab_size {vocabulary}, {name} has {rows} rows", COPY
    # OPT and ELECTRA have embeddings of another width than their layers, and say so.
    narrower = config.get("word_embed_proj_dim") or config.get("embedding_size")
    if isinstance(width, int) and not narrower and width != columns:
        yield f"config.json says hidden_size {width}, {name} has {counted(columns, 'column')}", COPY


def _layer_faults(config: Config, tensors: Tensors) -> Iterator[tuple[str, str]]:
    """Layers beyond the config are left out in silence, and those that lack made of random numbers.

    Models with layers of several kinds (towers of images, heads that look ahead) are the worker's.
    """
    said = next((key for key in ("num_hidden_layers", "n_layer") if key in config), None)
    if said is None or config.get("num_nextn_predict_layers"):
        return
    kinds: dict[str, set[int]] = {}
    for name in tensors:
        if (match := _LAYER.match(name)) is not None:
            kinds.setdefault(match[1], set()).add(int(match[2]))
    if len(kinds) != 1:
        return
    ((_, numbers),) = kinds.items()
    if isinstance(config[said], int) and numbers != set(range(config[said])):
        count = f"{len(numbers)} layers" if len(numbers) != 1 else "1 layer"
        ends = f"{min(numbers)} to {max(numbers)}"
        yield f"config.json says {said} {config[said]}, its weights have {count} ({ends})", COPY


def _last_token(tokenizer: Mapping[str, Any]) -> tuple[str, int]:
    """The token of the highest number in a tokenizer.json, and that number; -1 without any."""
    model = tokenizer.get("model")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    numbered: list[tuple[int, str]] = []
    if isinstance(vocabulary, dict):
        numbered = [(n, t) for t, n in vocabulary.items() if isinstance(n, int)]
    elif isinstance(vocabulary, list):  # Unigram: pieces with their scores, numbered by place
        numbered = [
            (at, str(piece[0])) for at, piece in enumerate(vocabulary[-1:], len(vocabulary) - 1)
        ]
    added = tokenizer.get("added_tokens")
    for token in added if isinstance(added, list) else ():
        if isinstance(token, dict) and isinstance(token.get("id"), int):
            numbered.append((token["id"], str(token.get("content"))))
    number, token = max(numbered, default=(-1, ""))
    return token, number
