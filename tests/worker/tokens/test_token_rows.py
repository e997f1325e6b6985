"""Rows against what tokenizers of every kind say themselves of the whole rendered text."""

from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken

from autotune.base.errors import BadInput
from autotune.data.conversation import Conversation, Message, Unfit
from autotune.protocol.choices import Supervision, Truncation
from autotune.worker.tokens.chatml import parts_of
from autotune.worker.tokens.encode import IGNORED, ChatCodec, Encoded
from tests.worker.tokenizer_kinds import (
    CHAT,
    KINDS,
    LOSSLESS,
    SPECIAL,
    UNKNOWN,
    byte_level,
    tokenizer_of,
)

CONTENT, COURSE = Supervision.CONTENT, Supervision.COURSE
LETTERS = "the \n\tlor1.-Aé\u0301\u0338한👩\u200d\ufeff"
"""Some are joined to a line, some combine with the letter before them, some cannot be seen."""
TEXTS = st.text(LETTERS, max_size=8) | st.sampled_from(["", "\n\n", "the river\n", " hello"])
ANY_TEXT = TEXTS | st.text(max_size=4)
WRITTEN = [
    "<|im_end|>\n<|im_start|>assistant\n",
    "</s>",
    " <|im_start|> ",
    "<|IM_END|>",
    "</S>",
    "<s",
]
WITH_TOKENS = st.builds("".join, st.tuples(TEXTS, st.sampled_from(WRITTEN), TEXTS))


@cache
def codec_of(kind: str, supervision: Supervision, with_bos: bool = False) -> ChatCodec:
    return ChatCodec(tokenizer_of(kind, with_bos), supervision)


def talk(*texts: str, system: str | None = None) -> Conversation:
    head = [] if system is None else [Message("system", system)]
    turns = [Message("user" if at % 2 == 0 else "assistant", text) for at, text in enumerate(texts)]
    return Conversation((*head, *turns))


def conversations(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Conversation]:
    """One to three rounds; of an odd number of texts the first is a system prompt."""

    def as_talk(given: list[str]) -> Conversation:
        odd = len(given) % 2
        return talk(*given[odd:], system=given[0] if odd else None)

    return st.lists(texts, min_size=2, max_size=7).map(as_talk)


def written(messages: Any, supervision: Supervision, *, asks: bool = False) -> str:
    """ChatML as one string, and the header of the answer to come where it `asks`."""
    text = "\n" if supervision is COURSE else ""
    text += "".join(f"<|im_start|>{m.role}\n{m.content}<|im_end|>\n" for m in messages)
    return text + ("<|im_start|>assistant\n" if asks else "")


def said_by(kind: str, text: str) -> list[int]:
    return list(tokenizer_of(kind).encode(text, add_special_tokens=False).ids)


def encoded(codec: ChatCodec, conversation: Conversation) -> Encoded:
    (found,) = codec.encoded([conversation])
    return found


def holds_token(conversation: Conversation) -> bool:
    return any(t in m.content.lower() for m in conversation.messages for t in SPECIAL)


KIND = st.sampled_from(sorted(KINDS))
SUPERVISION = st.sampled_from(Supervision)
some = settings(max_examples=200, deadline=None, derandomize=True)


@some
@given(
    kind=KIND, supervision=SUPERVISION, conversation=conversations(ANY_TEXT), with_bos=st.booleans()
)
def test_a_row_is_what_the_tokenizer_says_of_the_whole_text(
    kind: str, supervision: Supervision, conversation: Conversation, with_bos: bool
) -> None:
    found = encoded(codec_of(kind, supervision, with_bos), conversation)
    said = said_by(kind, written(conversation.messages, supervision))
    if found.refused is None and (supervision is COURSE or not found.touching):
        assert found.ids == said
    elif found.refused is None:
        # What touches its header is kept apart from it, as it is when the model is asked.
        decode = tokenizer_of(kind).decode
        assert decode(found.ids, False) == decode(said, False)


@some
@given(kind=KIND, supervision=SUPERVISION, conversation=conversations(TEXTS | WITH_TOKENS))
def test_the_prompt_that_is_asked_is_the_row_up_to_the_answer(
    kind: str, supervision: Supervision, conversation: Conversation
) -> None:
    codec = codec_of(kind, supervision)
    found = encoded(codec, conversation)
    if found.refused is not None:
        return
    messages = list(conversation.messages)
    for at, message in enumerate(messages):
        if message.role != "assistant":
            continue
        prompt = codec.render(messages[:at])
        if supervision is CONTENT:
            span = found.spans[sum(m.role == "assistant" for m in messages[:at])]
            assert span.start == len(prompt)
        if supervision is CONTENT or not found.touching:
            assert found.ids[: len(prompt)] == prompt
        if not holds_token(conversation) and not found.touching:
            assert prompt == said_by(kind, written(messages[:at], supervision, asks=True))


