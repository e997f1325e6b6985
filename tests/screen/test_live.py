"""The live screen, on any terminal, at every moment of a run."""

import io
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from autotune.base.sizes import GIB
from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.protocol.plan import TrialPoint
from autotune.run.state import StudyState, replay
from autotune.screen import (
    DeviceSample,
    LiveView,
    PlainView,
    probe_summary,
    summary,
)
from tests import records as book
from tests.screens import (
    FOLDER,
    SAMPLE,
    WIDTHS,
    console,
    live_text,
    plain_lines,
    printed,
    squeezed,
    text_of,
)

ROOT = Path(__file__).resolve().parents[2]
EVIL = "a [/x] [bold]b \x1b[31m \u202e c"


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
        "micro-batch 512 tokens (A): the fastest that was timed, 1000 tokens/s",
        "strict: prompts passed, every instruction to the letter, of all that were asked, with the"
        " 95 % interval",
        "shuffled: how many other prompts the same answers pass, which is chance",
        "tokens/s: tokens of conversations that training steps take a second, padding aside",
    ):
        assert line in [each.strip() for each in lines], line


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
        "time left of the run: about 2 min if A is enough, about 6 min if all up to B are tried"
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


def test_until_a_worker_is_ready_its_start_is_named_and_counted() -> None:
    trained = book.until(book.story(), events.Trained)
    text = live_text(trained)
    assert "starting the scorer: trial 0 (A), checkpoint 83 %" in text
    assert "time left 10 s" in text  # as long as the untrained model took with its worker's start
    assert "time left 4 s" in live_text(trained, after=6)
    assert "later than estimated" in live_text(trained, after=60)
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

    assert "time left of the run: about 6 min for all up to B" in left(stop_at_target=False)
    assert "if all up to B are tried, then a search" in left(searches=True)


def answers(trained: Sequence[Record], *done: int) -> list[Record]:
    """Counts of answers of a scorer that is ready, ten seconds apart."""
    time = trained[-1].time
    ready = events.Ready(pid=4244, device="CPU", torch="2.13.0", transformers="5.24.0")
    found = [Record(time=time, event=ready)]
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
    text = live_text(answers(book.until(book.story(), events.Trained), 20))
    assert "answer 20/24" in text
    assert "later than estimated" in text


def test_where_nobody_works_the_screen_says_so_instead_of_a_time_left() -> None:
    state, out = replay(book.training(7)), console()
    with LiveView(out, lambda: 0.0, lambda: state, lambda: SAMPLE, lambda: False):
        pass
    text = text_of(out)
    assert "interrupted, nobody works at it now; next: training trial 0 (A)" in text
    assert "time left" not in text


@pytest.mark.parametrize("width", [40, 80, 120, 140])
def test_nothing_on_a_screen_is_not_available(width: int) -> None:
    for records in (book.probing(), book.training(), book.story(), book.parrot()):
        assert "n/a" not in live_text(records, width)
    assert "n/a" not in live_text(book.training(), sample=DeviceSample(None, 6 * GIB))


def test_a_reason_is_wrapped_and_never_cut() -> None:
    why = "the loss is not a finite number at step 7, " + "because of one thing or another, " * 8
    failed = events.TrialEnded(number=0, best=None, failure=why)
    records = [*book.training(7), Record(time=book.START + 999, event=failed)]
    for width in (40, 80, 120):
        said = squeezed(live_text(records, width).replace("│", " "))
        assert f"trial 0 (A): failed: {squeezed(why)}" in said


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("height", [5, 12, 24, 80])
def test_no_frame_is_wider_or_taller_than_the_terminal(width: int, height: int) -> None:
    for records in (book.probing(), book.training(), book.story(), book.parrot()):
        lines = live_text(records, width, height).splitlines()

        assert max(map(len, lines)) <= width
        if width > 20:
            assert len(lines) < height or height < 12


def test_a_low_terminal_keeps_the_work_in_progress_and_the_newest_trial() -> None:
    one = book.story()
    begin, trials = one[:22], []
    for number in range(12):
        trials += [
            Record(
                time=book.START + 500 + number,
                event=events.TrialStarted(number=number, optuna_number=number, plan=book.plan()),
            ),
            *(
                Record(
                    time=book.START + 500 + number,
                    event=book.evaluated(number, book.checkpoint(number, s, s / 12), 4),
                )
                for s in (10, 12)
            ),
        ]
    text = live_text([*begin, *trials], 80, 24)

    assert "starting the trainer: trial 11 (A)" in text
    assert "│ 11 A " in text
    assert len(text.splitlines()) < 24


