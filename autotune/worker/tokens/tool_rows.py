"""Conversations with tools as token rows: the tokens of what the model's own template writes.

A row's ids are the tokenizer's of the whole text, as `apply_chat_template` gives them. Where its
answers begin and end is counted by the tokens that begin a turn, in the text and in the ids.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from autotune.data.conversation import Conversation, Unfit
from autotune.data.truncation import RoundSpan
from autotune.protocol.choices import Supervision
from autotune.worker.tokens.chatml import END, START
from autotune.worker.tokens.rows import JOINED, NO_TURNS, Encoded, pieces_of
from autotune.worker.tokens.tool_template import ToolTemplate, Written, tool_template
from autotune.worker.tokens.whole_text import WholeText

MARKED = "a special token that is written out in a conversation with tools"
"""A template puts texts into its own, where such a token would end a turn."""

Piece = tuple[tuple[int, int], ...]
"""The trained tokens [start, end) of an answer; none where it is only context."""


class ToolRows:
    """What makes rows of conversations with tools for one tokenizer, if anything does.

    `header` are the ids between `<|im_start|>` and an answer, as they stand at the end of a prompt.
    """

    def __init__(
        self, tokenizer: Any, whole: WholeText, supervision: Supervision, header: Sequence[int]
    ) -> None:
        found = tool_template(tokenizer, supervision)
        self.template = found if isinstance(found, ToolTemplate) else None
        self.no_tools = found if isinstance(found, str) else None
        self._whole = whole
        self._start_id, self._end_id = (whole.token_to_id(token) or 0 for token in (START, END))
        self._header = [self._start_id, *header]

    def encoded(self, conversations: Sequence[Conversation]) -> Iterator[Encoded]:
        """Each conversation in tokens, or refused for a reason.

        Raises:
            BadInput: the template does not come to an end.
        """
        texts = [self._written(conversation) for conversation in conversations]
        fit = [[found.text] for found in texts if isinstance(found, Written)]
        batch = iter(self._whole.batch(fit))
        for conversation, found in zip(conversations, texts, strict=True):
            try:
                if isinstance(found, Unfit):
                    raise found
                yield self._encoded(conversation, found, next(batch).ids)
            except Unfit as reason:
                yield Encoded([], (), refused=str(reason))

    def _written(self, conversation: Conversation) -> Written | Unfit:
        if self.template is None:
            return Unfit(f"tools, a call or a result, {self.no_tools}")
        if self._whole.count_written(_texts(conversation)):
            return Unfit(MARKED)
        try:
            return self.template.written(conversation)
        except Unfit as reason:
            return reason

    def _encoded(self, conversation: Conversation, written: Written, ids: list[int]) -> Encoded:
        places = self._places(written, ids)
        pieces = self._pieces(conversation, written, ids, places)
        unknown = self._whole.unknown_id
        return Encoded(
            ids,
            tuple(_rounds(conversation, pieces, [stop for _, stop in places])),
            unknown=0 if unknown is None else ids.count(unknown),
            by_template=True,
        )

    def _places(self, written: Written, ids: list[int]) -> list[tuple[int, int]]:
        """Of each answer its first token and the one after its turn.

        A special token parts what is before it from what is after, so the ids up to an answer are
        those of its prompt where its turn begins as a prompt ends.
        """
        starts = [at for at, token in enumerate(ids) if token == self._start_id]
        if len(starts) != written.text.count(START):
            raise Unfit(NO_TURNS)
        starts.append(len(ids))
        places, turns, counted = [], 0, 0
        for answer in written.answers:
            turns += written.text.count(START, counted, answer.begin)
            counted = answer.begin
            first = starts[turns - 1] + len(self._header)
            if ids[starts[turns - 1] : first] != self._header:
                raise Unfit(JOINED)
            places.append((first, starts[turns]))
        return places

    def _pieces(
        self,
        conversation: Conversation,
        written: Written,
        ids: list[int],
        places: Sequence[tuple[int, int]],
    ) -> list[Piece]:
        """Of each answer the supervised tokens."""
        characters: list[tuple[int, int]] = []
        if any(answer.parts for answer in written.answers):
            characters = self._whole.placed([written.text]).characters
        answers_given = [
            message for message in conversation.messages if message.role == "assistant"
        ]
        pieces: list[Piece] = []
        for message, answer, (first, stop) in zip(
            answers_given, written.answers, places, strict=True
        ):
            inside = ids[first:stop]
            if inside.count(self._end_id) != 1:
                raise Unfit(NO_TURNS)
            over = first + inside.index(self._end_id)
            if not message.trained:
                pieces.append(())
            elif answer.parts:
                ending = over, over + 1
                pieces.append(pieces_of(answer.parts, characters[first:over], first, ending))
            else:
                pieces.append(((first, over + 1),))
        return pieces


def _rounds(
    conversation: Conversation, pieces: Sequence[Piece], stops: Sequence[int]
) -> Iterator[RoundSpan]:
    """The rounds, each from a user's turn to the last answer before the next one."""
    turns = conversation.messages
    begins = [at for at, turn in enumerate(turns) if turn.role == "user"]
    answered = iter(zip(pieces, stops, strict=True))
    for begin, end in pairwise([*begins, len(turns)]):
        stop, trained = 0, list[tuple[int, int]]()
        for turn in turns[begin:end]:
            if turn.role == "assistant":
                piece, stop = next(answered)
                trained += piece
        if not trained:
            yield RoundSpan(start=stop, end=stop, stop=stop)
        else:
            whole = trained[0][0], trained[-1][1]
            parts = tuple(trained) if len(trained) > 1 else ()
            yield RoundSpan(start=whole[0], end=whole[1], stop=stop, pieces=parts)


def _texts(conversation: Conversation) -> Iterator[str]:
    """Every text that somebody wrote in a conversation, also those inside calls and tools."""
    held: list[Any] = [json.loads(conversation.tools or "[]")]
    for message in conversation.messages:
        yield from (message.content, message.name, message.call_id)
        held.append(json.loads(message.calls or "[]"))
    while held:
        value = held.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            held += [*value, *value.values()]
        elif isinstance(value, list):
            held += value
