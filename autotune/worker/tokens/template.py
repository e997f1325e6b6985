"""A model folder's own chat template: rendered within bounds, its question in tokens.

Templates are programs that come with a model. They run in transformers' sandbox, which keeps them
from files and attributes but not from looping; what they write and how long they take is bounded
here. What a template does wrong is the folder's fault and is said with its place.
"""

import ctypes
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transformers.utils import chat_template_utils

from autotune.base.errors import BadInput
from autotune.base.format import counted, safe
from autotune.data.conversation import Message
from autotune.worker.tokens.whole_text import WholeText

MAX_CHARACTERS = 2**22
"""What a template may write: some million tokens, more than any model of this size reads."""

MAX_SECONDS = 10.0
"""How long it may take over one question. A template takes about a millisecond, and its first
rendering some tens of them; a machine that is busy may take a hundred times as long."""

MAX_WORDS = 200
"""Characters of a template's own words that are repeated: what it says may be as long as a chat."""

_WRITTEN = "writtenspecialtokenqzkx"
"""Stands for a special token that somebody wrote; letters pass through any template."""

_AS_PYTHON = "{'type': 'text'"
"""What a template writes of parts that it takes for a text."""

_STOPPED_SECONDS, _TIMES_STOPPED = 0.1, 20
"""How often a template that goes on is told to stop. One that is inside a single long operation
hears it only afterwards; nobody waits for that, since the worker ends with its refusal."""


class TemplateFault(Exception):
    """Why a template gave no text; `endless` where it went on until it was stopped."""

    def __init__(self, reason: str, *, endless: bool = False) -> None:
        super().__init__(reason)
        self.endless = endless


class _Stop(BaseException):
    """Raised inside a template that took too long; no filter that catches exceptions keeps it."""


def render(
    source: str,
    messages: Sequence[dict[str, Any]],
    tokens: dict[str, str],
    *,
    tools: Sequence[dict[str, Any]] | None = None,
    asks: bool = True,
    marks: list[tuple[int, int]] | None = None,
) -> str:
    """What a template writes of these messages and, where it `asks`, the beginning of an answer.

    `tokens` are the special tokens that it may name, such as `bos_token`. `marks` gets the
    characters [begin, end) that it puts between `{% generation %}` and `{% endgeneration %}`.

    Raises:
        TemplateFault: it raises, writes too much or takes too long.
    """

    def pieces() -> Iterator[str]:
        template: Any = chat_template_utils._compile_jinja_template(source)
        written: list[str] = []
        tracked = marks is not None and template.environment.activate_tracker(written, marks)
        with tracked or nullcontext():
            for piece in template.generate(
                messages=list(messages),
                tools=tools,
                documents=None,
                add_generation_prompt=asks,
                **tokens,
            ):
                written.append(piece)
                yield piece

    return within(pieces, MAX_CHARACTERS, MAX_SECONDS)


def within(pieces: Callable[[], Iterator[str]], characters: int, seconds: float) -> str:
    """The pieces joined, if they end in time and are no longer than that.

    They are made in a thread of their own, for only there can a loop that yields nothing be ended.

    Raises:
        TemplateFault: they do not, or making them raises.
    """
    made: list[str] = []
    fault: list[TemplateFault] = []

    def make() -> None:
        left = characters
        try:
            for piece in pieces():
                left -= len(piece)
                if left < 0:
                    words = f"writes more than {characters} characters"
                    fault.append(TemplateFault(words, endless=True))
                    return
                made.append(piece)
        except Exception as error:
            reason = str(error).strip() or type(error).__name__
            fault.append(TemplateFault(f"fails: {safe(reason.splitlines()[0])[:MAX_WORDS]}"))

    def run() -> None:
        with suppress(_Stop):  # it may come late, when everything is done
            make()

    thread = threading.Thread(target=run, name="chat template", daemon=True)
    thread.start()
    thread.join(seconds)
    late = thread.is_alive()
    for _ in range(_TIMES_STOPPED):
        if not thread.is_alive():
            break
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_Stop)
        )
        thread.join(_STOPPED_SECONDS)
    if late:
        raise TemplateFault(f"takes more than {seconds:g} seconds", endless=True)
    if fault:
        raise fault[0]
    return "".join(made)


