"""A text with just so many bullets, made of its own list or of its own sentences."""

import re

from autotune.score.ifeval.linear import count_bullets
from autotune.score.ifeval.pieces import pieces

_NUMBERED = re.compile(r"^[^\S\n]*(?:\d{1,2}[.)]|•)[^\S\n]+", re.MULTILINE)
_RULE = re.compile(r"^[^\S\n]*-{2,}[^\S\n]*$\n?", re.MULTILINE)
_SIGN = re.compile(r"^[^\S\n]*(?:-|\*(?!\*))[^\S\n]*", re.MULTILINE)


def with_bullets(text: str, wanted: int) -> str | None:
    """The text with `wanted` bullets; None where it has too few sentences for them.

    Rows of dashes, each of which counts as a bullet, go. The first items of a list that is too
    long stay, one with numbers becomes one with bullets, and of a text without the sentences after
    the first become one.
    """
    ruled = _RULE.sub("", text).strip()
    for listed in (ruled, _NUMBERED.sub("* ", ruled)):
        if count_bullets(listed) >= wanted > 0:
            return _first(listed, wanted)
    if not wanted:
        return _SIGN.sub("", ruled)
    return _of_sentences(_SIGN.sub("", _NUMBERED.sub("", ruled)), wanted)


def _first(text: str, wanted: int) -> str:
    """Without the bullets after so many; what is between and after them stays."""
    kept: list[str] = []
    count = 0
    for line in text.split("\n"):
        count += count_bullets(line)
        if count <= wanted or not count_bullets(line):
            kept.append(line)
    return "\n".join(kept).rstrip()


def _of_sentences(text: str, wanted: int) -> str | None:
    said = [" ".join(text[start:end].split()) for start, end in pieces(text)]
    if len(said) < wanted:
        return None
    leads = len(said) > wanted
    items = [f"* {each.lstrip('*- ')}" for each in said[leads : wanted + leads]]
    rest = " ".join(said[wanted + leads :])
    parts = (said[0] if leads else "", "\n".join(items), rest)
    return "\n\n".join(filter(None, parts))
