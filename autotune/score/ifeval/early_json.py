"""Whether the beginning of an answer can still become JSON."""

import json

from autotune.score.ifeval.checkers import MAX_NESTING, nesting

OPENINGS = ("```json", "```Json", "```JSON", "```")
"""The fences that the published checker takes off, in its order, before it parses."""

STARTS = frozenset('{["-0123456789tfnNI')
"""First characters of what `json.loads` accepts, `NaN` and `Infinity` included."""

SETTLED = 16
"""Characters after a fault from which on nothing that follows can mend it. The longest thing whose
first half looks like a fault is a pair of escapes as in `\\ud83d\\ude00`: 12 characters."""


def is_lost(beginning: str) -> bool:
    """Whether no answer that begins so can pass `detectable_format:json_format`."""
    if nesting(beginning) > MAX_NESTING:
        return True
    rest = beginning.strip()
    for opening in OPENINGS:
        if opening.startswith(rest):  # nothing yet, or perhaps the half of a fence
            return False
        rest = rest.removeprefix(opening)
    rest = rest.strip()
    if not rest:
        return False
    if rest[0] not in STARTS:
        return True
    try:
        json.loads(rest)
    except json.JSONDecodeError as fault:
        # The place of this fault is where the string begins, and its end may still come.
        open_string = fault.msg.startswith("Unterminated string")
        return not open_string and fault.pos + SETTLED <= len(rest)
    except ValueError:  # too many digits
        return False
    return False