@dataclass(frozen=True)
class FolderTemplate:
    """Asks in the form of a folder's own chat template."""

    source: str
    tokens: dict[str, str]
    whole: WholeText
    where: str
    """The file that it stands in, for a person."""
    fault: str | None = None
    """Why no template can be taken; it matters only to who asks, and training does not."""

    @property
    def is_dated(self) -> bool:
        """Whether it may write today's date, which makes answers differ from day to day."""
        return "strftime_now" in self.source

    def render_prompt(self, text: str) -> list[int]:
        """Ids of a prompt of one user turn: see `render`."""
        return self.render([Message("user", text)])

    def render(self, messages: Sequence[Message]) -> list[int]:
        """Ids of a talk; a special token written in one of its texts is split as text.

        Raises:
            BadInput: the template cannot be rendered, or leaves the last turn out.
        """
        if self.fault is not None:
            raise BadInput(f"{self.where}: {self.fault}")
        if not self.whole.count_written([message.content for message in messages]):
            return self.whole.ids([self._rendered(messages)])
        # What is written goes through the template under a name that no tokenizer knows: then the
        # token that stands there is told from the same one of the template.
        pieces = [
            self.whole.pieces(m.content) if self.whole.count_written([m.content]) else [m.content]
            for m in messages
        ]
        marked = [
            replace(message, content=_WRITTEN.join(parts[::2]))
            for message, parts in zip(messages, pieces, strict=True)
        ]
        written = [special for parts in pieces for special in parts[1::2]]
        around = self._rendered(marked).split(_WRITTEN)
        if len(around) != len(written) + 1:
            raise BadInput(
                f"{self.where}: the chat template changes a question with a special token written"
                f" in it ({_short(messages[-1].content)}), so that the text would end a turn; take"
                " the question out, or mend the template"
            )
        joined = [around[0]]
        for special, text in zip(written, around[1:], strict=True):
            joined += [special, text]
        return self.whole.ids(joined)

    def _rendered(self, messages: Sequence[Message]) -> str:
        faults: list[str] = []
        text = messages[-1].content
        # Templates of models that also see images read a content of parts.
        for parts in (False, True):
            turns = [
                {
                    "role": m.role,
                    "content": [{"type": "text", "text": m.content}] if parts else m.content,
                }
                for m in messages
            ]
            try:
                rendered = render(self.source, turns, self.tokens)
            except TemplateFault as fault:
                faults.append(str(fault))
                continue
            if _holds(rendered, text) and not (parts and _AS_PYTHON in rendered):
                return rendered
            faults.append("leaves the question out")
        asked = "one user turn" if len(messages) == 1 else counted(len(messages), "turn")
        raise BadInput(
            f"{self.where}: the chat template {faults[0]} (asked with {asked},"
            f" {_short(text)}); mend it, or choose a model whose template takes a question alone"
        )


def template_of(folder: Path, tokenizer: Any, whole: WholeText) -> FolderTemplate:
    """The chat template that a folder's tokenizer came with, its default where it has several."""
    file = folder / "chat_template.jinja"
    where = str(file if file.exists() else folder / "tokenizer_config.json")
    tokens = {name: str(token) for name, token in tokenizer.special_tokens_map.items() if token}
    try:
        return FolderTemplate(tokenizer.get_chat_template(), tokens, whole, where)
    except ValueError:
        names = ", ".join(sorted(tokenizer.chat_template))
        fault = f"has several chat templates ({names}), one must be called default; rename one"
        return FolderTemplate("", tokens, whole, where, fault)


def _holds(rendered: str, text: str) -> bool:
    """Whether a question stands in what was rendered, be it in other white space or spelling."""
    words = text.split()
    return text.strip() in rendered or 2 * sum(word in rendered for word in words) >= len(words)


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
