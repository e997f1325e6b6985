"""An answer in pieces that can go or stay: its sentences, within lines and paragraphs.

A piece is a sentence, or the part of one that is on a line: an item of a list, a heading. A number
or a bullet before it belongs to it. Pieces are spans of characters, so what is between them stays.
"""

import re
from collections.abc import Callable, Collection, Sequence

from autotune.score.ifeval.words import sentences

Span = tuple[int, int]
"""First character, and the one after the last."""

MIN_LEFT = 0.5
"""Share of an answer's words that must be left where sentences are taken out of it: of less, what
it says is no longer what the model said."""

HEADING_WORDS = 10
"""A paragraph, or first line, of at most so many words that does not end as a sentence does is a
heading."""

_LINE = re.compile(r"[^\n]*\S")
_LETTER = re.compile(r"[^\W\d_]")
_ENDED = re.compile(r"""[.!?…。！？।][)\]"'”’»*]*$""")
_CLOSED = re.compile(r"[}\]`]$")
_WORD = re.compile(r"\w+")
_ITEM = re.compile(
    r"^(?P<space>[^\S\n]*)(?P<number>\d{1,2})(?P<stop>[.)])(?=[^\S\n])", re.MULTILINE
)
_ANY_ITEM = re.compile(r"^[^\S\n]*(?:\d{1,2}[.)]|[-*•])[^\S\n]", re.MULTILINE)
_LONE_ITEM = re.compile(r":[^\S\n]*\n\s*((?:1[.)]|[-*•])[^\S\n][^\n]*)\n[^\S\n]*(?=\n)")
_UNDER = re.compile(
    r"^[^\S\n]*\d{1,2}[.)][^\S\n][^\n]*\n\s*(?![^\S\n]*\d{1,2}[.)][^\S\n])\S", re.MULTILINE
)
_HEADING = re.compile(r"#{1,6}\s[^\n]*|\*\*[^*\n]+\*\*")
_OPENING_QUOTE = re.compile(r'(?:^|\s)"(?=\S)')
_BOLD = re.compile(r"(?<!\*)\*\*(?!\*)")
_FIRST_ITEM = re.compile(r"^(?:1[.)]|[-*•])\s")


def pieces(text: str) -> list[Span]:
    """The pieces, in order; every character that is no white space is in one."""
    found: list[Span] = []
    place = 0
    for sentence in sentences(text):
        first = text.index(sentence, place)
        place = first + len(sentence)
        for line in _LINE.finditer(sentence):
            start = first + line.start() + len(line[0]) - len(line[0].lstrip())
            end = first + line.end()
            if found and _belong_together(text, found[-1], (start, end)):
                start = found.pop()[0]
            found.append((start, end))
    return found


def _belong_together(text: str, before: Span, after: Span) -> bool:
    """Whether one is the sign before an item, or the asterisk or bracket that ends a sentence."""
    between = text[before[1] : after[0]]
    begins = _is_sign(text[slice(*before)]) and "\n" not in between
    return begins or (not between and _is_sign(text[slice(*after)]))


def _is_sign(piece: str) -> bool:
    return not _LETTER.search(piece) and len(piece) <= 4  # such as "1." or "-"


def paragraphs(text: str) -> list[Span]:
    """The paragraphs, divided by blank lines."""
    found: list[Span] = []
    place = 0
    for part in re.split(r"\n[^\S\n]*(?=\n)", text):
        body = part.strip()
        if body:
            start = text.index(body, place)
            place = start + len(body)
            found.append((start, place))
    return found


def keep(text: str, kept: Collection[Span]) -> str:
    """The text with only these of its pieces; where some are gone the widest gap divides."""
    made: list[str] = []
    gap, last = "", 0
    for start, end in pieces(text):
        gap = max(gap, text[last:start], key=_width)
        last = end
        if (start, end) in kept:
            made.append((gap if made else "") + text[start:end])
            gap = ""
    return "".join(made)


def _width(gap: str) -> tuple[int, int]:
    return gap.count("\n"), len(gap)


def longest_beginning(text: str, fits: Callable[[str], bool]) -> str | None:
    """The longest beginning of whole pieces that fits; None where not even the first does.

    What fits must fit when it is shorter, so that the longest is found by halves.
    """
    ends = [end for _, end in pieces(text)]
    low, high = 0, len(ends)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(text[: ends[middle - 1]]) else (low, middle - 1)
    return closed(text[: ends[low - 1]]) if low else None


def without(text: str, unwanted: Callable[[str], int], most: int = 0) -> str | None:
    """The text without the pieces in which something is, the worst first, until `most` are left.

    `unwanted` counts it in a piece. None where less than MIN_LEFT of the words would be left.
    """
    counts = {span: unwanted(text[slice(*span)]) for span in pieces(text)}
    kept = set(counts)
    total = sum(counts.values())
    for span in sorted(counts, key=lambda each: (-counts[each], -each[0])):
        if total <= most:
            break
        total -= counts[span]
        kept.remove(span)
    left = closed(renumbered(keep(text, kept)))
    enough = len(_WORD.findall(left)) >= MIN_LEFT * len(_WORD.findall(text))
    return left if left and enough else None


