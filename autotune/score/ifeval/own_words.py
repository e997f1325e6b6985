"""An answer's own words that an edit may pick out: to mark, to capitalize, to make a title of."""

import re
from collections import Counter
from collections.abc import Sequence
from random import Random

from autotune.score.ifeval.pieces import Span

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_PAIR = re.compile(r"\b(?=([^\W\d_]+) ([^\W\d_]+)\b)")
_NO_SUBJECT = re.compile(r"\[[^\]\n]*\]|^\w+ \d+$", re.MULTILINE)
_LIST_SIGN = re.compile(r"\s*(?:[-*•#>]+|\d+[.)])?\s*")

_COMMON = (
    "about above after again also although always another because been before being between"
    " both cannot could does doing down during each either else even ever every from further"
    " have having here hers herself himself however into itself just made make makes many might"
    " more most much must myself never nothing once only other others ourselves over really same"
    " several shall she should since some something still such than that their theirs them"
    " themselves then there therefore these they thing things this those through thus together"
    " under until upon very want wants well were what when where whether which while will with"
    " within without would your yours yourself answer sure like going know good great really"
    " able used uses using find found take takes taken give gives given come comes came goes"
    " gone went look looks looking help helps keep keeps need needs seem seems says said tell"
    " call called often sometimes usually perhaps maybe around"
)
COMMON = frozenset(_COMMON.split())
"""Words of four letters and more that say nothing about what a text is about."""

MIN_LETTERS = 4
"""Shorter words are nearly all such as "the"."""

OPENING_CHARACTERS = 200
"""What a text is about it says in its first two sentences or so."""

PHRASE_WORDS = 3
"""Words of a phrase at most: "ancient olive oil"."""


def telling_words(text: str) -> list[Span]:
    """Places of the words that say what a text is about, those that begin a line left out.

    A mark at the beginning of a line would be another one: an asterisk there is a bullet. A title
    in angle brackets stays as it is.
    """
    found: list[Span] = []
    place = 0
    for line in text.split("\n"):
        sign = _LIST_SIGN.match(line) if not line.startswith("<<") else re.match(".*", line)
        begins = sign.end() if sign else 0
        found += [
            (place + word.start(), place + word.end())
            for word in _WORD.finditer(line)
            if word.start() > begins and is_telling(word[0])
        ]
        place += len(line) + 1
    return found


def is_telling(word: str) -> bool:
    """Whether it may say what a text is about; a contraction such as "that's" does not."""
    contracted = "'" in word or "’" in word
    return len(word) >= MIN_LETTERS and not contracted and word.lower() not in COMMON


def phrases(text: str) -> list[Span]:
    """Telling words that stand side by side, up to `PHRASE_WORDS` together, each phrase once.

    Those of several words come first, then the longer ones.
    """
    joined: list[list[Span]] = []
    for span in telling_words(text):
        beside = joined and text[joined[-1][-1][1] : span[0]] == " "
        if beside and len(joined[-1]) < PHRASE_WORDS:
            joined[-1].append(span)
        else:
            joined.append([span])
    first: dict[str, Span] = {}
    for run in joined:
        span = (run[0][0], run[-1][1])
        first.setdefault(text[slice(*span)].lower(), span)
    return sorted(
        first.values(), key=lambda span: (" " not in text[slice(*span)], span[0] - span[1])
    )


def spread(spans: Sequence[Span], count: int, draw: Random) -> list[Span] | None:
    """So many of the spans, spread over all of them; None where there are too few."""
    if count > len(spans):
        return None
    return [
        spans[draw.randrange(n * len(spans) // count, (n + 1) * len(spans) // count)]
        for n in range(count)
    ]


def replaced(text: str, changes: Sequence[tuple[Span, str]]) -> str:
    """The text with each of these spans, none of which overlap, replaced."""
    made = text
    for (start, end), new in sorted(changes, reverse=True):
        made = made[:start] + new + made[end:]
    return made


def subject(text: str) -> str:
    """What a text is about, in small letters: what its opening names and it says most often.

    Two words side by side that it says twice, else one; empty without a telling word.
    """
    plain = _NO_SUBJECT.sub("", text).lower()
    opening = plain[:OPENING_CHARACTERS]
    said = Counter(word for word in _WORD.findall(plain) if is_telling(word))
    pairs = Counter(
        f"{found[1]} {found[2]}"
        for found in _PAIR.finditer(plain)
        if is_telling(found[1]) and is_telling(found[2])
    )
    twice = [pair for pair, times in pairs.most_common() if times > 1]
    named = [word for word, _ in said.most_common()]
    return next((each for each in (*twice, *named) if re.search(rf"\b{each}\b", opening)), "")


def topics(text: str, count: int) -> list[str]:
    """Up to so many different words that the text says most often, as they are first written."""
    first: dict[str, str] = {}
    often: Counter[str] = Counter()
    for word in _WORD.findall(text):
        if is_telling(word):
            first.setdefault(word.lower(), word)
            often[word.lower()] += 1
    return [first[word] for word, _ in often.most_common(count)]


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def in_case_of(text: str, added: str) -> str:
    """What is added in the text's case, where all of it is in one."""
    if text.isupper():
        return added.upper()
    return added.lower() if text.islower() else added
