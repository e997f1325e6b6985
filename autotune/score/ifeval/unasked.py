"""What an answer shows although nobody asked for it: a gap to fill, program code, a title in marks.

The verdicts of IFEval pass all of them. A model that practises on them writes [Your Name] under
every letter.
"""

import re
from collections.abc import Collection

from autotune.score.ifeval.detectable_content import NumberPlaceholders
from autotune.score.ifeval.detectable_format import JsonFormat, Title

GAP = "leaves a gap to fill"
CODE = "is program code"
TITLE = "has a title that nobody asked for"

_GAP = re.compile(r"\[(?=[^\]\n]{0,59}[^\W\d_])[^\[\]\n\"{]{1,60}\](?!\()")
"""Words in brackets. Neither a mark such as [1], nor the text of a link, nor a list in JSON."""

_CODE = re.compile(r"```|^[ \t]*(?:def \w+\(|print\(|import \w+\s*$)", re.MULTILINE | re.IGNORECASE)
_TITLE = re.compile(r"<<[^>\n]{1,200}>>")


def unasked(kinds: Collection[str], text: str) -> str | None:
    """Why a text is none for a prompt with instructions of these kinds, or None.

    JSON may stand in a block of code.
    """
    if leaves_gap(kinds, text):
        return GAP
    if JsonFormat.id not in kinds and _CODE.search(text):
        return CODE
    if Title.id not in kinds and _TITLE.search(text):
        return TITLE
    return None


def leaves_gap(kinds: Collection[str], text: str) -> bool:
    """Whether a text leaves a gap to be filled, such as [Your Name], that nobody asked for."""
    return NumberPlaceholders.id not in kinds and _GAP.search(text) is not None
