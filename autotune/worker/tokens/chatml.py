r"""ChatML: the text of a conversation in it, its template, and where its turns stand in ids.

A turn is <|im_start|>, `role\n` and what was said, <|im_end|>, a newline. In the form `course` a
text begins with a newline.
"""

import re
from collections.abc import Sequence

from autotune.data.conversation import Message
from autotune.protocol.choices import Supervision
from autotune.worker.tokens.whole_text import Parts

START, END = "<|im_start|>", "<|im_end|>"

_IF_TOOLS = (
    "{% set given = namespace(tools=tools) %}{% for message in messages %}"
    "{% if message['tool_calls'] or message['role'] == 'tool' %}"
    "{% set given.tools = true %}{% endif %}{% endfor %}{% if given.tools %}\n"
)
"""The line's end is part of the tag before it: what follows begins a line, as a template does."""

_ELSE, _ENDIF = "{{ '' }}{% else %}", "{% endif %}"
"""Nothing is written before the tag, lest it take spaces from the beginning of its line."""

_LAST_END = re.compile(r"(?:\r\n|\r|\n)\Z")

Turns = list[tuple[int, int]]
"""Of each turn the places of its two markers in a row's ids; the second of a prompt's last turn,
which is open, is the end of the ids."""


def parts_of(messages: Sequence[Message], supervision: Supervision, *, asks: bool = False) -> Parts:
    """These turns as text, what the template writes and what was said taking turns.

    With `asks`, the header of the answer to come stands at the end.
    """
    parts, written = [], _lead(supervision)
    for message in messages:
        parts += [f"{written}{START}{message.role}\n", message.content]
        written = f"{END}\n"
    return [*parts, f"{written}{START}assistant\n" if asks else written]


def chat_template(supervision: Supervision, with_tools: str = "") -> str:
    """The Jinja template that writes what `ChatCodec.render` encodes; saved with checkpoints.

    Where rows with tools were trained in the form of another template, `with_tools`, that one
    writes conversations which have tools, a call or a result.
    """
    plain = _plain_template(supervision)
    if not with_tools:
        return plain
    # Jinja takes the last line's end from a template, but not from the middle of one.
    return f"{_IF_TOOLS}{_LAST_END.sub('', with_tools)}{_ELSE}{plain}{_ENDIF}"


def written_by(template: str) -> tuple[Supervision, str] | None:
    """The supervision and the template for rows with tools that `chat_template` made this of."""
    for supervision in Supervision:
        plain = _plain_template(supervision)
        if template == plain:
            return supervision, ""
        tail = f"{_ELSE}{plain}{_ENDIF}"
        if template.startswith(_IF_TOOLS) and template.endswith(tail):
            return supervision, template.removeprefix(_IF_TOOLS).removesuffix(tail)
    return None


def _plain_template(supervision: Supervision) -> str:
    lead = r"{{ '\n' }}" if _lead(supervision) else ""
    return (
        lead + "{% for message in messages %}"
        r"{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
        "{% endfor %}"
        r"{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )


def turns_in(ids: list[int], start_id: int, end_id: int, count: int, *, asks: bool) -> Turns | None:
    """Where each of `count` turns stands, and the open one of a prompt that `asks`.

    None where the markers are not those that the template wrote.
    """
    starts, ends = _places(ids, start_id), _places(ids, end_id)
    if asks:
        ends.append(len(ids))
    if not len(starts) == len(ends) == count + asks:
        return None
    turns = list(zip(starts, ends, strict=True))
    places = [at for turn in turns for at in turn]
    return turns if places == sorted(places) else None


def _lead(supervision: Supervision) -> str:
    return "\n" if supervision is Supervision.COURSE else ""


def _places(ids: list[int], token: int) -> list[int]:
    """Every position of a token, in order; `index` looks faster than a loop would."""
    places: list[int] = []
    at = -1
    try:
        while True:
            places.append(at := ids.index(token, at + 1))
    except ValueError:
        return places
