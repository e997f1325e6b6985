"""How a model attends for a while, and whether it looks at a window of the tokens only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from transformers import AttentionInterface


@contextmanager
def attending(model: Any, name: str, attend: Callable[..., Any]) -> Iterator[None]:
    """Within, the model attends by `attend`, known to transformers' registry by `name`.

    A name of our own has no mask function there, so transformers makes no mask for it. What is
    computed again in a backward pass within, attends so as well.
    """
    registry: Any = AttentionInterface
    registry.register(name, attend)
    before = model.config._attn_implementation
    model.config._attn_implementation = name
    try:
        yield
    finally:
        model.config._attn_implementation = before


def windowed(model: Any) -> bool:
    """Whether some layer sees a window of the tokens only, by the model's configuration.

    On a few tokens a window does not show, so trying would not find it.
    """
    config = model.config
    has_window = getattr(config, "sliding_window", None) is not None or "sliding_attention" in (
        getattr(config, "layer_types", None) or ()
    )
    return bool(has_window and getattr(config, "use_sliding_window", True))
