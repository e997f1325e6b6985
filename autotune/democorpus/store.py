"""Writes the demo conversations and prompts as JSON Lines files."""

import json
from pathlib import Path
from typing import Any

from autotune.democorpus.compose import compose
from autotune.democorpus.prompts import demo_prompts


def write_demo_data(path: Path, seed: int = 0, count: int = 600) -> None:
    """Write `count` conversations, a `{"messages": [{"role", "content"}, ...]}` a line.

    Raises:
        BadInput: a count that cannot be composed.
        EnvironmentFault: the file cannot be written; an older one is left whole.
    """
    _write(path, [{"messages": c.model_dump()["messages"]} for c in compose(seed, count)])


def write_demo_prompts(path: Path, seed: int = 0, count: int = 48) -> None:
    """Write `count` evaluation prompts in IFEval's format, one a line.

    Raises:
        BadInput: a count that cannot be composed.
        EnvironmentFault: the file cannot be written; an older one is left whole.
    """
    _write(path, [prompt.model_dump() for prompt in demo_prompts(seed, count)])


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    from autotune.files import write_text_atomic

    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write_text_atomic(path, text)
