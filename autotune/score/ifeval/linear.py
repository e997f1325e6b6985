"""IFEval's patterns that take quadratic time on degenerate text, in equal linear forms.

A model that loops writes thousands of newlines, `[` or `<`; the published patterns then need
seconds or hours. Each function here gives the verdict of the pattern named in it, in one pass.
"""

import re

_STAR_BULLET = re.compile(r"^[^\S\n]*\*[^\*].*$", re.MULTILINE)
_DASH_BULLET = re.compile(r"^[^\S\n]*-.*$", re.MULTILINE)
_PS = re.compile(r"p\.\s?s\.")
_PPS = re.compile(r"p\.\s?p\.\s?s")


def count_bullets(text: str) -> int:
    r"""Matches of `^\s*\*[^\*].*$` and of `^\s*-.*$`, by line.

    A bullet is the first visible character of its own line, so white space need not be followed
    over the lines before it.
    """
    return len(_STAR_BULLET.findall(text)) + len(_DASH_BULLET.findall(text))


def count_placeholders(text: str) -> int:
    r"""Matches of `\[.*?\]`: a `[` and the next `]` on its line, none inside another."""
    count = 0
    for line in text.split("\n"):
        start = line.find("[")
        while start >= 0:
            end = line.find("]", start + 1)
            if end < 0:
                break
            count += 1
            start = line.find("[", end + 1)
    return count


def has_title(text: str) -> bool:
    r"""Whether a match of `<<[^\n]+>>` holds more than brackets and white space.

    The pattern is greedy: a line has at most one match, from its first `<<` to its last `>>`.
    """
    for line in text.split("\n"):
        start, end = line.find("<<"), line.rfind(">>")
        if start < 0 or end < start + 3:
            continue
        if line[start : end + 2].lstrip("<").rstrip(">").strip():
            return True
    return False


def has_postscript(text: str, marker: str) -> bool:
    r"""Whether `marker` begins a postscript, matched as `\s*marker.*$` on the lower-cased text.

    White space before and any text after always match, so only the marker is searched. `P.S.` and
    `P.P.S` may be spaced; another marker stands for itself.
    """
    text, marker = text.lower(), marker.strip()
    if marker == "P.P.S":
        return _PPS.search(text) is not None
    if marker == "P.S.":
        return _PS.search(text) is not None
    return marker.lower() in text