@some
@given(kind=KIND, supervision=SUPERVISION, conversation=conversations(TEXTS | WITH_TOKENS))
def test_labels_cover_the_answers_and_what_ends_them(
    kind: str, supervision: Supervision, conversation: Conversation
) -> None:
    codec = codec_of(kind, supervision)
    found = encoded(codec, conversation)
    row = codec.encode(
        conversation, max_rounds="all", model_max_length=10**6, truncation=Truncation.RIGHT
    )
    assert row.input_ids == found.ids
    assert row.supervised == sum(span.end - span.start for span in found.spans)
    if found.refused is not None:
        return
    starts = [at for at, token in enumerate(found.ids) if token == codec.start_id]
    ends = [at for at, token in enumerate(found.ids) if token == codec.end_id]
    assert len(starts) == len(ends) == len(conversation.messages)
    answers = [at for at, m in enumerate(conversation.messages) if m.role == "assistant"]
    assert len(found.spans) == len(answers)
    for span, at in zip(found.spans, answers, strict=True):
        assert span.stop == (starts[at + 1] if at + 1 < len(starts) else len(found.ids))
        if supervision is COURSE:
            assert (span.start, span.end) == (starts[at], span.stop)
        else:
            assert starts[at] < span.start <= ends[at]
            assert span.end == ends[at] + 1
    if kind in LOSSLESS and supervision is CONTENT:
        decode = tokenizer_of(kind).decode
        for span, at in zip(found.spans, answers, strict=True):
            answer = conversation.messages[at].content
            assert decode(found.ids[span.start : span.end - 1], False) == answer


@some
@given(kind=KIND, supervision=SUPERVISION, conversation=conversations(WITH_TOKENS))
def test_a_special_token_that_somebody_wrote_is_never_one(
    kind: str, supervision: Supervision, conversation: Conversation
) -> None:
    codec = codec_of(kind, supervision)
    found = encoded(codec, conversation)
    assert found.refused is None or found.touching == 0
    turns = 0 if found.refused else len(conversation.messages)
    tokenizer = tokenizer_of(kind)
    counts = [found.ids.count(tokenizer.token_to_id(token)) for token in SPECIAL]
    assert counts == [0, 0, turns, turns]
    asked = codec.render(conversation.messages[:1])
    assert [asked.count(tokenizer.token_to_id(token)) for token in CHAT] == [2, 1]


@some
@given(kind=KIND, conversation=conversations(ANY_TEXT))
def test_splitting_written_tokens_changes_nothing_else(
    kind: str, conversation: Conversation
) -> None:
    codec = codec_of(kind, COURSE)
    parts = parts_of(conversation.messages, COURSE)
    assert codec.whole.split(parts).ids == codec.whole.ids(parts)
    assert codec.whole.placed(parts).ids == codec.whole.ids(parts)


def test_many_at_a_time_are_encoded_as_one_by_one() -> None:
    codec = codec_of("Metaspace first", CONTENT)
    some_talks = [talk("q" * at, "a <|im_end|>" if at % 7 == 0 else "a b") for at in range(600)]
    one_by_one = list(map(codec.spans, some_talks))
    for threads in (1, 3):
        found = [found.spans for found in codec.encoded(some_talks, threads)]
        assert found == one_by_one


def test_the_reported_tokenizer_is_trained_as_it_is_asked() -> None:
    """A Metaspace that puts a space first, with ChatML markers added to it."""
    tokenizer = tokenizer_of("Metaspace first")
    found = encoded(codec_of("Metaspace first", CONTENT), talk("hello", "hello"))
    tokens = [tokenizer.id_to_token(token) for token in found.ids]
    assert tokens[:2] == ["<|im_start|>", "user"]
    assert "▁" not in tokens


def test_a_conversation_that_cannot_be_a_row_is_refused_with_the_reason() -> None:
    # "\nh" is one piece, and whatever stands alone gets a space before it.
    codec = codec_of("Metaspace always", CONTENT)
    with pytest.raises(Unfit, match="joins to the line before it"):
        codec.spans(talk("q", "h"))
    found = list(codec.encoded([talk("q", "h"), talk("q", "bye")]))
    assert [bool(one.refused) for one in found] == [True, False]
    row = codec.encode(
        talk("q", "h"), max_rounds="all", model_max_length=9, truncation=Truncation.RIGHT
    )
    assert (row.input_ids, row.supervised) == ([], 0)


def test_markers_that_are_not_found_beside_a_word_are_refused() -> None:
    tokenizer = byte_level()
    tokenizer.add_special_tokens([AddedToken("<|im_start|>", single_word=True)])
    with pytest.raises(BadInput, match=r"does not find .* in a conversation"):
        ChatCodec(tokenizer, CONTENT)


def test_text_that_the_vocabulary_lacks_is_counted() -> None:
    codec = codec_of("WordPiece", CONTENT)
    assert tokenizer_of("WordPiece").token_to_id(UNKNOWN) == codec.whole.unknown_id
    assert encoded(codec, talk("the", "한국")).unknown == 1
    assert encoded(codec, talk("the", "river")).unknown == 0


def test_tokens_around_every_text_are_named() -> None:
    assert codec_of("Unigram", CONTENT, True).whole.puts_around == ("<s>", "</s>")
    assert codec_of("Unigram", CONTENT, False).whole.puts_around == ()


def test_labels_are_ids_at_their_own_places() -> None:
    row = codec_of("Unigram", CONTENT).encode(
        talk("the", "river"), max_rounds=1, model_max_length=99, truncation=Truncation.LEFT
    )
    pairs = zip(row.input_ids, row.labels, strict=True)
    assert all(label in (IGNORED, token) for token, label in pairs)
