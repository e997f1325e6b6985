"""What a survey says of rows that the tokenizer reads otherwise than letter by letter."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from autotune.base.errors import BadInput
from autotune.data.load import ConversationStream
from autotune.data.survey import Survey, SurveyFile
from autotune.protocol.choices import Supervision, Truncation
from autotune.protocol.data_notes import DataNote, note_sentence
from autotune.protocol.plan import DataSpec
from autotune.worker.survey.job import surveyed
from autotune.worker.tokens.encode import JOINED, ChatCodec
from tests.worker.tokenizer_kinds import tokenizer_of

pytestmark = pytest.mark.torch


Surveys = Callable[..., SurveyFile]


@pytest.fixture
def survey_of(tmp_path: Path) -> Surveys:
    """The survey of rows with these answers, by a kind of tokenizer."""

    def survey(
        kind: str, *answers: str, supervision: Supervision = Supervision.CONTENT
    ) -> SurveyFile:
        path = tmp_path / "chats.jsonl"
        turns = (
            [{"role": "user", "content": "q"}, {"role": "assistant", "content": answer}]
            for answer in answers
        )
        lines = (json.dumps({"messages": messages}) for messages in turns)
        path.write_text("\n".join(lines), encoding="utf-8")
        codec = ChatCodec(tokenizer_of(kind, with_bos=True), supervision)
        return surveyed(codec, ConversationStream(DataSpec(path=str(path), format="messages")))

    return survey


def about(file: SurveyFile, words: str) -> DataNote:
    (found,) = [note for note in file.notes if words in note.what]
    return found


def test_a_row_that_the_tokenizer_cannot_make_is_dropped_by_its_number(survey_of: Surveys) -> None:
    file = survey_of("Metaspace always", "the river", "h", "hello", "h")
    assert note_sentence(about(file, JOINED)) == f"2 rows dropped: {JOINED} (rows 2, 4)"
    assert file.dropped == {JOINED: 2}
    assert [bool(rounds) for rounds in file.conversations] == [True, False, True, False]
    data = Survey(file, Truncation.RIGHT)
    kept = data.kept(99, "all")
    assert (kept.conversations, kept.lost, len(data.rows)) == (2, 0, 2)
    assert data.longest_conversation(99, "all") == 0
    assert list(data.lost(99, "all")) == []


def test_where_no_row_can_be_made_the_data_is_refused_with_the_reason(survey_of: Surveys) -> None:
    with pytest.raises(BadInput, match=r"chats\.jsonl: the tokenizer encodes no conv.*: 1"):
        survey_of("Metaspace always", "h")


@pytest.mark.parametrize(
    ("supervision", "words"),
    [(Supervision.CONTENT, "it is kept apart"), (Supervision.COURSE, "it does not where")],
)
def test_answers_that_touch_the_line_before_them_are_said(
    supervision: Supervision, words: str, survey_of: Surveys
) -> None:
    note = about(survey_of("byte-level BPE", "a", "\n\nb", supervision=supervision), words)
    assert (note.count, note.rows, note.dropped) == (1, (2,), False)


def test_text_that_the_tokenizer_does_not_know_is_warned_of(survey_of: Surveys) -> None:
    note = about(survey_of("WordPiece", "river", "한국"), "vocabulary of the tokenizer lacks")
    assert (note.rows, note.warning) == ((2,), True)


def test_what_the_tokenizer_would_put_around_a_text_is_said(survey_of: Surveys) -> None:
    assert "puts <s> and </s> around" in about(survey_of("Unigram", "a"), "puts").what
