"""Puts a request into words: what is wanted, and the instructions that it must follow."""

import random
import re
from collections.abc import Sequence
from itertools import pairwise

from autotune.synth import wording
from autotune.synth.kinds import Rule

INSIDE_SHARE = 0.35
"""Of commands that can take it, those with an instruction before their full stop."""

_HEADINGS = (
    "Follow these rules:",
    "Keep to these rules:",
    "Please note:",
    "Requirements:",
    "I have some requirements:",
    "Rules:",
)
_CLAUSE = re.compile(r"\b(?:who|whose|that|which)\b")
_ENDS = re.compile(r"[.?!]")
_STOPS = '.!?")'
_REFERS = re.compile(r"\b(?:it|this|that|above|text|both|parts)\b", re.IGNORECASE)
"""A sentence with one of these speaks of what is wanted, which has to be said before."""


def word_request(wanted: str, rules: Sequence[Rule], simple: bool, rng: random.Random) -> str:
    """One request: `wanted` and a wording of each rule, in one of several arrangements.

    `simple` is whether `wanted` may take a rule into its last sentence without a change of what
    that speaks of.
    """
    said = list(rules)
    if said and simple and _is_command(wanted) and rng.random() < INSIDE_SHARE:
        options = wording.insertions(said[0])
        if options:
            inside = wording.fill(rng.choice(options), said.pop(0), rng)
            wanted = wanted[:-1] + inside + ("" if inside.endswith(".") else ".")
    sentences = [wording.fill(rng.choice(wording.sentences(rule)), rule, rng) for rule in said]
    return _arrange(wanted, sentences, rng)


def word_repetition(request: str, rule: Rule, rng: random.Random) -> str:
    """A request that is to be repeated before it is answered."""
    if rng.random() < 0.3:
        return f"{rng.choice(wording.before_request())}\n\n{request}"
    gap = rng.choice(("\n", "\n\n"))
    return f"{request}{gap}{rng.choice(wording.sentences(rule))}"


def _is_command(wanted: str) -> bool:
    """A single sentence with a full stop that ends with what is to be written.

    Behind a clause ("that a teacher can use") a rule would speak of what the clause is about.
    """
    alone = wanted.endswith(".") and len(_ENDS.findall(wanted)) == 1 and "\n" not in wanted
    return alone and not _CLAUSE.search(wanted)


def _arrange(wanted: str, sentences: list[str], rng: random.Random) -> str:
    if not sentences:
        return wanted
    style = rng.random()
    one_line = all("\n" not in sentence for sentence in sentences)
    if len(sentences) > 1 and one_line and style < 0.25:
        mark = rng.choice(("{}. ", "{}) ", "- "))
        listing = "\n".join(mark.format(i) + s for i, s in enumerate(sentences, 1))
        gap = "\n\n" if "\n" in wanted else " "
        return f"{wanted}{gap}{rng.choice(_HEADINGS)}\n{listing}"
    if "\n" in wanted:
        return f"{wanted}\n\n{_joined(sentences)}"
    if style < 0.35:
        return f"{wanted}\n{_joined(sentences)}"
    if style < 0.45:
        return "\n\n".join((wanted, _joined(sentences)))
    if style < 0.5:
        return "\n".join((wanted, *sentences))
    if style < 0.62 and one_line and len(sentences) == 1 and _may_open(sentences[0]):
        return f"{sentences[0]} {wanted}"
    return f"{wanted} {_joined(sentences)}"


def _joined(sentences: list[str]) -> str:
    """In one line, but for what follows an example or a sentence without a stop."""
    text = sentences[0]
    for before, sentence in pairwise(sentences):
        text += ("\n" if "\n" in before or before[-1] not in _STOPS else " ") + sentence
    return text


def _may_open(sentence: str) -> bool:
    return sentence[-1] == "." and not _REFERS.search(sentence)
