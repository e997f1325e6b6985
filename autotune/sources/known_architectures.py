"""Models whose architecture a plan needs no network for, and no weights: their config.json.

Of the published ones, and of those that come with the tool or are fetched for it by one word.
"""

import json
from pathlib import Path
from typing import Any

from autotune.base.files import write_text_atomic
from autotune.sources.cache import cache_folder
from autotune.sources.named import DEMO, TOY

_LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_act": "silu",
    "attention_bias": False,
    "initializer_range": 0.02,
    "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-05,
    "tie_word_embeddings": True,
    "vocab_size": 49152,
}

_SMOLLM2: dict[str, dict[str, Any]] = {
    "SmolLM2-135M": {
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "rope_theta": 100000,
    },
    "SmolLM2-360M": {
        "hidden_size": 960,
        "intermediate_size": 2560,
        "num_hidden_layers": 32,
        "num_attention_heads": 15,
        "num_key_value_heads": 5,
        "rope_theta": 100000,
    },
    "SmolLM2-1.7B": {
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 24,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "rope_theta": 130000,
    },
}

KNOWN: dict[str, dict[str, Any]] = {
    f"HuggingFaceTB/{name}{kind}": {**_LLAMA, **sizes}
    for name, sizes in _SMOLLM2.items()
    for kind in ("", "-Instruct")
}
"""By the repository's id; a revision of one is not known."""

_TOY: dict[str, Any] = {
    **_LLAMA,
    "vocab_size": 259,
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-06,
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rope_theta": 10000,
}
"""What `worker/toy.py` makes."""

NAMED: dict[str, dict[str, Any]] = {
    DEMO: KNOWN["HuggingFaceTB/SmolLM2-135M-Instruct"],
    TOY: _TOY,
}
"""By the word of `--model`."""


def known_architecture(name: str) -> Path | None:
    """A folder with the model's config.json, written to the cache; None where it is not known.

    `name` is a repository's, or a word of `--model`.

    Raises:
        OSError: the cache cannot be written.
    """
    config = KNOWN.get(name) or NAMED.get(name)
    if config is None:
        return None
    folder = cache_folder() / "architectures" / name.rpartition("/")[2]
    path, text = folder / "config.json", json.dumps(config, indent=1)
    try:
        if path.read_text(encoding="utf-8") == text:
            return folder
    except OSError:
        pass
    folder.mkdir(parents=True, exist_ok=True)
    write_text_atomic(path, text)
    return folder
