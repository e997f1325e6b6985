"""A tokenizer as files for other programs, without marks of this machine and its libraries."""

import json
from pathlib import Path
from typing import Any

CONFIG = "tokenizer_config.json"

OF_LOADING = ("is_local", "local_files_only", "backend")
"""What transformers writes there of how it was loaded, which says nothing of the tokenizer."""

GENERIC = {"TokenizersBackend": "PreTrainedTokenizerFast"}
"""transformers 5 gives the class that reads tokenizer.json alone a name that version 4 lacks; the
older name is read by both."""


def save_tokenizer(tokenizer: Any, folder: Path, positions: int) -> None:
    """Save it, with the model's `positions` for its longest sequence where it names none.

    A tokenizer that knows no length says 10^30, which other programs take for true.
    """
    tokenizer.save_pretrained(folder)
    path = folder / CONFIG
    config = json.loads(path.read_text(encoding="utf-8"))
    for key in OF_LOADING:
        config.pop(key, None)
    named = config.get("model_max_length")
    known = isinstance(named, int) and 0 < named <= positions
    config["model_max_length"] = named if known else positions
    kind = config.get("tokenizer_class")
    config["tokenizer_class"] = GENERIC.get(kind, kind)
    path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
