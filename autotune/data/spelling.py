"""One name for a key that is spelled in several ways."""

import re
from functools import lru_cache

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_QUESTION = re.compile(r"^(?:is|do|should)_")


@lru_cache(maxsize=4096)
def spelled(key: str) -> str:
    """A key in small letters with underscores: `toolCalls` and `Tool-Calls` are `tool_calls`.

    A verb that asks before it says nothing more: `is_train` is `train`.
    """
    small = _HUMP.sub("_", key).lower().replace("-", "_").replace(" ", "_")
    return _QUESTION.sub("", small)
