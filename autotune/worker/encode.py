r"""Conversations as token rows: ChatML put together by id, so that a text never ends a turn.

A turn is <|im_start|>, `role\n` and the text, <|im_end|>, a newline. The two markers are inserted
as ids; what lies between them goes through a tokenizer that knows no special tokens, so a
`<|im_end|>` that somebody wrote is split like any other text. For texts without special tokens
the ids are those of the whole string, as `apply_chat_template` gives them.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer

from autotune.data.conversation import Conversation, Message
from autotune.errors import BadInput
from autotune.plan import Rounds, Supervision, Truncation
from autotune.survey import RoundSpan, window

IGNORED = -100
"""The label of a token that is not trained on; PyTorch's cross-entropy skips it by default."""

START, END = "<|im_start|>", "<|im_end|>"
_ANSWER_HEADER = "assistant\n"


@dataclass(frozen=True, slots=True)
class Row:
    """One conversation to train on: two lists of equal length, `input_ids` and `labels`.

    A label stands at its own token's position (the shift by one is the loss's business).
    """

    input_ids: list[int]
    labels: list[int]

    @property
    def supervised(self) -> int:
        """Tokens that carry a label."""
        return len(self.labels) - self.labels.count(IGNORED)


class ChatCodec:
    """ChatML of one tokenizer in one supervision mode.

    `course` begins every text with a newline and supervises the assistant header, the answer,
    <|im_end|> and the newline after it. `content` has no leading newline and supervises the answer
    and <|im_end|>; there the header is always tokenized as it is in a prompt, so the row up to an
    answer is exactly the prompt that asks for it, whatever character the answer begins with.
    """

    def __init__(self, tokenizer: Any, supervision: Supervision) -> None:
        """Work on a copy of a `tokenizers.Tokenizer`, or of a transformers tokenizer's backend.

        Raises:
            BadInput: the tokenizer is not a fast one, lacks a ChatML token, or makes one of a text.
        """
        backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
        if not isinstance(backend, Tokenizer):
            raise BadInput(
                f"tokenizer {type(tokenizer).__name__}: must be a fast one with a tokenizer.json;"
                " choose a model that has it"
            )
        start_id, end_id = backend.token_to_id(START), backend.token_to_id(END)
        if start_id is None or end_id is None:
            missing = [t for t, at in ((START, start_id), (END, end_id)) if at is None]
            raise BadInput(
                f"tokenizer: has no {' and no '.join(missing)}; chat rows need the ChatML tokens"
                " <|im_start|> and <|im_end|>, choose a model that has them"
            )
        self.supervision = supervision
        self.start_id: int = start_id
        self.end_id: int = end_id
        self.end_token = END
        self._text, specials = _text_only(backend)
        self._marker = re.compile("|".join(re.escape(s) for s in specials))
        self._newline = self._ids("\n")
        self._answer_header = self._ids(_ANSWER_HEADER)
        self._lead = self._newline if supervision is Supervision.COURSE else []
        self._markers_seen = 0
        for token in specials:
            if {self.start_id, self.end_id} & set(self._ids(token)):
                raise BadInput(
                    f"tokenizer: makes a ChatML token of the plain text {token!r}, so a text could"
                    " end a turn; choose a model whose tokenizer splits it"
                )

    @property
    def literal_markers(self) -> int:
        """Special tokens found written out in the texts that `spans` has seen so far."""
        return self._markers_seen

    def count_markers(self, messages: Iterable[Message]) -> int:
        """How often a special token such as <|im_end|> is written out in these texts."""
        return sum(len(self._marker.findall(message.content)) for message in messages)

    def render(self, messages: Sequence[Message]) -> list[int]:
        """Ids of a prompt: these turns and the header of the answer to come."""
        ids = list(self._lead)
        for message in messages:
            self._turn(ids, message)
        return [*ids, self.start_id, *self._answer_header]

    def render_prompt(self, text: str) -> list[int]:
        """Ids of a prompt of one user turn."""
        return self.render([Message("user", text)])

    def spans(self, conversation: Conversation) -> tuple[RoundSpan, ...]:
        """Where each round is supervised and where it is over, in tokens from the row's start."""
        self._markers_seen += self.count_markers(conversation.messages)
        return self._whole(conversation, "all")[1]

    def encode(
        self,
        conversation: Conversation,
        *,
        max_rounds: Rounds,
        model_max_length: int,
        truncation: Truncation,
    ) -> Row:
        """The first `max_rounds` rounds, cut on one side to at most `model_max_length` tokens."""
        ids, spans = self._whole(conversation, max_rounds)
        labels = [IGNORED] * len(ids)
        for span in spans:
            labels[span.start : span.end] = ids[span.start : span.end]
        low, high = window(len(ids), model_max_length, truncation)
        return Row(ids[low:high], labels[low:high])

    def _whole(
        self, conversation: Conversation, max_rounds: Rounds
    ) -> tuple[list[int], tuple[RoundSpan, ...]]:
        ids = list(self._lead)
        if conversation.system is not None:
            self._turn(ids, conversation.system)
        spans = []
        rounds = conversation.rounds
        for exchange in rounds if max_rounds == "all" else rounds[:max_rounds]:
            self._turn(ids, exchange.user)
            header = len(ids)
            self._turn(ids, exchange.assistant)
            stop = len(ids)
            if not exchange.assistant.trained:
                spans.append(RoundSpan(start=stop, end=stop, stop=stop))
            elif self.supervision is Supervision.COURSE:
                spans.append(RoundSpan(start=header, end=stop, stop=stop))
            else:
                start = header + 1 + len(self._answer_header)
                spans.append(RoundSpan(start=start, end=stop - len(self._newline), stop=stop))
        return ids, tuple(spans)

    def _turn(self, ids: list[int], message: Message) -> None:
        """Append one turn, the newline after it included."""
        ids.append(self.start_id)
        # Role and text go together: a tokenizer may join the newline to what follows it.
        body = self._ids(f"{message.role}\n{message.content}")
        if message.role == "assistant" and self.supervision is Supervision.CONTENT:
            header = self._answer_header
            if body[: len(header)] != header:
                body = header + self._ids(message.content)
        ids += body
        ids.append(self.end_id)
        ids += self._newline

    def _ids(self, text: str) -> list[int]:
        return list(self._text.encode(text, add_special_tokens=False).ids)


