"""A paragraph that begins with another word than it does, where the word may open a sentence."""

import re

from autotune.score.ifeval.leaning import is_salutation
from autotune.score.ifeval.pieces import is_whole, pieces

_ADVERBS = (
    "actually again anyway certainly clearly finally first fortunately frankly generally honestly"
    " however indeed instead interestingly later listen maybe meanwhile mostly naturally"
    " next nowadays obviously often oh perhaps please really remember sadly sometimes somehow soon"
    " still surely then therefore today traditionally truly typically unfortunately usually well"
    " yes yesterday"
)
ADVERBS = frozenset(_ADVERBS.split())
"""Words that stand before any sentence, with a comma."""

CLAUSES = {
    "children": "Children know that",
    "consider": "Consider that",
    "curious": "Curious as it may sound,",
    "everyone": "Everyone knows that",
    "friends": "Friends say that",
    "history": "History shows that",
    "imagine": "Imagine that",
    "nobody": "Nobody doubts that",
    "questions": "Questions remain, but",
    "remember": "Remember that",
    "some": "Some say that",
    "stories": "Stories tell us that",
    "suppose": "Suppose that",
    "teachers": "Teachers say that",
    "tomorrow": "Tomorrow as much as today,",
}
"""Words that no comma alone follows, with what leads on to nearly any statement."""

_ARTICLE = re.compile(r"(?:the|some|many|most|all|our|my|these|those)\s+(?=\w)", re.IGNORECASE)
_WITHIN = (
    "a an the this that these those there it its it's they them their he she his her we our you"
    " your my in on at by for from with as after before during when while some many most all every"
    " each one two three both another such no nothing once if since because although though until"
    " here i'm people learning living life having being to"
)
_SMALL = frozenset(_WITHIN.split())
"""First words of a sentence that have a small letter within one."""
_SAME = re.compile(r"I(?:['’]\w+)?\b")
_PLURAL = frozenset({"children", "people", "men", "women"})


def opened_with(word: str, paragraph: str) -> str | None:
    """The paragraph with the word first; None where that would be no sentence.

    "The stories" can begin without "the", and most sentences behind "Today,".
    """
    name = f"{word[:1].upper()}{word[1:]}"
    article = _ARTICLE.match(paragraph)
    several = word.lower() in _PLURAL or (word.endswith("s") and not word.endswith("ss"))
    if (
        article
        and several
        and re.match(rf"{re.escape(word)}\b", paragraph[article.end() :], re.IGNORECASE)
    ):
        return name + paragraph[article.end() + len(word) :]
    first = paragraph[slice(*pieces(paragraph)[0])]
    rest = _within(paragraph)
    if rest is None or not is_whole(first) or is_salutation(first):
        return None
    if word.lower() in CLAUSES:
        return f"{CLAUSES[word.lower()]} {rest}" if first.endswith(".") else None
    return f"{name}, {rest}" if word.lower() in ADVERBS else None


def _within(paragraph: str) -> str | None:
    """As it stands within a sentence; None where its first word might be a name."""
    if _SAME.match(paragraph):
        return paragraph
    first = paragraph.split(maxsplit=1)[0].lower().replace("’", "'").rstrip(",")
    return paragraph[:1].lower() + paragraph[1:] if first in _SMALL else None
