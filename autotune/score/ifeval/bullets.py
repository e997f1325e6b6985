"""A text with just so many bullets, made of its own list or of its own sentences."""

import re

from autotune.score.ifeval.leaning import is_connected, is_spoken, leads_in
from autotune.score.ifeval.linear import count_bullets
from autotune.score.ifeval.pieces import pieces

_NUMBERED = re.compile(r"^[^\S\n]*(?:\d{1,2}[.)]|•)[^\S\n]+", re.MULTILINE)
_ITEM = re.compile(r"^(?:(?:\d{1,2}[.)]|[-•]|\*(?!\*))\s+|[-*•]+(?=\w))")
_RULE = re.compile(r"^[^\S\n]*-{2,}[^\S\n]*$\n?", re.MULTILINE)
_SIGN = re.compile(r"^[^\S\n]*(?:-|\*(?!\*))[^\S\n]*", re.MULTILINE)


def with_bullets(text: str, wanted: int) -> str | None:
    """The text with `wanted` bullets; None where it has too few sentences for them.

    Rows of dashes, each of which counts as a bullet, go. The first items of a list that is too
    long stay, one with numbers becomes one with bullets, and of a text without sentences after the
    first become one.
    """
    ruled = _RULE.sub("", text).strip()
    for listed in (ruled, _NUMBERED.sub("* ", ruled)):
        if count_bullets(listed) >= wanted > 0:
            return _first(listed, wanted)
    if not wanted:
        return _SIGN.sub("", ruled)
    return _of_sentences(ruled, wanted)


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
    """The first sentences in a row that can stand alone, with what is before and after them.

    None where there are too few, or where items of a list that it has would become prose.
    """
    found = [" ".join(text[start:end].split()) for start, end in pieces(text)]
    listed = [_ITEM.match(each) is not None for each in found]
    said = [_ITEM.sub("", each) for each in found]
    leads = int(len(said) > wanted)
    for first in range(leads, len(said) - wanted + 1):
        items, last = said[first : first + wanted], first + wanted
        if any(listed[:first]) or any(listed[last:]) or not all(map(_stands_alone, items)):
            continue
        made = "\n".join(f"* {each}" for each in items)
        return "\n\n".join(filter(None, (" ".join(said[:first]), made, " ".join(said[last:]))))
    return None


def _stands_alone(item: str) -> bool:
    """Whether a sentence may be an item: it leads to nothing, greets nobody, and joins nothing."""
    begins = is_connected(item) or leads_in(item) or is_spoken(item)
    return not item.endswith(":") and not begins and item.count('"') % 2 == 0
