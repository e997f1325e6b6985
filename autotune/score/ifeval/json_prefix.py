"""JSON in answers: how deep it is nested, and whether a beginning can still become some."""

import json

MAX_NESTING = 500
"""Deepest JSON that is parsed. Python's own limit depends on the depth of the calling code."""

OPENINGS = ("```json", "```Json", "```JSON", "```")
"""The fences that the published checker takes off, in its order, before it parses."""

STARTS = frozenset('{["-0123456789tfnNI')
"""First characters of what `json.loads` accepts, `NaN` and `Infinity` included."""

SETTLED_AFTER_CHARACTERS = 16
"""Characters after a fault from which on nothing that follows can mend it. The longest thing whose
first half looks like a fault is a pair of escapes as in `\\ud83d\\ude00`: 12 characters."""


def cannot_become_json(beginning: str) -> bool:
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
        return not open_string and fault.pos + SETTLED_AFTER_CHARACTERS <= len(rest)
    except ValueError:  # too many digits
        return False
    return False


def nesting(text: str) -> int:
    """How deep the brackets outside strings are nested."""
    if text.count("[") + text.count("{") <= MAX_NESTING:
        return 0
    depth = deepest = 0
    inside = skip = False
    for character in text:
        if skip:
            skip = False
        elif inside:
            skip = character == "\\"
            inside = character != '"'
        elif character == '"':
            inside = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest
