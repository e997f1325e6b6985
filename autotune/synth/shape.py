"""Whether a text looks like what was asked for: a poem has lines, a conversation has speakers.

No instruction asks for it, so no verdict tells. Of a small model's poems more than half are prose.
"""

import re

from autotune.synth.prompts import PracticePrompt

VERSES = frozenset({"haiku", "limerick", "poem", "rap", "song"})
"""Names of forms that are written in lines."""

TALKS = frozenset({"dialogue"})

NO_VERSE = "is no verse"
NO_TALK = "is no conversation"

_DIVIDER = re.compile(r"^[ \t]*\*{3,}[ \t]*$", re.MULTILINE)
_TWO_LINES = re.compile(r"\S[ \t]*\n[ \t]*\S")
_SPEAKER = re.compile(r"^[^\w\n]*[^\W\d][^\n:.!?]{0,30}:|^[ \t]*[-–—][ \t]*\w", re.MULTILINE)
_QUOTED = re.compile(r"[\"“„«][^\"“”„»]+[\"”“»]|(?:^|\s)['‘]\w", re.MULTILINE)


def missed_shape(prompt: PracticePrompt, text: str) -> str | None:
    """Why an answer is not what its form asks for, or None.

    What an instruction adds does not count: the request repeated, dividers, quotation marks around
    the whole.
    """
    for given in prompt.kwargs:
        text = text.replace(str(given.get("prompt_to_repeat", "\0")), "")
    text = _DIVIDER.sub("", text.strip().strip('"')).strip()
    if prompt.form in VERSES and not _TWO_LINES.search(text):
        return NO_VERSE
    if prompt.form in TALKS and not _SPEAKER.search(text) and not _QUOTED.search(text):
        return NO_TALK
    return None
