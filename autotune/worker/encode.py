r"""Conversations as token rows: ChatML as the tokenizer itself reads it, but no text ends a turn.

A turn is <|im_start|>, `role\n` and the text, <|im_end|>, a newline. The ids are the tokenizer's
own of the whole string, as `apply_chat_template` gives them; an `<|im_end|>` that somebody wrote is
split like any other text (`wholetext`). Where turns begin and end is read from the ids.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from autotune.data.conversation import Conversation, Message, Unfit
from autotune.errors import BadInput
from autotune.plan import Rounds, Supervision, Truncation
from autotune.survey import RoundSpan, last_round, window
from autotune.worker.wholetext import Parts, WholeText

IGNORED = -100
"""The label of a token that is not trained on; PyTorch's cross-entropy skips it by default."""

START, END = "<|im_start|>", "<|im_end|>"

NO_TURNS = "turns that the tokenizer does not keep apart"
JOINED = "an answer whose beginning the tokenizer joins to the line before it"
"""Reasons to refuse a conversation."""

_ASKED = f"{START}assistant\n"
_AT_ONCE = 256
"""Conversations encoded side by side: work for every core, and some megabytes of ids."""


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


@dataclass(frozen=True, slots=True)
class Encoded:
    """A whole conversation in tokens, nothing cut, and what was met on the way.

    `written` special tokens stand in its texts and were split; `touching` answers begin with what
    the tokenizer joins to the line before them; `unknown` tokens stand for text that the
    vocabulary lacks. One that was `refused`, for a reason, has no ids and one empty round.
    """

    ids: list[int]
    spans: tuple[RoundSpan, ...]
    written: int = 0
    touching: int = 0
    unknown: int = 0
    refused: str | None = None


