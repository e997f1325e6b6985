"""The texts that prompts are composed from: `text/*.toml`, read once."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any


@cache
def read_table(name: str) -> dict[str, Any]:
    """The TOML file `text/<name>.toml`; not to be changed by who gets it."""
    path = Path(__file__).resolve().parent / "text" / f"{name}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))