def test_text_from_outside_is_shown_as_text_never_as_markup_or_escape_codes() -> None:
    start = book.run_started(profile=EVIL, model=EVIL, data=EVIL, device=EVIL, strategies=(EVIL,))
    told = Record(time=book.START + 900, event=events.Warned(message=EVIL))
    records = [book.story()[0].model_copy(update={"event": start}), *book.story()[1:-1], told]

    for text in (
        live_text(records, 400),
        "\n".join(plain_lines(records)),
        printed(summary(replay(records), Path(EVIL.replace("/", "_"))), 400),
    ):
        assert "\x1b[31m" not in text
        assert "\u202e" not in text
        assert r"[bold]b \x1b[31m \u202e c" in text
    assert r"profile a [/x] [bold]b \x1b[31m \u202e c" in live_text(records, 400)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp437"])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_redirected_legacy_stdout_is_written_without_an_exception(
    encoding: str, width: int
) -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, newline="\n")
    out = Console(file=file, width=width, height=80, force_terminal=False, _environ={})
    start = book.run_started(model="模型", data="数据…", profile="naïve")
    records = [book.story()[0].model_copy(update={"event": start}), *book.story()[1:]]
    state = replay(records)

    live_text(records, out=out)
    view = PlainView(out, lambda: 0.0, lambda: state)
    for record in records:
        view.on_record(record)
    out.print(summary(state, FOLDER))
    out.print(probe_summary(book.fit(), "budget 6.00 GiB: 7.00 GiB free now"))
    file.flush()

    text = raw.getvalue().decode(encoding)
    assert "8/24 33.3 % [18-53]" in squeezed(text)
    assert "????" in text  # 模型, two cells a character


def test_no_color_gives_not_one_colour_code() -> None:
    out = Console(
        file=io.StringIO(),
        width=80,
        height=60,
        force_terminal=True,
        color_system="truecolor",
        _environ={"NO_COLOR": "1"},
    )
    text = live_text(book.training(), out=out)

    assert "training trial 0 (A)" in text
    assert "\x1b[3" not in text.replace("\x1b[3m", "")


def test_an_unknown_memory_use_temperature_and_power_are_not_a_zero() -> None:
    text = live_text(
        book.training(), sample=DeviceSample(None, 6 * GIB, note="driver says nothing")
    )

    assert f"{book.DEVICE}  memory limit 6.00 GiB  driver says nothing" in text
    assert "temperature" not in text and "power" not in text


def test_the_device_is_asked_once_a_second_at_most() -> None:
    asked = []
    now = [100.0]

    def sample() -> DeviceSample:
        asked.append(now[0])
        return SAMPLE

    state = replay(book.training())
    view = LiveView(console(terminal=True), lambda: now[0], lambda: state, sample)
    for now[0] in (100.0, 100.3, 100.9, 101.1):
        view._next_frame()

    assert asked == [100.0, 101.1]


def test_a_state_that_grows_while_it_is_read_leaves_the_frame_before() -> None:
    growing = False

    def state() -> StudyState:
        if growing:
            raise RuntimeError("dictionary changed size during iteration")
        return replay(book.training())

    view = LiveView(console(terminal=True), lambda: 0.0, state, lambda: SAMPLE)
    first = view._next_frame()
    growing = True

    assert view._next_frame() is first


def test_an_error_inside_leaves_the_terminal_with_its_cursor_and_goes_on_its_way() -> None:
    out = console(terminal=True)
    state = replay(book.training())

    with (
        pytest.raises(KeyboardInterrupt),
        LiveView(out, lambda: 0.0, lambda: state, lambda: SAMPLE),
    ):
        raise KeyboardInterrupt

    assert text_of(out).rindex("\x1b[?25h") > text_of(out).rindex("\x1b[?25l")


def test_every_text_of_an_early_state_can_be_drawn() -> None:
    """A view must stand at every moment of a run, the empty one first."""
    records = book.story()
    for end in range(len(records) + 1):
        state = replay(records[:end])
        view = LiveView(console(), lambda: book.START, lambda s=state: s, lambda: SAMPLE)
        text = printed(view._next_frame(), 80) + printed(summary(state, FOLDER), 80)
        assert "smolsft-autotune" in text


def test_a_run_that_only_asks_what_fits_shows_no_target() -> None:
    start = book.run_started(target=0.0)
    records = [book.story()[0].model_copy(update={"event": start}), *book.probing()[1:]]

    assert "target" not in live_text(records)
    assert "nothing has been trained" in printed(summary(replay(records), FOLDER))


def test_a_device_named_twice_is_shown_once() -> None:
    note = f"{book.DEVICE}; throttled: heat"
    text = live_text(book.training(), sample=DeviceSample(GIB, 6 * GIB, note=note))

    assert text.count(book.DEVICE) == 1
    assert note in text


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminal of this kind")
def test_on_a_real_terminal_the_screen_is_drawn_and_the_process_ends_cleanly() -> None:
    import pty

    program = (
        "import sys, time; from rich.console import Console\n"
        "from autotune.run.state import replay; from autotune.screen import *\n"
        "from tests import records as book\n"
        "state = replay(book.training()); sample = DeviceSample(None, 1)\n"
        "view = make_view(Console(), time.time, lambda: state, lambda: sample)\n"
        "with view: print('from outside')\n"
    )
    parent, child = pty.openpty()
    env = os.environ | {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "40"}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=child, stderr=child, cwd=ROOT, env=env
    ) as process:
        os.close(child)
        chunks = []
        try:
            while chunk := os.read(parent, 65536):
                chunks.append(chunk)
        except OSError:
            pass  # Linux reports the end of a pseudo-terminal as an error.
        os.close(parent)
    text = b"".join(chunks).decode("utf-8")

    assert process.returncode == 0, text
    assert "training trial 0 (A)" in text
    assert "from outside" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