class ChatCodec:
    """ChatML of one tokenizer in one supervision mode.

    `course` begins every text with a newline and supervises the assistant header, the answer,
    <|im_end|> and the newline after it. `content` has no leading newline and supervises the answer
    and <|im_end|>. There an answer is kept apart from its header even where the tokenizer would
    join the two (an answer that begins with a newline), so the row up to an answer is exactly the
    prompt that asks for it, whatever character the answer begins with.
    """

    def __init__(self, tokenizer: Any, supervision: Supervision) -> None:
        """Read with a `tokenizers.Tokenizer`, with a transformers tokenizer's, or a `WholeText`.

        Raises:
            BadInput: the tokenizer is not a fast one, lacks a ChatML token, makes one of a text,
                or does not find them in a conversation.
        """
        whole = (
            tokenizer if isinstance(tokenizer, WholeText) else WholeText(tokenizer, (START, END))
        )
        start_id, end_id = whole.token_to_id(START), whole.token_to_id(END)
        if start_id is None or end_id is None:
            missing = [t for t, at in ((START, start_id), (END, end_id)) if at is None]
            raise BadInput(
                f"tokenizer: has no {' and no '.join(missing)}; chat rows need the ChatML tokens"
                " <|im_start|> and <|im_end|>, choose a model that has them"
            )
        for token in (START, END):
            if token not in whole.added:
                raise BadInput(
                    f"tokenizer: makes a ChatML token of the plain text {token!r}, so a text could"
                    " end a turn; choose a model whose tokenizer splits it"
                )
        self.whole = whole
        self.supervision = supervision
        self.start_id: int = start_id
        self.end_id: int = end_id
        self.end_token = END
        self._lead = "\n" if supervision is Supervision.COURSE else ""
        self._markers_seen = 0
        self._header = self._header_ids()

    def _header_ids(self) -> list[int]:
        """The ids between <|im_start|> and an answer, as they stand at the end of a prompt."""
        probe = (Message("user", "a"), Message("assistant", "b"))
        ids = self.whole.ids(self._parts(probe, asks=True))
        turns = self._turns(ids, len(probe), asks=True)
        if turns is None:
            raise BadInput(
                f"tokenizer: does not find {START} and {END} in a conversation"
                f" ({START}user ... {END}), so nothing would tell turns from text; choose a model"
                " whose tokenizer takes them for tokens there"
            )
        return ids[turns[-1][0] + 1 :]

    @property
    def literal_markers(self) -> int:
        """Special tokens found written out in the texts that `spans` has seen so far."""
        return self._markers_seen

    def count_markers(self, messages: Iterable[Message]) -> int:
        """How often a special token such as <|im_end|> is written out in these texts."""
        return self.whole.count_written(message.content for message in messages)

    def render(self, messages: Sequence[Message]) -> list[int]:
        """Ids of a prompt: these turns and the header of the answer to come.

        Raises:
            Unfit: the tokenizer does not keep these turns apart.
        """
        parts = self._parts(messages, asks=True)
        (found,) = self.whole.batch([parts])
        return self._laid_out(messages, parts, found.ids, asks=True)[0]

    def render_prompt(self, text: str) -> list[int]:
        """Ids of a prompt of one user turn."""
        return self.render([Message("user", text)])

    def spans(self, conversation: Conversation) -> tuple[RoundSpan, ...]:
        """Where each round is supervised and where it is over, in tokens from the row's start.

        Raises:
            Unfit: the tokenizer cannot make a row of it.
        """
        (found,) = self.encoded([conversation])
        if found.refused is not None:
            raise Unfit(found.refused)
        self._markers_seen += found.written
        return found.spans

    def encoded(self, conversations: Iterable[Conversation]) -> Iterator[Encoded]:
        """Each conversation in tokens, in order; many are encoded at a time."""
        left = iter(conversations)
        while some := list(islice(left, _AT_ONCE)):
            texts = [self._parts(conversation.messages) for conversation in some]
            for conversation, parts, found in zip(
                some, texts, self.whole.batch(texts), strict=True
            ):
                try:
                    whole = self._whole(conversation, parts, found.ids)
                except Unfit as reason:
                    nothing = RoundSpan(start=0, end=0, stop=0)
                    whole = Encoded([], (nothing,), refused=str(reason))
                yield replace(whole, written=found.written)

    def encode(
        self,
        conversation: Conversation,
        *,
        max_rounds: Rounds,
        model_max_length: int,
        truncation: Truncation,
    ) -> Row:
        """The first `max_rounds` rounds, cut on one side to at most `model_max_length` tokens.

        A conversation that is refused gives a row without tokens.
        """
        (found,) = self.encoded([conversation])
        return row_of(
            found, max_rounds=max_rounds, model_max_length=model_max_length, truncation=truncation
        )

    def _parts(self, messages: Sequence[Message], *, asks: bool = False) -> Parts:
        """The text of these turns, what the template writes and what was said by turns."""
        parts, written = [], self._lead
        for message in messages:
            parts += [f"{written}{START}{message.role}\n", message.content]
            written = f"{END}\n"
        return [*parts, written + (_ASKED if asks else "")]

    def _turns(self, ids: list[int], turns: int, *, asks: bool) -> list[tuple[int, int]] | None:
        """Where each turn's two markers stand; of a prompt's open one, the end of the ids.

        None where they are not those that the template wrote.
        """
        starts, ends = _places(ids, self.start_id), _places(ids, self.end_id)
        if asks:
            ends.append(len(ids))
        if not len(starts) == len(ends) == turns + asks:
            return None
        places = [at for turn in zip(starts, ends, strict=True) for at in turn]
        return list(zip(starts, ends, strict=True)) if places == sorted(places) else None

    def _laid_out(
        self, messages: Sequence[Message], parts: Parts, ids: list[int], *, asks: bool
    ) -> tuple[list[int], list[tuple[int, int]], int]:
        """The ids of these turns, where their markers stand, and how many answers touch a header.

        Raises:
            Unfit: the tokenizer does not keep the turns apart.
        """
        turns = self._turns(ids, len(messages), asks=asks)
        if turns is None:
            # Something in a text became a marker that nobody wrote as one.
            ids = self.whole.split_ids(parts)
            turns = self._turns(ids, len(messages), asks=asks)
        if turns is None:
            raise Unfit(NO_TURNS)
        touching = [
            at
            for at, message in enumerate(messages)
            if message.role == "assistant" and not self._begins(ids, turns[at][0] + 1)
        ]
        if touching and self.supervision is Supervision.CONTENT:
            ids = self._parted(messages, ids, turns, touching)
            turns = self._turns(ids, len(messages), asks=asks)
            assert turns is not None
        return ids, turns, len(touching)

    def _begins(self, ids: list[int], at: int) -> bool:
        """Whether the header of an answer stands there as it does at the end of a prompt."""
        return ids[at : at + len(self._header)] == self._header

    def _parted(
        self,
        messages: Sequence[Message],
        ids: list[int],
        turns: list[tuple[int, int]],
        touching: Iterable[int],
    ) -> list[int]:
        """The same row with these answers kept apart from their headers.

        Raises:
            Unfit: that would be another text.
        """
        parted, last = list[int](), 0
        for at in touching:
            start, end = turns[at]
            answer = self.whole.within(messages[at].content, END)
            apart = [self.start_id, *self._header, *answer, self.end_id]
            if self.whole.decode(apart) != self.whole.decode(ids[start : end + 1]):
                raise Unfit(JOINED)
            parted += [*ids[last:start], *apart[:-1]]
            last = end
        return [*parted, *ids[last:]]

    def _whole(self, conversation: Conversation, parts: Parts, ids: list[int]) -> Encoded:
        messages = conversation.messages
        ids, turns, touching = self._laid_out(messages, parts, ids, asks=False)
        stops = [*(start for start, _ in turns[1:]), len(ids)]
        spans = []
        for message, (start, end), stop in zip(messages, turns, stops, strict=True):
            if message.role != "assistant":
                continue
            if self.supervision is Supervision.COURSE:
                spans.append(RoundSpan(start=start, end=stop, stop=stop))
            else:
                begin = start + 1 + len(self._header)
                spans.append(RoundSpan(start=begin, end=end + 1, stop=stop))
        unknown = self.whole.unknown_id
        return Encoded(
            ids,
            tuple(spans),
            touching=touching,
            unknown=0 if unknown is None else ids.count(unknown),
        )


def row_of(
    found: Encoded, *, max_rounds: Rounds, model_max_length: int, truncation: Truncation
) -> Row:
    """The first `max_rounds` rounds, cut on one side to at most `model_max_length` tokens."""
    last = last_round(found.spans, max_rounds)
    ids = found.ids[: found.spans[last].stop]
    labels = [IGNORED] * len(ids)
    for span in found.spans[: last + 1]:
        labels[span.start : span.end] = ids[span.start : span.end]
    low, high = window(len(ids), model_max_length, truncation)
    return Row(ids[low:high], labels[low:high])


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
        row_of(
            found, max_rounds=max_rounds, model_max_length=model_max_length, truncation=truncation
        )
        for found in codec.encoded(conversations)
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


def _places(ids: list[int], token: int) -> list[int]:
    """Every position of a token, in order."""
    places: list[int] = []
    at = -1
    try:
        while True:
            places.append(at := ids.index(token, at + 1))
    except ValueError:
        return places
