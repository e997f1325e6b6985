"""The study on the live screen: its table, its score bar, and what its figures mean."""

import pytest

from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.run.state import StudyState, replay
from autotune.text.events import describe
from autotune.text.explanations import fit_explanations, meanings, why_micro_batch
from tests import records as book
from tests.screens import live_text, squeezed


def test_the_live_screen_shows_names_device_scores_with_n_interval_health_and_baselines() -> None:
    text = live_text(book.story()[:-1])

    for shown in (
        "profile cpu-smollm2", "model demo", "data demo", "target 25.0 %", "strategy A > B",
        "CPU (2 cores)", "3.00 GiB / 6.00 GiB 50 %", "temperature 61 C",
        "trial 1 (B): trained 20 steps in 1 min, weights moved 1.230 %",
    ):  # fmt: skip
        assert shown in text, shown
    heads, _, *rows = table_of(text, "trial ")
    assert heads.split() == [
        *("trial", "lr", "length", "steps", "loss", "at", "passed", "strict", "95", "%"),
        *("stop", "loop", "echo", "verdict"),
    ]
    for row in (
        ("0 A", "4e-5", "256 x 4", "12/12", "83 %", "4/24", "16.7 %", "[7-36]", "below"),
        ("1 B", "6e-5", "256 x 4", "20/20", "80 %", "6/24", "25.0 %", "[12-45]", "96 %", "met"),
        ("echo", "5/24", "20.8 %", "[9-40]", "0 %", "100 %"),
        ("untrained", "3/24", "12.5 %", "[4-31]", "71 %", "17 %"),
    ):
        assert any(all(cell in line for cell in row) for line in rows), row


def table_of(text: str, begin: str) -> list[str]:
    """The lines of a table from its headings on, without a frame."""
    lines = [line.strip("│ ").rstrip() for line in text.splitlines()]
    at = next(i for i, line in enumerate(lines) if line.startswith(begin))
    return lines[at:]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_numbers_stand_below_their_headings_at_every_width(width: int) -> None:
    text = live_text(book.story()[:-1], width)
    lines = [line.strip("│") for line in text.splitlines()]
    at = next(i for i, line in enumerate(lines) if line.strip().startswith("trial "))
    for head, cells in (("passed", ("4/24", "8/24", "5/24")), ("strict", ("16.7 %", "33.3 %"))):
        end = lines[at].index(head) + len(head)
        for cell in cells:
            row = next(line for line in lines[at + 2 :] if cell in line)
            assert row.index(cell) + len(cell) == end, (head, cell)
    assert ("length" in lines[at].split()) == (width > 80)


@pytest.mark.parametrize("width", [28, 34, 38, 40, 50, 80])
def test_every_checkpoint_has_its_name_however_narrow_the_table(width: int) -> None:
    rows = live_text(book.story()[:-1], width).partition("study")[2].partition("0 A")[2]
    for row, at, score in zip(
        rows.splitlines()[:4],
        ("83 %", "100 %", "80 %", "100 %"),
        ("16.7 %", "20.8 %", "25.0 %", "33.3 %"),
        strict=True,
    ):
        assert at in row and score in row
    assert ("8/24" in rows.splitlines()[3]) == (width != 34)


@pytest.mark.parametrize("width", [80, 140, 180])
def test_what_a_score_counts_for_stands_beside_it_where_that_is_less(width: int) -> None:
    found = [
        r.model_copy(update={"event": r.event.model_copy(update={"counts": 0.21})})
        if isinstance(r.event, events.Evaluated)
        else r
        for r in book.story()[:-1]
    ]
    text = live_text(found, width)
    heads, _, *rows = table_of(text, "trial ")
    assert "counts" in heads.split()
    assert any("6/24" in row and "25.0 %" in row and "21.0 %" in row for row in rows)
    assert "21.0 %" not in next(row for row in rows if "4/24" in row)


def test_the_best_score_is_on_a_line_with_target_untrained_and_echo() -> None:
    lines = live_text(book.story()[:-1], 120).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("0 % "))
    places = [lines[at].index(sign) for sign in "ueT●"]
    assert places == sorted(places)
    assert lines[at].endswith(" 50 %")
    assert lines[at + 1].strip() == (
        "● best 33.3 %  T target 25.0 %  u untrained 12.5 %  e echo 20.8 %"
    )
    assert "● best 37.5 % counts for 0.0 %" in live_text(book.parrot())


def test_why_this_length_and_micro_batch_and_what_the_figures_mean_is_one_line_each() -> None:
    lines = live_text(book.training(), 140).splitlines()
    for line in (
        "length 256: the longest that fits (peak 3.10 GiB of 6.00 GiB);"
        " 640 tokens are OUT_OF_MEMORY",
        "micro-batch 512 tokens (A, B): the fastest that was timed, 1000 tokens/s",
        "strict: prompts passed, every instruction to the letter, of all that were asked, with the"
        " 95 % interval",
        "shuffled: how many other prompts the same answers pass, which is chance",
        "tokens/s: tokens of conversations in a second of training steps, padding aside; of a"
        " length that is tried, on its longest sequence",
    ):
        assert line in [each.strip() for each in lines], line


