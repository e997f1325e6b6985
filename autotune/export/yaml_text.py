"""Settings as YAML that says the same to every reader of it.

Values are JSON, which YAML contains. A number such as 4e-05 has a point: without one YAML 1.1, as
PyYAML reads it, takes it for a text.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

_NO_POINT = re.compile(r"(?<![\w.])(-?\d+)(e[+-]?\d+)")


def yaml_text(settings: Mapping[str, Any], about: str) -> str:
    """A key a line, below `about` as a comment."""
    head = "".join(f"# {line}\n" for line in about.splitlines())
    return head + "".join(f"{key}: {_value(value)}\n" for key, value in settings.items())


def _value(value: Any) -> str:
    if isinstance(value, float):
        return _NO_POINT.sub(r"\1.0\2", repr(value))
    return json.dumps(value, ensure_ascii=False)
