"""What is odd about conversations that can be trained on: said twice, or with a gap left open.

Neither drops a row: a repeated conversation may be meant to weigh more, and a text about templates
has to show one.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence

from autotune.data.conversation import Conversation
from autotune.protocol.data_notes import NAMED_ROWS, DataNote, NoteCollector

DOUBLED = "the same conversation as an earlier row, white space apart"

_EXAMPLES = 3
"""Placeholders that a note shows: enough to tell a gap from a text about templates."""

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
"""Code in Markdown, where braces are part of a language."""

_PLACEHOLDER = re.compile(
    # {{name}}, {{{name}}}, {{name | title}}, but not braces of LaTeX such as \frac{{a}}{{b}}
    r"(?<![\w\\{}^])\{{2,3}\s*\$?[A-Za-z_][\w .:|-]{0,40}\}{2,3}(?![{}])"
    # ${name}
    r"|\$\{[A-Za-z_]\w{0,40}\}(?!\$)"
    # {name}, alone between spaces, quotes, brackets or punctuation
    r"|(?<![^\s\"'(\[:,>])\{[A-Za-z][A-Za-z0-9_]{2,40}\}(?=$|[\s\"')\],.;:!?<])"
    # <|name|>, less the names of tokens that chat templates write: those are counted apart
    r"|<\|(?!(?:im_start|im_end|endoftext|begin_of_text|end_of_text|eot_id)\|)[A-Za-z_]\w{0,40}\|>"
    # %(name)s
    r"|%\([A-Za-z_]\w{0,40}\)s"
    # <USER_NAME>, but no mark-up such as <BR>
    r"|<[A-Z][A-Z0-9]*_[A-Z0-9_]{1,40}>"
    # [placeholder]; [INSERT NAME HERE], <your answer>; not a link's text
    r"|[\[<](?i:placeholder)[\]>](?!\()"
    r"|[\[<](?i:insert|your|enter)[ _][^\]>\n]{1,60}[\]>](?!\()"
    # [Company Name]
    r"|\[(?:\w+[ _]){0,3}(?i:name|date|email|address|company|city|topic)\](?!\()"
)
"""Forms of a gap that a tool or a person was to fill."""


class Oddities:
    """Looks at conversations one after the other; linear in the length of the texts."""

    def __init__(self) -> None:
        self._book = NoteCollector()
        self._first: set[bytes] = set()
        self._gaps: list[int] = []
        self._shown: dict[str, None] = {}
        self._count = 0

    def look(self, conversation: Conversation, row: int) -> None:
        """One more, `row` being its number."""
        digest = _digest(conversation)
        if digest in self._first:
            self._book.add(DOUBLED, row)
        self._first.add(digest)
        found = next(_placeholders(m.content for m in conversation.messages), None)
        if found is not None:
            self._count += 1
            if self._count <= NAMED_ROWS:
                self._gaps.append(row)
            if len(self._shown) < _EXAMPLES:
                self._shown[found] = None

    @property
    def notes(self) -> tuple[DataNote, ...]:
        """What is odd about those seen so far."""
        if not self._count:
            return self._book.notes
        shown = ", ".join(self._shown)
        what = f"what looks like a placeholder that nobody filled, such as {shown}"
        gaps = DataNote(what=what, count=self._count, rows=tuple(self._gaps))
        return (*self._book.notes, gaps)


def oddities(conversations: Sequence[Conversation], rows: Sequence[int]) -> tuple[DataNote, ...]:
    """Notes on conversations, `rows` being their numbers."""
    seen = Oddities()
    for conversation, row in zip(conversations, rows, strict=True):
        seen.look(conversation, row)
    return seen.notes


def _digest(conversation: Conversation) -> bytes:
    """Who says what, white space apart, in 16 bytes: a million conversations take 100 MB."""
    parts = (f"{m.role}\0{' '.join(m.content.split())}\0{m.calls}" for m in conversation.messages)
    text = "".join(parts) + conversation.tools
    return hashlib.blake2b(text.encode("utf-8"), digest_size=16).digest()


def _placeholders(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        # Few texts hold any of these characters, which is quicker to see than a match.
        if "{" in text or "<" in text or "[" in text or "%(" in text:
            plain = _CODE.sub("", text) if "`" in text else text
            yield from (match[0] for match in _PLACEHOLDER.finditer(plain))
