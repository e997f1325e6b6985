"""How numbers and foreign text are put on a screen or a page: one form for each, everywhere."""

import math
import re
import shlex
import sys
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"[^\w@+=:,./\\~-]")
"""What a shell of Windows may read as something else than itself."""

FINE_INTERVAL_N = 100
"""From this many prompts on an interval is shown with one decimal: it is then less than 20 points
wide (Wilson, 95 %), and whole percents would hide what it says."""


def safe(text: str) -> str:
    r"""Text from outside, made harmless: control, escape and direction codes become `\x1b` etc.

    Every other character is kept, so a path in any script stays readable.
    """
    return "".join(
        ch if ch.isprintable() else ch.encode("unicode_escape").decode("ascii") for ch in text
    )


def counted(number: int, one: str, many: str | None = None) -> str:
    """A count with its noun: `0 rounds`, `1 round`, `2 rounds`.

    `one` is the noun for one, `many` for any other number where adding an s does not make it.
    """
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def strategies_text(names: Sequence[str]) -> str:
    """Strategies by their names: `strategy A`, `strategies A, B`."""
    return f"{'strategy' if len(names) == 1 else 'strategies'} {', '.join(names)}"


def either(names: Iterable[str]) -> str:
    """Names to choose from: `a`, `a or b`, `a, b or c`."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def percent(share: float, digits: int = 1) -> str:
    """A share (0..1) as `25.0 %`."""
    return f"{share * 100:.{digits}f} %"


def percents_apart(*shares: float) -> tuple[str, ...]:
    """Shares (0..1) that stand in one sentence, so that different ones look different.

    With one decimal, else with up to four: "25.0 % is below the target of 25.0 %" tells nobody why,
    where 135 of 541 passed.
    """
    shown: tuple[str, ...] = ()
    for digits in range(1, 5):
        shown = tuple(percent(share, digits) for share in shares)
        if len(set(shown)) == len(set(shares)):
            break
    return shown


def kept_percent(share: float) -> str:
    """How much is kept, as a share (0..1), rounded down: `100.0 %` means all of it."""
    return percent(math.floor(share * 1000 + 1e-9) / 1000)


def interval_text(interval: tuple[float, float], n: int) -> str:
    """A 95 % interval (0..1) in percent: `[12-45]`, with a decimal where n earns one."""
    low, high = _bounds(interval, n)
    return f"[{low}-{high}]"


def interval_words(interval: tuple[float, float], n: int) -> str:
    """The same in a sentence: `12 to 45 %`."""
    low, high = _bounds(interval, n)
    return f"{low} to {high} %"


def _bounds(interval: tuple[float, float], n: int) -> tuple[str, str]:
    digits = 1 if n >= FINE_INTERVAL_N else 0
    low, high = (f"{bound * 100:.{digits}f}" for bound in interval)
    return low, high


def duration(seconds: float) -> str:
    """A time span: `0.42 s`, `45 s`, `3 min 20 s`, `14 min`, `1 h 05 min`."""
    if seconds < 10:
        return f"{max(seconds, 0.0):.2g} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 600 and whole % 60:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def about(seconds: float) -> str:
    """An estimate of a time span, no finer than it deserves: `about 3 min`."""
    return "under a minute" if seconds < 60 else f"about {duration(round(seconds / 60) * 60)}"


def at_most(seconds: float) -> str:
    """An upper bound of a time span: `at most 3 min`."""
    return "under a minute" if seconds < 60 else f"at most {duration(round(seconds / 60) * 60)}"


def rate_text(rate: float) -> str:
    """A learning rate as people write it: `4e-5`, `1.5e-4`, `0.001`."""
    digits, exponent = f"{rate:.2e}".split("e")
    if not rate or int(exponent) >= -3:
        return f"{rate:.3g}"
    return f"{float(digits):g}e{int(exponent)}"


def quoted(word: str, system: str = sys.platform) -> str:
    """A path or a value as it is typed in the shell of this system: in quotes where it needs them.

    On Windows PowerShell and the old prompt share double quotes; what PowerShell would replace
    inside those stands in single ones.
    """
    if system != "win32":
        return shlex.quote(word)
    if word and not _SPECIAL.search(word):
        return word
    return f"'{word}'" if re.search(r"[$`]", word) and "'" not in word else f'"{word}"'
