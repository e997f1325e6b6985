"""What a person sees of practice data: while it is made, and when it is there."""

import pytest

from autotune.protocol import events
from autotune.protocol.events import Record, RunEvent
from autotune.screen.practice import practice_summary
from tests.practice import CARD_MADE, MADE, STARTED
from tests.screens import live_text, plain_lines, printed, squeezed


def shown(*found: RunEvent) -> list[Record]:
    """Records, ten seconds apart."""
    return [Record(time=1e9 + 10.0 * at, event=event) for at, event in enumerate(found)]


def answered(done: int) -> events.Answered:
    return events.Answered(done=done, total=30, new_tokens=100 * done, seconds=10.0 * done)


BEGUN = STARTED.model_copy(update={"asked": 10, "samples": 3})


@pytest.mark.parametrize("width", [40, 80, 140])
def test_the_screen_shows_the_answers_done_of_all_their_speed_and_the_time_left(
    width: int,
) -> None:
    said = squeezed(live_text(shown(BEGUN, answered(3), answered(6)), width).replace("│", " "))
    assert "practice data of toy" in said
    assert "practice: answering answer 6/30" in said
    assert "20 %" in said
    assert "10 new tokens/s time left 1 min 20 s" in said


def test_before_the_first_and_after_the_last_answer_the_phase_is_named() -> None:
    loading = live_text(shown(BEGUN, events.Phase(name="loading")))
    assert "practice: getting ready" in loading and "loading" in loading
    choosing = live_text(shown(BEGUN, answered(30), events.Phase(name="amending")))
    assert "amending" in choosing and "time left" not in choosing
    assert "answering" not in live_text(shown(BEGUN, answered(30), MADE))


def test_lines_say_what_is_asked_how_far_it_is_and_what_was_made() -> None:
    lines = plain_lines(shown(BEGUN, answered(3), answered(9), MADE))
    assert lines == [
        "practice begins: toy is asked 10 prompts, 3 times each; its answers are amended for 9"
        " prompts",
        "practice: answering: answer 3/30, 10 new tokens/s",
        "practice made: 2 chats of 3 answers; 1 as sampled, 1 amended, all verified",
    ]


def test_where_no_chat_came_of_it_nothing_is_called_verified() -> None:
    none = MADE.model_copy(update={"conversations": 0, "as_sampled": 0})
    assert plain_lines(shown(none)) == ["practice made: 0 chats of 3 answers"]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_summary_has_its_figures_at_any_width(width: int) -> None:
    said = " ".join(printed(practice_summary(CARD_MADE, 118.6), width).replace("│", " ").split())
    for part in (
        "chats: 5: 2 as sampled, 3 amended",
        "prompts: 9, of 3 tasks",
        "answers: 3 of 600 tokens, 119 tokens/s",
        "as sampled 2 (22 %) pass, after amending 6 (67 %)",
        "101 on average; quartiles 60, 90, 140",
        "loop: 2",
        "1 near copy of scored prompts: not asked",
    ):
        assert part in said
    if width >= 80:
        assert "no_comma 4 3 3 1 2" in said
    assert ("detectable_format:number_highlighted_sections" in said) == (width == 120)
