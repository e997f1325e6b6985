"""The work in progress on the live screen: its name, its figures, and the time that is left."""

from collections.abc import Sequence

import pytest

from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.protocol.plan import TrialPoint
from autotune.run.state import replay
from autotune.screen import LiveView
from tests import records as book
from tests.screens import SAMPLE, console, live_text, squeezed, text_of


@pytest.mark.parametrize("width", [40, 80, 140])
def test_while_probing_every_trial_is_shown_with_peak_verdict_speed_and_reason(width: int) -> None:
    text = live_text(book.probing(), width)

    for row in (
        ("256", "3.10 GiB", "FITS"),
        ("1024", "7.39 GiB", "OVER_BUDGET"),
        ("640", "-", "OUT_OF_MEMORY"),
    ):
        assert any(all(cell in line for cell in row) for line in text.splitlines()), row
    said = squeezed(text.replace("│", " "))
    assert "killed by the system while in backward" in said, "a reason is wrapped, never cut"
    assert "815" in text


def test_a_trial_of_the_probe_is_named_with_its_length_and_how_many_may_come() -> None:
    surveyed = book.until(book.story(), events.Surveyed)
    begun = [*surveyed, begins(surveyed[-1].time + 1, book.point(384), 1, 6)]
    text = live_text(begun)
    assert "probing 384 tokens, trial 1 of at most 6" in text
    assert "starting the worker" in text
    ready = Record(
        time=begun[-1].time + 20, event=events.Ready(pid=1, device="CPU", transformers="5.24.0")
    )
    text = live_text([*begun, ready, Record(time=ready.time, event=events.Phase(name="loading"))])
    assert "starting the worker" not in text and "loading" in text
    tried = [*begun, ready, *book.probing()[3:4]]
    last = tried[-1].time
    timed = begins(last, book.point(256), 2, 4, timed_conversations=16)
    text = live_text([*tried, timed])
    assert "timing micro-batches of 512 tokens, trial 2 of at most 4" in text
    assert "time left at most 1 min 03 s" in text  # three trials of 21 s
    assert "time left at most 53 s" in live_text([*tried, timed], after=10)


def begins(
    time: float, point: TrialPoint, nth: int, most: int, timed_conversations: int = 0
) -> Record:
    event = events.ProbeTrialStarted(
        point=point, nth=nth, most=most, timed_conversations=timed_conversations
    )
    return Record(time=time, event=event)


def test_training_shows_loss_curve_speed_and_two_kinds_of_time_left() -> None:
    text = live_text(book.training(7))

    assert "training trial 0 (A)  step 7/12" in text
    assert "58 %" in text
    assert "loss 1.377  grad norm 0.88  lr 4e-5  800 tokens/s  time left 15 s" in text
    assert "loss 1.764 █▅▅▃▂▂▁ 1.377" in text  # seven steps, the first the highest
    assert (
        "time left of the run: under a minute if A is enough, about 5 min if all up to B are tried"
        in text
    )


def test_the_time_left_moves_between_two_steps_and_then_waits() -> None:
    left = [
        line.partition("time left ")[2].split("  ")[0].strip(" │")
        for seconds in (0, 2, 3, 60)
        for line in live_text(book.training(7), after=seconds).splitlines()
        if "tokens/s  time left" in line
    ]
    assert left == ["15 s", "13 s", "12 s", "12 s"]


READY = events.Ready(pid=4244, device="CPU", torch="2.13.0", transformers="5.24.0")


def slowly_answered(records: Sequence[Record], seconds: float = 40.0) -> list[Record]:
    """The records with an untrained model that took so long to answer, its worker's start too."""
    return [
        each.model_copy(update={"event": each.event.model_copy(update={"seconds": seconds})})
        if isinstance(each.event, events.BaselineScored) and each.event.seconds is not None
        else each
        for each in records
    ]


