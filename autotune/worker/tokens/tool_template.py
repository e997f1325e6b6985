"""Conversations with tools as a model's own chat template writes them, and where answers stand.

Only a template knows how its model writes a list of tools, a call and a result. Where answers begin
and end it says itself: what it writes of the turns before an answer, with the beginning of an
answer, must be how the whole text begins, and so must what it writes up to the answer's end.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import meta
from transformers.utils import chat_template_utils

from autotune.base.errors import BadInput
from autotune.data.conversation import Conversation, Message, Unfit
from autotune.data.turns import CANNOT
from autotune.protocol.choices import Supervision
from autotune.worker.tokens.chatml import END, START, written_by
from autotune.worker.tokens.template import (
    MAX_CHARACTERS,
    MAX_SECONDS,
    TemplateFault,
    render,
    within,
)
from autotune.worker.tokens.template_omissions import demand_answer_complete, demand_prompt_complete

OWN = "which the model's chat template cannot render"
NONE_OF_ITS_OWN = f"{CANNOT}, and the model has no chat template of its own"
TAKES_NONE = f"{OWN}: it takes no tools"
OTHER_FORM = (
    "which the model's chat template writes in another form than ChatML; conversations without"
    " tools are ChatML, and a model is trained in one form"
)
DATED = "which the model's chat template writes with the day's date: tokens would change with it"
BY_EOS = (
    "which the model's chat template writes with the token that the tokenizer calls eos; in"
    f" checkpoints that is {END}, and the sequence would be another one"
)
COURSE = "which the form 'course' has no place for"
"""Why no row with tools can be written, in words that follow what a record has."""

ANOTHER = "tools, a call or a result: the model's chat template writes it otherwise without 'tools'"
MOVED = (
    "tools, a call or a result: the model's chat template writes a turn otherwise once others"
    " follow it"
)
UNMARKED = "tools, a call or a result: the model's chat template does not mark the answer"
PARTS = "tools, a call or a result, and a part of an answer that its chat template writes otherwise"
"""Why one row is dropped."""

_MARKS = re.compile(r"\{%-?\s*generation\s*-?%\}")
_ASKED = f"{START}assistant\n"
_OVER = f"{END}\n"
_SHORT = 80
"""Characters of a template's fault that stand in a reason: rows of one kind share it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Characters of one answer in a text: [begin, end) with what ends the turn.

    `parts` are the supervised ones, where not all of them are.
    """

    begin: int
    end: int
    parts: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """A conversation as text, and its answers in order."""

    text: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class ToolTemplate:
    """A chat template that takes tools and writes ChatML."""

    source: str
    tokens: dict[str, str]
    where: str
    """The model that it belongs to, for a person."""
    needs_tools: bool = False
    """Whether it is for conversations with a list of tools only; the model has another one."""

    def written(self, conversation: Conversation) -> Written:
        """A conversation as text.

        Raises:
            Unfit: the template raises, leaves something out or writes a turn in several ways.
            BadInput: it does not come to an end.
        """
        if self.needs_tools and not conversation.tools:
            raise Unfit(ANOTHER)
        faults = []
        # Most templates write an object of arguments as JSON; some put a text into their own.
        for as_text in (False, True):
            try:
                return self._written(conversation, as_text)
            except Unfit as unfit:
                faults.append(unfit)
                if not any(message.calls for message in conversation.messages):
                    break
        raise faults[0]

    def _written(self, conversation: Conversation, as_text: bool) -> Written:
        messages = [_plain(message, as_text) for message in conversation.messages]
        tools = json.loads(conversation.tools) if conversation.tools else None
        marks: list[tuple[int, int]] = []
        text = self._render(messages, tools, False, marks)
        answers, over = [], 0
        for at, message in enumerate(conversation.messages):
            if message.role != "assistant":
                continue
            prompt = self._render(messages[:at], tools, True)
            upto = text
            if at + 1 < len(messages):
                upto = self._render(messages[: at + 1], tools, False)
            if not text.startswith(upto) or not upto.startswith(prompt) or len(prompt) < over:
                raise Unfit(MOVED)
            follows = text.startswith(START, len(upto)) or upto == text
            if not prompt.endswith(_ASKED) or not upto.endswith(_OVER) or not follows:
                raise Unfit(f"tools, a call or a result, {OTHER_FORM}")
            prompt_text = text[over : len(prompt)]
            demand_prompt_complete(prompt_text, conversation, at, tools if over == 0 else None)
            if not _asks_in_chatml(prompt_text, conversation.messages[:at]):
                raise Unfit(f"tools, a call or a result, {OTHER_FORM}")
            demand_answer_complete(upto[len(prompt) :], message, as_text)
            answers.append(self._answer(text, len(prompt), len(upto), message, marks))
            over = len(upto)
        return Written(text, tuple(answers))

    def _answer(
        self, text: str, begin: int, end: int, message: Message, marks: Sequence[tuple[int, int]]
    ) -> Answer:
        """Where an answer stands; of one that is only context it does not matter what is marked."""
        parts = [(begin, end)]
        if not message.trained:
            return Answer(begin, end)
        if _MARKS.search(self.source):
            parts = list(_both(parts, marks))
            if not parts:
                raise Unfit(UNMARKED)
        if message.spans:
            if not text.startswith(message.content, begin):
                raise Unfit(PARTS)
            parts = list(_both(parts, [(begin + low, begin + high) for low, high in message.spans]))
        return Answer(begin, end, tuple(parts) if parts != [(begin, end)] else ())

    def _render(
        self,
        messages: Sequence[dict[str, Any]],
        tools: Sequence[dict[str, Any]] | None,
        asks: bool,
        marks: list[tuple[int, int]] | None = None,
    ) -> str:
        try:
            return render(self.source, messages, self.tokens, tools=tools, asks=asks, marks=marks)
        except TemplateFault as fault:
            if fault.endless:  # no more of that, row after row
                raise BadInput(
                    f"{self.where}: the chat template {fault} (given a conversation with tools);"
                    " mend it, or take the conversations with tools out"
                ) from None
            raise Unfit(
                f"tools, a call or a result: the model's chat template {str(fault)[:_SHORT]}"
            ) from None


def tool_template(tokenizer: Any, supervision: Supervision) -> ToolTemplate | str:
    """The template that writes rows with tools, or why there is none.

    A transformers tokenizer is asked for its template as `apply_chat_template` does when it is
    given tools: of several it is the one called `tool_use`, where there is one.
    """
    if not getattr(tokenizer, "chat_template", None):
        return NONE_OF_ITS_OWN
    try:
        source = tokenizer.get_chat_template(tools=[])
    except ValueError:
        return TAKES_NONE
    try:
        plain = tokenizer.get_chat_template()
    except ValueError:
        plain = None
    ours = written_by(source)
    if ours is not None:
        source = plain = ours[1]  # of a checkpoint that was trained by this program
    if not takes_tools(source):
        return TAKES_NONE
    if supervision is Supervision.COURSE:
        return COURSE
    if "strftime_now" in source:
        return DATED
    if "eos_token" in source and tokenizer.eos_token != END:
        return BY_EOS
    tokens = {name: str(token) for name, token in tokenizer.special_tokens_map.items() if token}
    where = f"model {getattr(tokenizer, 'name_or_path', '')}".strip()
    template = ToolTemplate(source, tokens, where, needs_tools=plain != source)
    return template if _writes_chatml(template) else OTHER_FORM


def takes_tools(source: str) -> bool:
    """Whether a Jinja template reads a variable `tools` that is given to it."""

    def answer() -> Iterator[str]:
        environment: Any = chat_template_utils._compile_jinja_template("").environment
        if "tools" in meta.find_undeclared_variables(environment.parse(source)):
            yield "yes"

    try:
        # Jinja computes what is constant as it reads, and that may take as long as it likes.
        return within(answer, MAX_CHARACTERS, MAX_SECONDS) == "yes"
    except TemplateFault:
        return False  # a template that cannot be read writes nothing


def _writes_chatml(template: ToolTemplate) -> bool:
    """Whether a question stands between ChatML's marks; one that raises is judged by its rows."""
    asked = "what is it"
    try:
        text = render(template.source, [{"role": "user", "content": asked}], template.tokens)
    except TemplateFault:
        return START in template.source and END in template.source
    return f"{START}user\n{asked}{_OVER}" in text and text.endswith(_ASKED)


def _asks_in_chatml(text: str, before: Sequence[Message]) -> bool:
    """Whether the last question before an answer stands in a text as ChatML has it."""
    if before[-1].role != "user":
        return True  # a result, which each template puts in its own way
    asked_text = before[-1].content
    return any(
        f"{START}user\n{content}{_OVER}" in text for content in (asked_text, asked_text.strip())
    )


def _plain(message: Message, as_text: bool) -> dict[str, Any]:
    """A message as templates read it."""
    plain: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.calls:
        plain["tool_calls"] = json.loads(message.calls)
        for call in plain["tool_calls"] if as_text else ():
            arguments = call["function"]["arguments"]
            call["function"]["arguments"] = json.dumps(arguments, ensure_ascii=False)
    if message.name:
        plain["name"] = message.name
    if message.call_id:
        plain["tool_call_id"] = message.call_id
    return plain


def _both(
    some: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """What is in one of some and in one of the others, both in order."""
    for low, high in some:
        for begin, end in others:
            if max(low, begin) < min(high, end):
                yield max(low, begin), min(high, end)
