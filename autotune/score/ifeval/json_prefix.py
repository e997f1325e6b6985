"""JSON in answers: whether a text is some, or can still become some; how deep it is nested."""

import json

MAX_NESTING = 500
"""Deepest JSON that is parsed. Python's own limit depends on the depth of the calling code."""

OPENINGS = ("```json", "```Json", "```JSON", "```")
"""The fences that are taken off before the rest is parsed, in this order, each once."""

STARTS = frozenset('{["-0123456789tfnNI')
"""First characters of what `json.loads` accepts, `NaN` and `Infinity` included."""

SETTLED_AFTER_CHARACTERS = 16
"""Characters after a fault from which on nothing that follows can mend it. The longest thing whose
first half looks like a fault is a pair of escapes as in `\\ud83d\\ude00`: 12 characters."""


def is_json(text: str) -> bool:
    """Whether a text is JSON as `json.loads` reads it, in a fence or not.

    Of the fence each half counts alone, and white space around what is in it does not.
    """
    rest = text.strip()
    for opening in OPENINGS:
        rest = rest.removeprefix(opening)
    try:
        json.loads(rest.removesuffix("```").strip())
    except ValueError:
        return False
    return True


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
