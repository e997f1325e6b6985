"""Whether a chat template wrote all that a conversation with tools holds.

Templates drop what they do not know, in silence: a result, the text beside a call, arguments.
What they write may be JSON or not, so each name, key and value is looked for as it is and as JSON
has it.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from autotune.data.conversation import Conversation, Message, Unfit

LEFT_OUT = "tools, a call or a result: the model's chat template leaves {} out"
"""Why a row is dropped."""


def demand_prompt_complete(
    text: str, conversation: Conversation, at: int, tools: Sequence[dict[str, Any]] | None
) -> None:
    """Refuse a text that lacks what stands before the answer `at`, from the answer before it on.

    With `tools` it must name these, say what each is for, and name what is given to it.

    Raises:
        Unfit: something is left out.
    """
    for tool in tools or ():
        function = tool["function"]
        parameters = function.get("parameters")
        properties = parameters.get("properties") if isinstance(parameters, dict) else None
        names = list(properties) if isinstance(properties, dict) else []
        for name in (function["name"], function.get("description") or "", *names):
            if not _is_in(text, name):
                raise Unfit(LEFT_OUT.format("a tool, or a part of its description,"))
    messages = conversation.messages
    for message in reversed(messages[:at]):
        if message.role == "assistant":
            break
        if not _is_in(text, message.content):
            what = "a result" if message.role == "tool" else "a text"
            raise Unfit(LEFT_OUT.format(what))


def demand_answer_complete(text: str, message: Message, as_text: bool) -> None:
    """Refuse the text of an answer that lacks its words or its calls.

    `as_text` says that the template was given the arguments of calls as text.

    Raises:
        Unfit: something is left out, or arguments are not written as JSON.
    """
    if not _is_in(text, message.content):
        raise Unfit(LEFT_OUT.format("the text of an answer"))
    for call in json.loads(message.calls) if message.calls else ():
        function = call["function"]
        arguments = function["arguments"]
        if not _is_in(text, function["name"]):
            raise Unfit(LEFT_OUT.format("a call"))
        if not all(_is_in(text, leaf) for leaf in _leaves(arguments)):
            raise Unfit(LEFT_OUT.format("arguments of a call"))
        written = json.dumps(arguments, ensure_ascii=False)
        # A template that takes arguments for a text writes an object as Python does, and one that
        # takes them for an object writes a text as a text in JSON.
        if (
            written not in text
            if as_text
            else repr(arguments) in text and repr(arguments) != written
        ):
            raise Unfit(LEFT_OUT.format("the JSON of a call"))


def _leaves(value: Any) -> Iterator[Any]:
    """The keys and the values of JSON that hold no others."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value


def _is_in(text: str, value: Any) -> bool:
    """Whether a value stands in a text, as it is or in JSON."""
    if not isinstance(value, str):
        return json.dumps(value) in text or str(value) in text
    plain = value.strip()
    return plain in text or any(
        json.dumps(plain, ensure_ascii=ascii_only)[1:-1] in text for ascii_only in (False, True)
    )
