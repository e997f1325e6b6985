"""A conversation: an optional system prompt, then rounds of a user turn and its answer.

Before it answers the assistant may call tools, whose results come back as turns of their own.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn.

    An answer that is not `trained` is context for those after it. Where there are `spans`, only
    these characters [begin, end) of it are supervised, and what ends the turn.

    `calls` are the tool calls of an answer, a JSON list as `toolturns` writes it, and belong to
    what is said. A tool's result may have the tool's `name` and the `call_id` of what it answers.
    """

    role: Role
    content: str
    trained: bool = True
    spans: tuple[tuple[int, int], ...] = ()
    calls: str = ""
    name: str = ""
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class Round:
    """A user turn and the assistant's last answer to it.

    `exchange` are the answers before it that call tools, and the tools' results.
    """

    user: Message
    assistant: Message
    exchange: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Conversation:
    """Whole rounds, after at most one system prompt. `tools` is a JSON list, empty for none.

    `task` names what several conversations answer alike, where the data says so, else it is empty.

    Raises:
        ValueError: the roles are not `[system] (user (assistant tool+)* assistant)+`; use
            `conversation_of` for turns that nobody has checked.
    """

    messages: tuple[Message, ...]
    tools: str = ""
    task: str = ""

    def __post_init__(self) -> None:
        """Refuses any other order of roles, so that `rounds` can rely on it."""
        turns = self.messages[1:] if self.system else self.messages
        roles = [turn.role for turn in turns]
        if roles == ["user", "assistant"] * (len(roles) // 2) and roles:
            return  # most of them
        if _ORDER.fullmatch(" ".join(roles)) is None:
            raise ValueError(
                "roles must be [system] (user (assistant tool+)* assistant)+ but are"
                f" {', '.join(roles)}"
            )

    @property
    def system(self) -> Message | None:
        """The system prompt, if there is one."""
        first = self.messages[0] if self.messages else None
        return first if first is not None and first.role == "system" else None

    @property
    def rounds(self) -> tuple[Round, ...]:
        """The rounds in order; at least one."""
        begins = [at for at, turn in enumerate(self.messages) if turn.role == "user"]
        return tuple(
            Round(self.messages[begin], self.messages[end - 1], self.messages[begin + 1 : end - 1])
            for begin, end in pairwise([*begins, len(self.messages)])
        )

    @property
    def family(self) -> str:
        """The same for conversations of which one tells what the others say.

        Those of one task, and those that begin with the same question.
        """
        if self.task:
            return self.task
        return next(turn.content for turn in self.messages if turn.role == "user").strip()

    @property
    def uses_tools(self) -> bool:
        """Whether it has tools, a call or a result: no plain template writes these."""
        return bool(self.tools) or any(m.calls or m.role == "tool" for m in self.messages)


_ORDER = re.compile(r"(?:user (?:assistant (?:tool )+)*assistant ?)+(?<! )")
"""The roles of whole rounds, a space between each two."""


class Unfit(Exception):
    """A record that is not a conversation to learn from; its text is the reason to count."""


def conversation_of(turns: Iterable[Message], tools: str = "") -> tuple[Conversation, bool]:
    """Checked turns as a conversation, and whether an unanswered last question was cut off.

    A tool's result that nobody speaks to is cut off alike.

    A system prompt that shows nothing counts as none. Turns are never merged, reordered or made up.

    Raises:
        Unfit: no turns, only system, no assistant, first turn by the assistant, two turns of one
            side running, a late system turn, a result that no answer comes before or after, a
            question or answer that is empty or cannot be seen, no answer to train on, text that is
            no Unicode.
    """
    messages = list(turns)
    if not messages:
        raise Unfit("no turns")
    for message in messages:
        if not _is_unicode(message.content + message.calls + message.name + message.call_id):
            raise Unfit("text with half a surrogate pair")
    if not _is_unicode(tools):
        raise Unfit("text with half a surrogate pair")
    head = messages[:1] if messages[0].role == "system" else []
    rest = messages[len(head) :]
    if head and is_invisible(head[0].content):
        head = []
    if not rest:
        raise Unfit("only system")
    if any(message.role == "system" for message in rest):
        raise Unfit("system turn after the first")
    if rest[0].role == "assistant":
        raise Unfit("first turn by the assistant")
    if all(message.role != "assistant" for message in rest):
        raise Unfit("no assistant")
    for before, message in pairwise([Message("user", ""), *rest]):
        if message.role == "tool" and before.role == "user":
            raise Unfit("a tool's result that nobody called for")
        if message.role == "user" and before.role == "tool":
            raise Unfit("a tool's result that is not answered")
    for before, message in pairwise(rest):
        if before.role == message.role != "tool":
            raise Unfit(f"two {message.role} turns running")
    whole = len(rest)
    while rest[-1].role != "assistant":
        rest = rest[:-1]
    trimmed = len(rest) < whole
    for message in rest:
        if message.role == "tool" or message.calls:
            continue  # a tool may give nothing back, and a call says enough
        side = "answer" if message.role == "assistant" else "question"
        if is_blank(message.content):
            raise Unfit(f"empty {side}")
        if is_invisible(message.content):
            raise Unfit(f"invisible {side} (characters without a picture only)")
    if not any(message.trained for message in rest if message.role == "assistant"):
        raise Unfit("no supervised answer")
    return Conversation((*head, *rest), tools), trimmed


def _is_unicode(text: str) -> bool:
    # JSON may spell half a surrogate pair ("\ud800"), which no tokenizer takes.
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


_INVISIBLE = (
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x180B, 0x180F),  # Mongolian variation selectors and the vowel separator
    (0x2065, 0x2065),
    (0x2800, 0x2800),  # Braille pattern without a dot
    (0x3164, 0x3164),  # Hangul filler
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFFA0, 0xFFA0),  # halfwidth Hangul filler
    (0xFFF0, 0xFFF8),
    (0x1D159, 0x1D159),  # musical null notehead
    (0xE0000, 0xE0FFF),  # tags and the supplement of variation selectors
)
"""Ranges beside the categories below: Unicode's Default_Ignorable_Code_Point as far as it is not
format or control, and two blanks that Unicode calls symbols."""

_CATEGORIES = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
"""Controls, formats (zero-width space and joiners, byte order mark, soft hyphen), separators."""


def is_blank(text: str) -> bool:
    """Whether a text is empty or only white space."""
    return not text or text.isspace()


def is_invisible(text: str) -> bool:
    """Whether no character of a text can be seen; ends at the first that can."""
    if text[:1].isascii() and text[:1].isalnum():
        return False  # as most texts begin
    return all(map(_invisible, text))


def _invisible(character: str) -> bool:
    if character.isspace() or unicodedata.category(character) in _CATEGORIES:
        return True
    code = ord(character)
    return any(low <= code <= high for low, high in _INVISIBLE)
