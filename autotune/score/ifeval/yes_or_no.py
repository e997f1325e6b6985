"""Whether a text says yes, no or maybe to a question, as far as its beginning tells."""

import re

from autotune.score.ifeval.pieces import pieces

SENTENCES = 2
"""So many of the first tell: later ones speak of other things as well."""

_BEGINS = re.compile(
    r"\W*(?:(?P<yes>yes)\b|(?P<no>no)(?=\s*[,.!:;–—-]|\s+(?:it|they|you|he|she|we|i|there)\b|\s*$)"
    r"|(?P<maybe>maybe|perhaps)\b)",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"\banswer(?:\s+to\s+[^.?!\n]{0,80}?)?\s+(?:is|would\s+be)\s+(?:\w+,?\s+){0,2}?"
    r"[\"'“*]*(?:(?P<yes>yes)|(?P<no>no)(?=\W*[.,!;*\"”]|\W*$)|(?P<maybe>maybe))\b",
    re.IGNORECASE,
)
_OPEN = re.compile(
    r"\b(?:it depends|depends on|hard to say|it['’]s possible|there is no (?:absolute|single"
    r"|simple|clear|definitive|easy|right) answer|matter of (?:opinion|taste))\b",
    re.IGNORECASE,
)
_OPINION = re.compile(
    r"\b(?:should|ought|would you|do you think"
    r"|(?:is|are) it (?:better|worth|fair|rude|okay|ok|wrong|right)"
    r"|is (?:\w+ ){1,3}better|better than|always better)\b",
    re.IGNORECASE,
)
_NOT = re.compile(r"\b(?:not|never|no|nobody|none|cannot|without)\b|n['’]t\b", re.IGNORECASE)
_UNSURE = re.compile(
    r"\b(?:if|whether|while|although|though|may|might|could|would|perhaps|maybe|question|claim"
    r"|claims|idea|believed?|assumed?|debated|common|myth|but|or)\b|\?",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")
_LITTLE = (
    "a an the is are was were be been do does did can could will would have has had i you we they"
    " he she it my your our their to of in on at for from by with and as that this there if"
)
_SAYS_LITTLE = frozenset(_LITTLE.split())
_STEM_LETTERS = 5


def answer_of(text: str, prompt: str) -> str | None:
    """`yes`, `no` or `maybe`; None where a beginning says none of them.

    It says it in so many words, or says again what the prompt asks, with a "not" or without. To a
    question of opinion ("Should ...?") what says neither says maybe.
    """
    said = [text[slice(*span)] for span in pieces(text)[:SENTENCES]]
    for sentence in said:
        for pattern in (_BEGINS, _NAMED):
            found = pattern.match(sentence) if pattern is _BEGINS else pattern.search(sentence)
            if found:
                return found.lastgroup
    if any(map(_OPEN.search, said)):
        return "maybe"
    question = _question(prompt)
    for sentence in said:
        if question and (says := _says_again(sentence, question)):
            return says
    return "maybe" if _OPINION.search(question) else None


def _question(prompt: str) -> str:
    """The first question of a prompt; empty where it has none."""
    said = (prompt[slice(*span)] for span in pieces(prompt))
    return next((each for each in said if each.rstrip("\"'”*").endswith("?")), "")


def _says_again(sentence: str, question: str) -> str | None:
    """`yes` or `no` where a sentence has all that a question names, and is sure of it."""
    asked = _stems(question.rpartition(":")[2])
    if len(asked) < 2 or not asked <= _stems(sentence) or _UNSURE.search(sentence):
        return None
    times = len(_NOT.findall(sentence))
    return ("yes", "no")[times] if times < 2 and not _NOT.search(question) else None


def _stems(text: str) -> set[str]:
    words = (word.lower() for word in _WORD.findall(text))
    return {word[:_STEM_LETTERS].rstrip("s") for word in words if word not in _SAYS_LITTLE}
