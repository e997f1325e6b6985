"""In tokens: a turn that is not trained on is context, and of a part only the part is labelled."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, processors

from autotune.data.conversation import Conversation, Message
from autotune.data.survey import Survey, SurveyFile
from autotune.protocol.choices import Supervision, Truncation
from autotune.worker.tokens.encode import IGNORED, ChatCodec
from tests.worker.tokenizer_kinds import LOSSLESS, tokenizer_of
from tests.worker.tokens.test_encode import CONTENT, COURSE, codec_of, small_tokenizer


def labelled(codec: ChatCodec, conversation: Conversation) -> str:
    row = codec.encode(
        conversation, max_rounds="all", model_max_length=10**6, truncation=Truncation.RIGHT
    )
    kept = [label for label in row.labels if label != IGNORED]
    survey = Survey(
        SurveyFile(conversations=(codec.spans(conversation),), dropped={}, literal_markers=0),
        Truncation.RIGHT,
    )
    assert survey.total_supervised == len(kept)
    assert survey.kept(10**6, "all").supervised == len(kept)
    text: str = small_tokenizer().decode(kept, skip_special_tokens=False)
    return text


def rounds(*answers: Message) -> Conversation:
    return Conversation(tuple(m for a in answers for m in (Message("user", "ask"), a)))


def test_a_turn_that_is_not_trained_on_has_no_label() -> None:
    given = rounds(Message("assistant", "context", trained=False), Message("assistant", "learn"))
    assert labelled(codec_of(CONTENT), given) == "learn<|im_end|>"
    assert labelled(codec_of(COURSE), given) == "<|im_start|>assistant\nlearn<|im_end|>\n"
    swapped = rounds(Message("assistant", "learn"), Message("assistant", "context", trained=False))
    assert labelled(codec_of(Supervision.CONTENT), swapped) == "learn<|im_end|>"


def test_of_a_part_of_an_answer_the_tokens_that_reach_into_it_are_labelled() -> None:
    answer = "one hello two the three"
    part = Message("assistant", answer, spans=((4, 9), (14, 17)))
    given = rounds(Message("assistant", "before"), part, Message("assistant", "after"))
    found = labelled(codec_of(CONTENT), given)
    assert found.startswith("before<|im_end|>") and found.endswith("after<|im_end|>")
    middle = found.removeprefix("before<|im_end|>").removesuffix("after<|im_end|>")
    assert middle.replace(" ", "") == "hellothe<|im_end|>"
    course = labelled(codec_of(COURSE), given)
    assert course.count("<|im_start|>assistant\n") == 2, "a header is no part of an answer"


def test_a_space_that_is_trained_on_is_labelled_though_a_tokenizer_trims_its_place() -> None:
    tokenizer = Tokenizer.from_str(tokenizer_of("byte-level BPE").to_str())
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)  # says otherwise
    part = Message("assistant", "the river", spans=((3, 4),))
    row = ChatCodec(tokenizer, CONTENT).encode(
        rounds(part), max_rounds="all", model_max_length=99, truncation=Truncation.RIGHT
    )
    kept = [label for label in row.labels if label != IGNORED]
    assert tokenizer.decode(kept, skip_special_tokens=False) == " <|im_end|>"


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from(LOSSLESS),
    supervision=st.sampled_from(Supervision),
    before=st.sampled_from(["", "\n\n", "\nh", "é", "<|im_end|>"]),
    part=st.sampled_from(["river", "한", "the hello", "</s>"]),
    after=st.sampled_from(["", "\n", " the", "é", "<|im_start|>"]),
)
def test_no_character_of_a_part_is_left_out_and_none_far_from_it_labelled(
    kind: str, supervision: Supervision, before: str, part: str, after: str
) -> None:
    codec, tokenizer = ChatCodec(tokenizer_of(kind), supervision), tokenizer_of(kind)
    begin = len(before)
    span = (begin, begin + len(part))
    answer = Message("assistant", before + part + after, spans=(span,))
    row = codec.encode(
        rounds(answer), max_rounds="all", model_max_length=10**6, truncation=Truncation.RIGHT
    )
    kept = [label for label in row.labels if label != IGNORED]
    text = tokenizer.decode(kept, skip_special_tokens=False)
    assert part in text
    longest = 4  # characters of a token that reaches over both ends
    assert len(text) <= len(part) + 2 * longest + len("<|im_end|>\n")