def test_the_time_left_of_the_run_counts_the_checkpoints_that_are_still_to_be_scored() -> None:
    for count, left in ((0, "about 2 min"), (1, "about 1 min")):
        scored = [
            Record(
                time=book.START + 900,
                event=book.evaluated(0, book.checkpoint(step, step, step / 12), 4),
            )
            for step in (10, 12)[:count]
        ]
        trained = slowly_answered(book.until(book.story(), events.Trained), 60.0)
        assert f"time left of the run: {left} if A is enough" in live_text([*trained, *scored])


def test_while_the_untrained_model_answers_its_pace_of_now_tells_how_long_scoring_takes() -> None:
    story = book.story()
    answers = [at for at, each in enumerate(story) if isinstance(each.event, events.Answered)]
    first, later = (live_text(story[: answers[count] + 1]) for count in (0, 3))
    assert "time left of the run: at most" in first
    # 2.5 s an answer: 20 s of the untrained model, then 130 s of training and two times 74 s.
    assert "time left of the run: about 5 min if A is enough, about" in later


def test_until_a_worker_is_ready_its_start_is_named_and_counted() -> None:
    trained = slowly_answered(book.until(book.story(), events.Trained))
    text = live_text(trained)
    assert "starting the scorer: trial 0 (A), checkpoint 83 %" in text
    assert "time left 40 s" in text  # as long as the untrained model took with its worker's start
    assert "time left 34 s" in live_text(trained, after=6)
    # A start that takes longer than the probe's 14 s puts off the answers, all of them to come.
    assert "time left 27 s" in live_text(trained, after=60)
    ready = Record(time=trained[-1].time + 60, event=READY)
    assert "time left 27 s" in live_text([*trained, ready])
    assert "time left 7 s" in live_text([*trained, ready], after=20)
    assert "later than estimated" in live_text([*trained, ready], after=60)
    begun = book.until(book.story(), events.TrialStarted)
    assert "starting the trainer: trial 0 (A)" in live_text(begun)
    resumed = [*book.training(7), Record(time=book.START + 999, event=book.run_started())]
    text = live_text(resumed)
    assert "starting the trainer: trial 0 (A)" in text and "step 7/12 before" in text
    assert "tokens/s  time left" not in text


def test_a_run_that_goes_on_at_its_target_or_searches_says_so_in_its_time_left() -> None:
    def left(**run: bool) -> str:
        began, *rest = book.training(7)
        event = began.event.model_copy(update=run)
        return live_text([began.model_copy(update={"event": event}), *rest])

    assert "time left of the run: about 5 min for all up to B" in left(stop_at_target=False)
    assert "if all up to B are tried, then a search" in left(searches=True)


def test_between_strategies_and_after_the_last_nothing_that_is_over_is_still_to_come() -> None:
    """A is missed, B meets the target."""
    story = book.story()
    (begun, end) = (
        next(at for at, each in enumerate(story) if isinstance(each.event, kind))
        for kind in (events.TrialEnded, events.RunEnded)
    )
    between = live_text(story[: begun + 1])
    assert "if B is enough" in between and "if A is enough" not in between
    assert "time left of the run" not in live_text(story[:end])


def answers(trained: Sequence[Record], *done: int) -> list[Record]:
    """Counts of answers of a scorer that is ready, ten seconds apart."""
    time = trained[-1].time
    found = [Record(time=time, event=READY)]
    for at, count in enumerate(done, start=1):
        event = events.Answered(done=count, total=24, new_tokens=0, seconds=0.0)
        found.append(Record(time=time + 10 * at, event=event))
    return [*trained, *found]


def test_scoring_shows_which_checkpoint_and_when_its_answers_will_be_there() -> None:
    trained = book.until(book.story(), events.Trained)
    text = live_text(answers(trained, 4, 8, 12))

    assert "scoring trial 0 (A), checkpoint 83 %  answer 12/24" in text
    assert "time left 30 s" in text  # twelve answers at four in ten seconds
    assert "time left 26 s" in live_text(answers(trained, 4, 8, 12), after=4)
    text = live_text(answers(trained, 4, 24))
    assert "judging the answers: trial 0 (A), checkpoint 83 %" in text
    assert "24/24" not in text


