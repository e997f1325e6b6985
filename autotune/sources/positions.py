"""For how many tokens a model has positions, as its configuration states it."""

import json
from pathlib import Path

from autotune.base.errors import BadInput


def positions_of(folder: Path) -> int:
    """The most tokens that the model has positions for."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    positions = config.get("max_position_embeddings")
    if not isinstance(positions, int) or positions < 1:
        raise BadInput(
            f"{folder / 'config.json'}: max_position_embeddings is {positions!r}, must be a"
            " positive integer; choose a causal LM that states it"
        )
    return positions


def demand_positions(length: int | None, model: str, positions: int) -> None:
    """Refuse a length that was typed and is above what the model has positions for, in tokens.

    Raises:
        BadInput: that.
    """
    if length is not None and length > positions:
        raise BadInput(
            f"--model-max-length {length}: {model} has positions for {positions} tokens; give at"
            " most that"
        )
