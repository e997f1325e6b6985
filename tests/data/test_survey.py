"""What a length and a number of rounds keep of the data, against counting token by token."""

from hypothesis import given
from hypothesis import strategies as st

from autotune.data.survey import AnswerCut, Retention, Survey
from autotune.protocol.choices import Truncation
from autotune.protocol.plan import Rounds
from tests import setups

CONVERSATIONS = st.lists(
    st.lists(st.integers(8, 60), min_size=1, max_size=5), min_size=1, max_size=6
)
ROUNDS: st.SearchStrategy[Rounds] = st.integers(1, 6) | st.just("all")


def counted(data: Survey, length: int, rounds: Rounds) -> Retention:
    """The same answer from lists of tokens, each True where it is supervised."""
    conversations = longest = tokens = supervised = truncated = lost = total = 0
    for spans in data.file.conversations:
        kept = spans if rounds == "all" else spans[:rounds]
        row = [any(s.start <= at < s.end for s in spans) for at in range(spans[-1].stop)]
        total += sum(row)
        row = row[: kept[-1].stop]
        short = row[-length:] if data.truncation is Truncation.LEFT else row[:length]
        truncated += len(short) < len(row)
        if not any(short):
            lost += 1
            continue
        conversations += 1
        longest = max(longest, len(short))
        tokens += len(short)
        supervised += sum(short)
    return Retention(
        conversations, longest, tokens, supervised, supervised / total, truncated, lost
    )


@given(CONVERSATIONS, st.integers(1, 320), ROUNDS, st.sampled_from(Truncation))
def test_what_is_kept_is_what_counting_every_token_finds(
    rows: list[list[int]], length: int, rounds: Rounds, truncation: Truncation
) -> None:
    data = setups.survey(*rows, truncation=truncation)
    assert data.kept(length, rounds) == counted(data, length, rounds)


def test_a_prompt_longer_than_the_length_leaves_no_answer_and_is_lost() -> None:
    data = setups.survey([50], [20], prompt=15)
    kept = data.kept(15, "all")
    assert (kept.conversations, kept.lost, kept.truncated) == (0, 2, 2)


def test_the_longest_conversation_counts_only_the_rounds_that_are_kept() -> None:
    data = setups.survey([10, 200], [50, 50])
    assert [data.longest(r) for r in (1, 2, 3, "all")] == [50, 210, 210, 210]
    assert data.most_rounds == 2


def test_answers_that_a_length_does_not_leave_whole_are_counted() -> None:
    # Three rounds end at 40, 80 and 120 tokens: at 64 one answer is whole, one short, one gone.
    survey = setups.survey([40, 40, 40], [30])
    assert survey.cut_answers(64, "all") == AnswerCut(answers=4, short=1, gone=1)
    assert survey.cut_answers(64, "all").cut == 2
    assert survey.cut_answers(64, 1) == AnswerCut(answers=2, short=0, gone=0)
    assert (survey.whole_rounds(64), survey.whole_rounds(120), survey.whole_rounds(120, 2)) == (
        *(1, 3),
        2,
    )
    left = setups.survey([40, 40, 40], truncation=Truncation.LEFT)
    assert left.cut_answers(64, "all") == AnswerCut(answers=3, short=1, gone=1)
