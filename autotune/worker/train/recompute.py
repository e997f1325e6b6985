"""Gradient checkpointing: activations are computed again in the backward pass, to save memory."""

from typing import Any


def recompute_activations(model: Any, on: bool) -> None:
    """Switch gradient checkpointing; transformers 5 renames it on its way to version 6."""
    how = {"use_reentrant": False}
    if hasattr(model, "activation_checkpointing_enable"):
        if on:
            model.activation_checkpointing_enable(activation_checkpointing_kwargs=how)
        else:
            model.activation_checkpointing_disable()
    elif on:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=how)
    else:
        model.gradient_checkpointing_disable()