def test_a_micro_batch_is_not_called_the_fastest_where_a_faster_one_was_left() -> None:
    fitted = book.fit()
    (chosen,) = fitted.speed_trials
    assert chosen.measurement is not None and chosen.measurement.timed is not None
    faster = chosen.measurement.timed.model_copy(update={"seconds": 1.0})
    other = chosen.model_copy(
        update={
            "point": chosen.point.model_copy(update={"micro_batch_tokens": 1024}),
            "measurement": chosen.measurement.model_copy(update={"timed": faster}),
        }
    )
    assert why_micro_batch(fitted.model_copy(update={"speed_trials": (chosen, other)}), "A") == (
        "micro-batch 512 tokens (A): 1000 tokens/s (1024 tokens: 2000); what is faster saves"
        " little, or does not fit in a process of its own"
    )


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 31)])
def test_on_a_low_terminal_each_of_these_lines_is_shown_in_its_turn_and_nothing_else_moves(
    width: int, height: int
) -> None:
    records = book.until(book.story(), events.Trained)
    wanted = [*fit_explanations(replay(records), own_only=True), *meanings(replay(records))]
    frames = [live_text(records, width, height, after=10 * turn) for turn in range(len(wanted))]
    places = [at for at, line in enumerate(frames[0].splitlines()) if "last event" in line]
    for frame in frames:
        shown = [line for line in wanted if line in squeezed(frame)]
        assert len(shown) == 1, frame
        wanted.remove(shown[0])
        lines = frame.splitlines()
        place = next(at for at, line in enumerate(lines) if "last event" in line)
        assert place in places and len(lines) < height
    assert wanted == []


def test_where_the_longest_of_them_has_no_room_the_shorter_ones_have_their_turn() -> None:
    """At 40 columns some take four lines and `shuffled` two."""
    records = book.until(book.story(), events.TrialEnded)
    said = meanings(replay(records))
    for height in range(24, 34):
        frames = [squeezed(live_text(records, 40, height, after=10 * turn)) for turn in range(6)]
        shown = [line for line in said if any(line in frame for frame in frames)]
        if 0 < len(shown) < len(said):
            assert said[1] in shown
            return
    pytest.fail("no height at which there is room for some of them only")


def test_a_tall_terminal_shows_each_of_these_lines_once() -> None:
    lines = [line.strip() for line in live_text(book.training(), 140).splitlines()]
    for begin in ("length 256: ", "micro-batch 512 ", "strict: ", "shuffled: ", "lift: "):
        assert sum(line.startswith(begin) for line in lines) == 1, begin


def test_a_reason_is_wrapped_and_never_cut() -> None:
    why = "the loss is not a finite number at step 7, " + "because of one thing or another, " * 8
    failed = events.TrialEnded(number=0, best=None, failure=why)
    records = [*book.training(7), Record(time=book.START + 999, event=failed)]
    for width in (40, 80, 120):
        said = squeezed(live_text(records, width).replace("│", " "))
        assert f"trial 0 (A): failed: {squeezed(why)}" in said


@pytest.mark.parametrize("width", [40, 80, 120])
def test_of_an_event_that_is_shown_on_a_low_terminal_nothing_is_cut(
    width: int,
) -> None:
    score = next(record for record in book.story() if isinstance(record.event, events.Evaluated))
    records = [*book.until(book.story(), events.Trained), score]
    said = describe(score, replay(records))
    alone, framed = set(), set()
    for height in range(12, 50):
        screen = live_text(records, width, height)
        shown = squeezed(screen.replace("│", " "))
        if "checkpoint 83 % scores" in shown:
            (alone if "last event: " in shown else framed).add(height)
            assert said and said in shown, screen
    assert alone and framed


def test_why_this_micro_batch_is_said_of_every_strategy_and_once_of_those_that_step_alike() -> None:
    fitted = book.fit()
    one = fitted.strategies["A"]
    other = one.model_copy(update={"micro_batch_tokens": 2048, "gradient_checkpointing": True})
    wide = fitted.model_copy(update={"strategies": {"A": one, "B": other, "C": one}})
    state = StudyState()
    state.apply(Record(time=book.START, event=events.Fitted(fit=wide)))
    _, first, second = fit_explanations(state)
    assert first.startswith("micro-batch 512 tokens (A, C): ")
    assert second.startswith("micro-batch 2048 tokens, recomputed (B): ")
    assert fit_explanations(state, own_only=True)[1:] == (first.replace("A, C", "A"),)
