"""Plain lines where there is no terminal, and which view is picked."""

import io

from rich.console import Console

from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.run.state import StudyState
from autotune.screen import (
    LiveView,
    PlainView,
    describe,
    make_view,
)
from tests import records as book
from tests.screens import (
    SAMPLE,
    console,
    plain_lines,
)


def test_plain_lines_are_one_sentence_a_noteworthy_record_and_never_wrapped() -> None:
    lines = plain_lines(book.story(), width=20)

    assert "trial 0 (A): checkpoint 83 % saved at step 10" in lines
    assert "trial 1 (B): checkpoint 80 % saved at step 16" in lines
    assert (
        "trial 1 (B): checkpoint 80 % scores 6/24 25.0 % [12-45],"
        " stop 96 loop 0 echo 4 empty 0 %, target met"
    ) in lines
    assert "moving on from A to B: best 20.8 % is below the target of 25.0 %" in lines
    assert lines[-1].startswith("run over, target met: strategy B reached")


def test_progress_is_a_line_every_fifteen_seconds_at_most_with_the_time_left() -> None:
    records = book.training(12)
    lines = [line for line in plain_lines(records) if line.startswith("training")]

    # Steps come every 3 s: one at once, then every fifth.
    assert [line.split(",")[0] for line in lines] == [
        "training trial 0 (A): step 1/12",
        "training trial 0 (A): step 6/12",
        "training trial 0 (A): step 11/12",
    ]
    assert lines[1].endswith("800 tokens/s, time left 18 s")


def test_that_prompts_are_asked_now_is_said_once_before_the_first_answer() -> None:
    trained = book.until(book.story(), events.Trained)
    at = trained[-1].time
    ready = events.Ready(pid=1, device="cpu", torch="2.13", transformers="5.24")
    begun = [Record(time=at + 1, event=ready), Record(time=at + 2, event=events.Phase(name="load"))]
    answered = events.Answered(done=1, total=24, new_tokens=9, seconds=1.0)
    lines = plain_lines([*trained, *begun, Record(time=at + 60, event=answered)])
    assert lines[-2] == "scoring trial 0 (A), checkpoint 83 %: 24 prompts"
    assert lines[-1].startswith("scoring trial 0 (A), checkpoint 83 %: answer 1/24")


def test_a_clock_that_stands_still_gives_one_progress_line() -> None:
    records = book.training(12)
    lines = plain_lines(records, clock=[0.0] * len(records))

    assert sum("time left" in line or "answer" in line.split(",")[0] for line in lines) == 1


def test_each_kind_of_record_has_a_sentence_or_none_for_what_the_screen_shows_anyway() -> None:
    def say(event: events.RunEvent) -> str | None:
        return describe(Record(time=book.START, event=event))

    assert say(events.Phase(name="forward")) is None
    assert say(book.step_done(1, 12)) is None
    assert say(events.Resumed(step=8, torn=("step-000010",))) == (
        "worker: resumes after step 8; damaged and passed over: step-000010"
    )
    assert say(book.evaluated(3, book.checkpoint(3, 8, 0.8), None)) == (
        "trial 3: checkpoint 80 % has no valid score: answers of 3 prompts are missing"
    )
    unhealthy = say(book.evaluated(3, book.checkpoint(3, 8, 0.8), 9, book.PARROT))
    assert unhealthy is not None
    assert unhealthy.endswith("below target, counts for 0.0 %")
    old = events.LegacyEvent(kind="interrupted", message="stopped by you")
    assert say(old) == "interrupted: stopped by you"
    mean = book.checkpoint(3, 12, 1.0).model_copy(update={"averaged": 3})
    assert say(events.CheckpointSaved(checkpoint=mean, scored=True)) == (
        "worker: average of 3 checkpoints saved at step 12"
    )
    scored = say(book.evaluated(3, mean, 4))
    assert scored is not None
    assert scored.startswith("trial 3: average of 3 checkpoints scores 4/24")
    gone = events.CheckpointsRemoved(
        number=3, names=("step-000008", "step-000012"), freed_bytes=2**30
    )
    assert say(gone) == (
        "trial 3: 2 judged checkpoints removed (step-000008, step-000012), 1.00 GiB free again"
    )
    planned = events.Notice(about="disk", sentence="disk: needs 4.00 GiB at most, 61.00 GiB free")
    assert say(planned) == planned.sentence


def test_the_view_is_live_on_a_terminal_plain_elsewhere() -> None:
    state = StudyState()

    def pick(out: Console) -> object:
        return make_view(out, lambda: 0.0, lambda: state, lambda: SAMPLE)

    assert isinstance(pick(console(terminal=True)), LiveView)
    assert isinstance(pick(console(terminal=False)), PlainView)
    dumb = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"})
    assert isinstance(pick(dumb), PlainView)