def kept_rows(
    codec: ChatCodec,
    conversations: Iterable[Conversation],
    *,
    max_rounds: Rounds,
    model_max_length: int,
    truncation: Truncation,
) -> list[Row]:
    """The rows with a supervised token left, in order: those that `survey.Survey.kept` counts."""
    rows = (
        codec.encode(
            conversation,
            max_rounds=max_rounds,
            model_max_length=model_max_length,
            truncation=truncation,
        )
        for conversation in conversations
    )
    return [row for row in rows if row.supervised]


def chat_template(supervision: Supervision) -> str:
    """The Jinja template that writes what `ChatCodec.render` encodes; saved with checkpoints."""
    lead = r"{{ '\n' }}" if supervision is Supervision.COURSE else ""
    return (
        lead + "{% for message in messages %}"
        r"{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
        "{% endfor %}"
        r"{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )


def _text_only(backend: Tokenizer) -> tuple[Tokenizer, list[str]]:
    """A copy that takes every special token apart, and those tokens, longest first.

    The ChatML tokens are made special in the copy, since only special tokens are taken apart;
    cutting and padding that a tokenizer file may ask for are switched off.
    """
    spec = json.loads(backend.to_str())
    specials = set()
    for token in spec["added_tokens"]:
        token["special"] = token["special"] or token["content"] in (START, END)
        if token["special"]:
            specials.add(token["content"])
    copy = Tokenizer.from_str(json.dumps(spec))
    copy.no_truncation()
    copy.no_padding()
    copy.encode_special_tokens = True
    return copy, sorted(specials | {START, END}, key=lambda s: (-len(s), s))
