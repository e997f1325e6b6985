"""The final answer in a text, and whether two of them are the same.

It stands behind the last `####` that is followed by one on its line, as in GSM8K. Without any it is
the last number of the text; or its last line, where words are expected. Numbers are compared by
value and exactly:

- `1,234`, `$1234.00` and `1234.` are the same: thousands separators (commas or no-break spaces
  between groups of three), currency and a full stop at the end count for nothing;
- `50 %` is 50 and not 0.5: the sign is a unit, and a unit beside a number is not looked at;
- `1/2`, `0.50`, `.5` and `5e-1` are the same; `0.33` is not `1/3`;
- the minus of any typography is one, but not where it joins two things, as in `7-3`.

A comma between other digits separates two numbers, so `3,5` is not 3.5. Digits with a letter
before them, as in `m2`, are no number. Words are compared without regard to case, to white space
and to a full stop at their end.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

MARK = "####"

MAX_DIGITS = 400
"""Characters of the longest number that is read, and its largest exponent: more than the largest
float has (309), and few enough for exact arithmetic to take no time."""

_MINUS = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d", "-"))
_CURRENCY = "$€£¥₹"
_BESIDE = _CURRENCY + "%+- \t\xa0\u202f"
"""What may stand beside a number that is a whole answer."""

_GROUPED = re.compile(
    r"(?<![0-9.,])[0-9]{1,3}(?:(?:,[0-9]{3})+|(?:[\xa0\u2009\u202f][0-9]{3})+)(?![0-9])"
)
_SEPARATORS = re.compile(r"[^0-9]")
_NUMBER = re.compile(
    r"(?<![A-Za-z_0-9])(?<![0-9]\.)"
    r"(?P<top>(?:[0-9]+(?:\.[0-9]+)?|(?<!\.)\.[0-9]+)(?:[eE](?P<exponent>[+-]?[0-9]+))?)"
    r"(?: ?/ ?(?P<bottom>[0-9]+))?"
)
_SIGN = re.compile(rf"(?<![\w)\]])-[{_CURRENCY}]? ?$|[{_CURRENCY}] ?-$")
_WINDOW = 6
"""Characters before a number that hold its sign, currency, the spaces between, and one more."""


@dataclass(frozen=True, slots=True)
class Final:
    """A final answer as it is written, its value if it is a number, and whether `####` marks it."""

    text: str
    value: Fraction | None
    marked: bool

    @property
    def identity(self) -> Fraction | str:
        """What two answers that are the same have in common."""
        if self.value is not None:
            return self.value
        return " ".join(self.text.casefold().split()).removesuffix(".").rstrip()


def expected_of(answer: str) -> Final | None:
    """The right answer that a record gives: what its last `####` has on its line, else all of it.

    None where nothing is there.
    """
    _, mark, last = answer.rpartition(MARK)
    text = last.strip()
    if not text:
        return None
    if mark:
        text = text.splitlines()[0].rstrip()
    plain = _plain(text)
    found = list(_NUMBER.finditer(plain))
    whole = len(found) == 1 and not (
        plain[: found[0].start()] + plain[found[0].end() :].removesuffix(".")
    ).strip(_BESIDE)
    return Final(text, _value(plain, found[0]) if whole else None, bool(mark))


def final_of(response: str, like: Final) -> Final | None:
    """The final answer of a response, a number if `like` is one; None where there is none."""
    return _last_number(response) if like.value is not None else _last_words(response)


def _last_number(response: str) -> Final | None:
    plain = _plain(response)
    for line in reversed(_behind_marks(plain)):
        found = next(_numbers(line), None)
        # `#### Step 1` is a heading.
        if found is not None and not any(map(str.isalnum, line[: found[0].start()])):
            return _number(*found, marked=True)
    *_, last = None, *_numbers(plain)
    return None if last is None else _number(*last, marked=False)


def _number(found: re.Match[str], value: Fraction, *, marked: bool) -> Final:
    return Final(f"-{found.group()}" if value < 0 else found.group(), value, marked)


def _last_words(response: str) -> Final | None:
    marked = [line for line in _behind_marks(response) if line.strip()]
    lines = marked or [line for line in response.splitlines() if line.strip()]
    return Final(lines[-1].strip(), None, bool(marked)) if lines else None


def _behind_marks(text: str) -> list[str]:
    """What follows each mark up to the end of its line."""
    return [line.rpartition(MARK)[2] for line in text.splitlines() if MARK in line]


def _plain(text: str) -> str:
    """The text with one kind of minus and without separators of thousands."""
    return _GROUPED.sub(lambda found: _SEPARATORS.sub("", found.group()), text.translate(_MINUS))


def _numbers(plain: str) -> Iterator[tuple[re.Match[str], Fraction]]:
    for found in _NUMBER.finditer(plain):
        value = _value(plain, found)
        if value is not None:
            yield found, value


def _value(plain: str, found: re.Match[str]) -> Fraction | None:
    """The value of a number where it stands; None where it is too long, or divides by zero."""
    exponent, bottom = found["exponent"] or "0", found["bottom"] or "1"
    if len(found.group()) > MAX_DIGITS or abs(int(exponent)) > MAX_DIGITS or not int(bottom):
        return None
    value = Fraction(Decimal(found["top"])) / int(bottom)
    before = plain[max(0, found.start() - _WINDOW) : found.start()]
    return -value if _SIGN.search(before) else value
