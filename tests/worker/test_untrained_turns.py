"""In tokens: a turn that is not trained on is context, and of a part only the part is labelled."""

from autotune.data.conversation import Conversation, Message
from autotune.plan import Supervision, Truncation
from autotune.survey import Survey, SurveyFile
from autotune.worker.encode import IGNORED, ChatCodec
from tests.worker.test_encode import CONTENT, COURSE, codec_of, small_tokenizer


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