def test_what_the_first_short_answers_say_is_the_least_that_the_others_take() -> None:
    trained = book.until(book.story(), events.Trained)
    assert "time left at least 1 min 40 s" in live_text(answers(trained, 2, 4))
    assert "time left 1 min 30 s" in live_text(answers(trained, 4, 6))


def test_an_evaluation_by_itself_counts_its_answers_once_there_are_some() -> None:
    begun = [Record(time=book.START, event=READY)]
    assert "preparing the model" in live_text(begun)
    text = live_text(answers(begun, 4, 12))
    assert "scoring the model  answer 12/24" in text and "preparing" not in text
    assert "time left 15 s" in text


def test_a_scoring_that_begins_shows_nothing_of_the_work_before_it() -> None:
    saving = Record(time=book.START, event=events.Phase(name="saving"))
    trained = book.until(book.story(), events.Trained)
    text = live_text(answers([*trained[:-1], saving, trained[-1]]))

    assert "scoring trial 0 (A), checkpoint 83 %  answer 0/24" in text
    assert "saving" not in text.split("study")[0]


def test_what_comes_before_the_first_training_is_named() -> None:
    fitted = book.until(book.story(), events.Fitted)
    echoed = book.until(book.story(), events.BaselineScored)
    assert "reading and tokenizing the data" in live_text(fitted[:2])
    assert "scoring the baseline echo" in live_text(fitted)
    assert "starting the scorer: the untrained model" in live_text(echoed)
    loading = Record(time=fitted[-1].time + 1, event=events.Phase(name="loading"))
    text = live_text([*answers(echoed), loading])
    assert "scoring the untrained model  answer 0/24" in text
    assert "loading the model" in text
    assert "time left at most" in text


def test_a_resumed_scoring_is_not_credited_with_the_answers_of_before() -> None:
    trained = slowly_answered(book.until(book.story(), events.Trained))
    text = live_text(answers(trained, 20))
    assert "answer 20/24" in text
    assert "time left 5 s" in text  # four answers of 24 that took 26 s


def test_one_count_of_answers_tells_their_pace_where_none_of_them_are_from_before() -> None:
    """As `watch` begins, which knows since when the prompts are answered."""
    trained = slowly_answered(book.until(book.story(), events.Trained))
    *begun, last = answers(trained, 12)

    def left(**known: float | None) -> str:
        event = last.event.model_copy(update=known)
        return live_text([*begun, last.model_copy(update={"event": event})])

    assert "time left 36 s" in left(seconds=36.0, before=0)
    assert "time left 1 min 12 s" in left(seconds=36.0, before=6)
    assert "time left at least 55 s" in left(done=4, seconds=11.0, before=0)
    assert "time left 14 s" in left(seconds=36.0), "not known: half of what was expected"


def test_where_nobody_works_the_screen_says_so_instead_of_a_time_left() -> None:
    state, out = replay(book.training(7)), console()
    with LiveView(out, lambda: 0.0, lambda: state, lambda: SAMPLE, lambda: False):
        pass
    text = text_of(out)
    assert "interrupted, nobody works at it now; next: training trial 0 (A)" in text
    assert "time left" not in text


def test_all_prompts_are_not_counted_as_the_runs_own_before_the_first_answer() -> None:
    *told, _ = book.story()
    told.append(
        Record(time=told[-1].time, event=events.Notice(about="in_full", sentence="all prompts"))
    )
    ready = events.Ready(pid=1, device="CPU", transformers="5.24.0")
    told.append(Record(time=told[-1].time + 1, event=ready))
    text = live_text(told)
    assert "scoring the best checkpoint on all prompts" in text
    assert "0/24" not in text and "later than" not in text
