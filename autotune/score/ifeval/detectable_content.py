"""Instructions on placeholders and postscripts."""

import re
from random import Random

from autotune.score.ifeval.arguments import Argument, a_count, a_text, as_count
from autotune.score.ifeval.instruction import Counted, Instruction, Stage, quote
from autotune.score.ifeval.leaning import is_connected, is_spoken
from autotune.score.ifeval.linear import count_placeholders, has_postscript
from autotune.score.ifeval.own_words import in_case_of, subject
from autotune.score.ifeval.pieces import is_whole, pieces

_MEANT = re.compile(
    r"[<({](?P<brackets>(?:your|insert)\b[^\n\]\[<>(){}]{0,30})[>)}]", re.IGNORECASE
)
"""What a model puts in other brackets for the reader to fill in."""

FIELDS = (
    "name",
    "date",
    "time",
    "place",
    "address",
    "city",
    "email",
    "phone number",
    "website",
    "company",
    "contact person",
    "price",
)
"""What a reader may be asked to fill in, so that as many placeholders can be added at most."""

PAIRS = (
    ("For more ask [{}] at [{}].", "name", "phone number"),
    ("We meet on [{}] at [{}].", "date", "time"),
    ("Write to [{}] or visit [{}].", "email", "website"),
    ("Brought to you by [{}] in [{}].", "company", "city"),
    ("Find us at [{}] on [{}].", "place", "address"),
    ("Speak to [{}] about the price of [{}].", "contact person", "price"),
)
"""Sentences that ask for two of them."""

_MISSPELT = re.compile(r"(?<!\w)(?:p\.? ?){1,2}s\b\.?:?", re.IGNORECASE)

LONGEST_POSTSCRIPT_CHARACTERS = 240
SHORTEST_POSTSCRIPT_CHARACTERS = 20
LEFT_BEFORE = 2
"""A last sentence becomes the postscript if it is not longer and at least so many stay before it:
a postscript is an afterthought."""

AFTERTHOUGHTS = (
    "Thank you for reading this far.",
    "I hope this helps.",
    "Take your time with it.",
    "There is more to say about {} another day.",
    "Please let me know what you think.",
    "Do share this with a friend.",
    "I would love to hear your own thoughts on {}.",
    "If you like {} then this is only the beginning.",
    "I nearly forgot to say how much I enjoyed writing about {}.",
    "Ask me again if you want to know more about {}.",
    "The part about {} is the one to remember.",
    "Feel free to write back with questions.",
)
"""Postscripts of no particular text; some take what it is about."""


class NumberPlaceholders(Counted):
    """Enough placeholders in brackets, on one line each, empty or not (`PlaceholderChecker`).

    The published pattern takes quadratic time.
    """

    id = "detectable_content:number_placeholders"
    arguments = {"num_placeholders": a_count}
    noun = "[placeholder]"

    @property
    def relation(self) -> Argument:
        """No upper limit can be asked for."""
        return "at least"

    @property
    def limit(self) -> Argument:
        """The number of placeholders."""
        return self.given["num_placeholders"]

    def count(self, text: str) -> int:
        """The placeholders."""
        return count_placeholders(text)

    def edit(self, answer: str, draw: Random) -> str | None:
        """Brackets of another kind are mended, and what is to fill in stands at the end.

        In sentences with two each; one that is left over has a line.
        """
        text = _MEANT.sub(lambda meant: f"[{meant['brackets']}]", answer).rstrip()
        missing = max(0, as_count(self.limit) - self.count(text))
        fields = [field for field in FIELDS if f"[{field}]" not in text.lower()]
        if missing > len(fields):
            return None
        pairs = [pair for pair in PAIRS if {*pair[1:]} <= {*fields}]
        said = draw.sample(pairs, min(missing // 2, len(pairs)))
        used = {field for _, *both in said for field in both}
        left = [field for field in fields if field not in used]
        lines = [
            f"{left[at].capitalize()}: [{left[at]}]"
            for at in sorted(draw.sample(range(len(left)), missing - 2 * len(said)))
        ]
        sentences = " ".join(words.format(*both) for words, *both in said)
        added = "\n".join(filter(None, (*lines, sentences)))
        return "\n\n".join(filter(None, (text, in_case_of(text, added))))


class Postscript(Instruction):
    """A postscript that begins with a marker, wherever in the answer (`PostscriptChecker`).

    The published pattern takes quadratic time, and reads a marker other than the usual two as one.
    """

    id = "detectable_content:postscript"
    arguments = {"postscript_marker": a_text}
    amended_at = Stage.POSTSCRIPT

    def check(self, answer: str) -> bool:
        """Whether it is there."""
        return has_postscript(answer, str(self.given["postscript_marker"]))

    def decide_early(self, beginning: str) -> bool | None:
        """Once it is there, it stays. Which sigma a capital becomes depends on what follows."""
        if set(str(self.given["postscript_marker"]).lower()) & set("σς"):
            return None
        return True if self.check(beginning) else None

    def explain(self, answer: str) -> str:
        """That it is not there."""
        return f"no postscript that begins with {quote(self.given['postscript_marker'])}"

    def edit(self, answer: str, draw: Random) -> str | None:
        """A marker that is spelt otherwise is mended; else its last sentence becomes one.

        One of no particular text is put at the end of a text that is short, or ends otherwise: with
        what goes on from the sentence before it, what somebody says, or an item of a list.
        """
        marker, text = str(self.given["postscript_marker"]).strip(), answer.strip()
        spelt = list(_MISSPELT.finditer(text))
        if spelt:
            start, end = spelt[-1].span()
            return f"{text[:start].rstrip()}\n\n{marker} {text[end:].strip()}"
        *before, (start, end) = pieces(text)
        last = text[start:end]
        short = SHORTEST_POSTSCRIPT_CHARACTERS <= len(last) <= LONGEST_POSTSCRIPT_CHARACTERS
        fits = last[0].isalpha() and is_whole(last) and last.count('"') % 2 == 0
        if len(before) >= LEFT_BEFORE and short and fits and not _goes_on(last):
            return f"{text[: before[-1][1]]}\n\n{marker} {last}"
        about = self.about or subject(text)
        # One word alone may be of any kind: "more about dental".
        said = draw.choice(AFTERTHOUGHTS).format(about if self.about or " " in about else "this")
        return f"{text}\n\n{marker} {in_case_of(text, said)}"


def _goes_on(sentence: str) -> bool:
    """Whether it is no afterthought: it goes on from the sentence before, or somebody says it."""
    return is_connected(sentence) or is_spoken(sentence)