def divided(text: str, count: int) -> list[str] | None:
    """The text in `count` parts about as long: whole paragraphs, else whole pieces.

    A heading stays with what it heads, and so does what ends in a colon with what it leads to. None
    where there are too few of them.
    """
    parts = [span for span in pieces(text) if _LETTER.search(text[slice(*span)])]
    for spans in (_with_headings(text, paragraphs(text)), _with_headings(text, parts)):
        if len(spans) >= count > 0:
            return [text[group[0][0] : group[-1][1]] for group in _groups(spans, count)]
    return None


def _with_headings(text: str, spans: Sequence[Span]) -> list[Span]:
    """These paragraphs or pieces, a heading together with the next one."""
    joined: list[Span] = []
    heading: int | None = None
    for start, end in spans:
        first = start if heading is None else heading
        heading = first if _leads(text, start, end) else None
        if heading is None or end == spans[-1][1]:
            joined.append((first, end))
    return joined


def _leads(text: str, start: int, end: int) -> bool:
    """Whether it is a heading, a paragraph of its own, or leads to what comes next."""
    if text[start:end].endswith(":"):
        return True
    apart = text[end:].lstrip(" ").startswith("\n\n")
    short = len(text[start:end].split()) <= HEADING_WORDS
    return apart and short and not is_whole(text[start:end])


def _groups(spans: Sequence[Span], count: int) -> list[Sequence[Span]]:
    """Neighbours together, each group about as many characters; none is empty."""
    total = sum(end - start for start, end in spans)
    groups: list[Sequence[Span]] = []
    first = length = 0
    for place, (start, end) in enumerate(spans):
        length += end - start
        left_after, groups_after = len(spans) - place - 1, count - len(groups) - 1
        full = length * count >= total * (len(groups) + 1)
        if groups_after and (full or left_after == groups_after):
            groups.append(spans[first : place + 1])
            first = place + 1
    groups.append(spans[first:])
    return groups


def closed(text: str) -> str:
    """A text that was cut, ended: it announces nothing that does not come, and its marks are pairs.

    What goes is a last piece that ends in a colon, a heading or a numbered question that nothing is
    under, and a list of one item with what leads to it, wherever it stands; a text that is nothing
    but one item is none.
    """
    left = _without_lone_items(text)
    spans = pieces(left)
    while len(spans) > 1:
        last, before = (left[slice(*span)] for span in (spans[-1], spans[-2]))
        alone = left[left.rfind("\n", 0, spans[-1][1]) + 1 : spans[-1][1]].strip() == last
        if last.endswith(":") or (alone and _heads_nothing(left[: spans[-1][0]], last)):
            spans = spans[:-1]
        elif before.endswith(":") and _FIRST_ITEM.match(last):
            spans = spans[:-2]
        else:
            break
    ended = left[: spans[-1][1]] if spans else left
    return _paired(ended if "\n" in ended else _FIRST_ITEM.sub("", ended, count=1))


def _heads_nothing(before: str, last: str) -> bool:
    """Whether a last line is a heading, or numbered as lines that have text under them are."""
    if _HEADING.fullmatch(last):
        return True
    item = _ITEM.match(last)
    return bool(item) and (last.endswith("?") or not is_whole(last)) and bool(_UNDER.search(before))


def _without_lone_items(text: str) -> str:
    """Without lists of one item between other paragraphs, and what leads to them."""
    for item in _LONE_ITEM.finditer(text):
        after = text[item.end() :]
        if after.strip() and not _ANY_ITEM.search(after):
            lead = max((start for start, end in pieces(text) if end <= item.start(1)), default=0)
            left = f"{text[:lead].rstrip()}\n\n{after.strip()}".strip()
            return left if text[:lead].strip() else after.strip()
    return text


def _paired(text: str) -> str:
    """Quotes that were cut open close, one around a whole that was cut goes, and so does a `**`."""
    left = "\n".join(map(_with_bold_pairs, text.split("\n")))
    if left.count('"') % 2 == 0:
        return left
    second = left.find('"', 1)
    opens = (
        second > 0 and left[second - 1].isspace() and not left[second + 1 : second + 2].isspace()
    )
    if left.startswith('"') and (second < 0 or opens):
        return left[1:]
    last = _OPENING_QUOTE.search(left, left.rfind('"') - 1 if left.rfind('"') else 0)
    return f'{left}"' if last or left[left.rfind("\n") + 1 :].count('"') % 2 else left


def _with_bold_pairs(line: str) -> str:
    marks = list(_BOLD.finditer(line))
    if len(marks) % 2 == 0:
        return line
    return line[: marks[-1].start()] + line[marks[-1].end() :]


def renumbered(text: str) -> str:
    """A list from which items are gone counts on without gaps."""
    count = 0

    def next_number(found: re.Match[str]) -> str:
        nonlocal count
        number = int(found["number"])
        count = number if number <= 1 or not count else count + 1
        return f"{found['space']}{count}{found['stop']}"

    return _ITEM.sub(next_number, text)


def is_whole(text: str) -> bool:
    """Whether a text ends as a sentence or a bracket does."""
    end = text.rstrip()
    return bool(_ENDED.search(end[-8:]) or _CLOSED.search(end))


def whole_sentences(text: str) -> str:
    """The text up to the end of its last whole sentence; empty where it has none."""
    for start, end in reversed(pieces(text)):
        if is_whole(text[start:end]) and not _is_sign(text[start:end]):
            return text[:end]
    return ""
