r"""Conversations as token rows: ChatML as the tokenizer itself reads it, but no text ends a turn.

A turn is <|im_start|>, `role\n` and the text, <|im_end|>, a newline. The ids are the tokenizer's
own of the whole string, as `apply_chat_template` gives them; an `<|im_end|>` that somebody wrote is
split like any other text (`whole_text`). Where turns begin and end is read from the ids.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from autotune.base.errors import BadInput
from autotune.data.conversation import Conversation, Message, Unfit
from autotune.data.truncation import RoundSpan
from autotune.protocol.choices import Supervision, Truncation
from autotune.protocol.plan import Rounds
from autotune.worker.parallel import map_in_order
from autotune.worker.tokens.chatml import END, START, Turns, parts_of, turns_in
from autotune.worker.tokens.rows import IGNORED as IGNORED
from autotune.worker.tokens.rows import JOINED as JOINED
from autotune.worker.tokens.rows import NO_TURNS, Encoded, pieces_of, row_of
from autotune.worker.tokens.rows import Row as Row
from autotune.worker.tokens.tool_rows import ToolRows
from autotune.worker.tokens.whole_text import Parts, Placed, Whole, WholeText

_BATCH = 64
"""Conversations that a tokenizer is given together: enough that the call costs nothing beside them,
and few enough that those which wait are some megabytes."""


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
                f"tokenizer: has no {' and no '.join(missing)}; chat sequences need the ChatML"
                " tokens <|im_start|> and <|im_end|>, choose a model that has them"
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
        self._markers_seen = 0
        self._header = self._header_ids()
        self.tool_rows = ToolRows(tokenizer, whole, supervision, self._header)

    def _header_ids(self) -> list[int]:
        """The ids between <|im_start|> and an answer, as they stand at the end of a prompt."""
        probe = (Message("user", "a"), Message("assistant", "b"))
        ids = self.whole.ids(parts_of(probe, self.supervision, asks=True))
        turns = self._turns(ids, probe, asks=True)
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

    def render(self, messages: Sequence[Message]) -> list[int]:
        """Ids of a prompt: these turns and the header of the answer to come.

        Raises:
            Unfit: the tokenizer does not keep these turns apart.
        """
        parts = parts_of(messages, self.supervision, asks=True)
        (found,) = self.whole.batch([parts])
        return self._laid_out(messages, parts, found.ids, asks=True).ids

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

    def encoded(self, conversations: Iterable[Conversation], threads: int = 1) -> Iterator[Encoded]:
        """Each conversation in tokens, in order, which are the same for any number of threads.

        With more than one, batches to come are encoded beside what is done with the last.
        """
        left = iter(conversations)
        batches = iter(lambda: list(islice(left, _BATCH)), [])
        for batch, found in map_in_order(self._plain, batches, threads):
            by_template = self.tool_rows.encoded(
                [c for c, plain in zip(batch, found, strict=True) if plain is None]
            )
            for conversation, plain in zip(batch, found, strict=True):
                if plain is None:
                    yield next(by_template)
                    continue
                parts, whole = plain
                try:
                    made = self._encoded(conversation, parts, whole)
                except Unfit as reason:
                    made = Encoded([], (), whole.written, refused=str(reason))
                yield made

    def _plain(self, batch: Iterable[Conversation]) -> list[tuple[Parts, Whole] | None]:
        """The text and the ids of each; None for one with tools."""
        texts = [None if c.uses_tools else parts_of(c.messages, self.supervision) for c in batch]
        plain = [text for text in texts if text is not None]
        wholes = iter(self.whole.batch(plain))
        return [None if text is None else (text, next(wholes)) for text in texts]

    def encode(
        self,
        conversation: Conversation,
        *,
        max_rounds: Rounds,
        model_max_length: int,
        truncation: Truncation,
    ) -> Row:
        """The first `max_rounds` rounds, truncated on one side to `model_max_length` tokens.

        A conversation that is refused gives a row without tokens.
        """
        (found,) = self.encoded([conversation])
        return row_of(
            found, max_rounds=max_rounds, model_max_length=model_max_length, truncation=truncation
        )

    def _turns(self, ids: list[int], messages: Sequence[Message], *, asks: bool) -> Turns | None:
        return turns_in(ids, self.start_id, self.end_id, len(messages), asks=asks)

    def _laid_out(
        self, messages: Sequence[Message], parts: Parts, ids: list[int], *, asks: bool
    ) -> "_LaidOutRow":
        """The ids of these turns and where they stand.

        Raises:
            Unfit: the tokenizer does not keep the turns apart.
        """
        turns = self._turns(ids, messages, asks=asks)
        if turns is None:
            # Something in a text became a marker that nobody wrote as one.
            ids = self.whole.split(parts).ids
            turns = self._turns(ids, messages, asks=asks)
        if turns is None:
            raise Unfit(NO_TURNS)
        touching = [
            at
            for at, message in enumerate(messages)
            if message.role == "assistant" and not self._begins(ids, turns[at][0] + 1)
        ]
        if touching and self.supervision is Supervision.CONTENT:
            ids = self._parted(messages, ids, turns, touching)
            turns = self._turns(ids, messages, asks=asks)
            assert turns is not None
        return _LaidOutRow(ids, turns, touching)

    def _begins(self, ids: list[int], at: int) -> bool:
        """Whether the header of an answer stands there as it does at the end of a prompt."""
        return ids[at : at + len(self._header)] == self._header

    def _parted(
        self, messages: Sequence[Message], ids: list[int], turns: Turns, touching: Iterable[int]
    ) -> list[int]:
        """The same row with these answers kept apart from their headers.

        Raises:
            Unfit: that would be another text.
        """
        parted, last = list[int](), 0
        for at in touching:
            start, end = turns[at]
            answer = self.whole.within(messages[at].content, END).ids
            apart = [self.start_id, *self._header, *answer, self.end_id]
            if self.whole.decode(apart) != self.whole.decode(ids[start : end + 1]):
                raise Unfit(JOINED)
            parted += [*ids[last:start], *apart[:-1]]
            last = end
        return [*parted, *ids[last:]]

    def _encoded(self, conversation: Conversation, parts: Parts, whole: Whole) -> Encoded:
        messages = conversation.messages
        laid = self._laid_out(messages, parts, whole.ids, asks=False)
        stops = [*(start for start, _ in laid.turns[1:]), len(laid.ids)]
        spans = []
        for at, (message, stop) in enumerate(zip(messages, stops, strict=True)):
            if message.role != "assistant":
                continue
            start, end = laid.turns[at]
            if self.supervision is Supervision.CONTENT:
                start, over = start + 1 + len(self._header), end + 1
            else:
                over = stop
            if not message.trained:
                spans.append(RoundSpan(start=stop, end=stop, stop=stop))
            elif not message.spans:
                spans.append(RoundSpan(start=start, end=over, stop=stop))
            else:
                said = self._said(messages, parts, laid, at)
                pieces = pieces_of(message.spans, said, laid.turns[at][0] + 1, (end, over))
                first, last = pieces[0][0], pieces[-1][1]
                spans.append(RoundSpan(start=first, end=last, stop=stop, pieces=pieces))
        unknown = self.whole.unknown_id
        return Encoded(
            laid.ids,
            tuple(spans),
            whole.written,
            touching=len(laid.touching),
            unknown=0 if unknown is None else laid.ids.count(unknown),
        )

    def _said(
        self, messages: Sequence[Message], parts: Parts, laid: "_LaidOutRow", at: int
    ) -> list[tuple[int, int]]:
        """Which characters of an answer each token between its markers stands for.

        Those of the header are before the first character.
        """
        if at in laid.touching and self.supervision is Supervision.CONTENT:
            header = [(-1, -1)] * len(self._header)
            return header + self.whole.within(messages[at].content, END).characters
        placed: Placed = self.whole.placed(parts)
        turns = self._turns(placed.ids, messages, asks=False)
        if turns is None:
            placed = self.whole.split(parts)
            turns = self._turns(placed.ids, messages, asks=False)
        assert turns is not None  # the same ids as were laid out
        start, end = turns[at]
        begin = placed.parts[2 * at + 1]
        return [(low - begin, high - begin) for low, high in placed.characters[start + 1 : end]]


@dataclass(frozen=True, slots=True)
class _LaidOutRow:
    """A row's ids, where its turns stand, and the answers that touch their headers."""

    ids: list[int]
    turns: Turns
    touching: list[int]


def kept_rows(
    codec: ChatCodec,
    conversations: Sequence[Conversation],
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
    return [
        replace(row, family=conversation.family)
        for row, conversation in zip(rows, conversations, strict=True)
        if row.supervised
    ]
