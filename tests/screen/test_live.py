"""The live screen, on any terminal, at every moment of a run."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from autotune.base.sizes import GIB
from autotune.protocol import events
from autotune.protocol.events import Record
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
        "CPU (2 cores)", "3.00 GiB / 6.00 GiB", "50 %", "temperature 61 C", "power n/a",
        "83 %: 4/24 16.7 % [7-36]", "80 %: 6/24 25.0 % [12-45]",
        "stop 96 loop 0 echo 4 empty 0 %", "below target", "target met", "4e-5", "256 x 4", "20/20",
        "baseline echo       5/24 20.8 % [9-40]  stop n/a loop 0 echo 100 empty 0 %",
        "baseline untrained  3/24 12.5 % [4-31]  stop 71 loop 17 echo 0 empty 0 %",
        "trial 1 (B): trained 20 steps in 1 min, weights moved 1.230 %",
    ):  # fmt: skip
        assert shown in text, shown


@pytest.mark.parametrize("width", [80, 140, 180])
def test_what_a_score_counts_for_stands_beside_it_where_that_is_less(width: int) -> None:
    found = [
        r.model_copy(update={"event": r.event.model_copy(update={"counts": 0.21})})
        if isinstance(r.event, events.Evaluated)
        else r
        for r in book.story()[:-1]
    ]
    text = live_text(found, width)
    assert "80 %: 6/24 25.0 % [12-45] counts for 21.0 %" in text
    assert "83 %: 4/24 16.7 % [7-36] " in text
    assert "[7-36] counts" not in text


def test_while_probing_every_trial_is_shown_with_peak_verdict_speed_and_reason() -> None:
    text = live_text(book.probing())

    assert "probing what fits: 3 tried" in text
    for row in (
        ("256", "3.10 GiB", "FITS", "1.84"),
        ("1024", "7.39 GiB", "OVER_BUDGET", "9.20", "above the budget"),
        ("640", "n/a", "OUT_OF_MEMORY", "n/a", "killed by the system"),
    ):
        assert any(all(cell in line for cell in row) for line in text.splitlines()), row


def test_training_shows_loss_speed_and_two_kinds_of_time_left() -> None:
    text = live_text(book.training(7))

    assert "training trial 0 (A)  step 7/12" in text
    assert "58 %" in text
    assert "loss 1.377  grad norm 0.88  lr 4e-5" in text
    assert "800 tokens/s" in text
    assert "ETA 15 s" in text  # five steps of three seconds
    assert "whole run: about 2 min if A is enough, about 6 min if all up to B are tried" in text


def test_a_run_that_goes_on_at_its_target_or_searches_says_so_in_its_time_left() -> None:
    def left(**run: bool) -> str:
        began, *rest = book.training(7)
        event = began.event.model_copy(update=run)
        return live_text([began.model_copy(update={"event": event}), *rest])

    assert "whole run: about 6 min for all up to B" in left(stop_at_target=False)
    assert "if all up to B are tried, then a search" in left(searches=True)


def test_scoring_shows_which_checkpoint_and_when_its_answers_will_be_there() -> None:
    trained = book.until(book.story(), events.Trained)
    answers = [
        Record(
            time=trained[-1].time + 10 * i,
            event=events.Answered(done=4 * i, total=24, new_tokens=0, seconds=0.0),
        )
        for i in (1, 2, 3)
    ]

    text = live_text([*trained, *answers])

    assert "scoring trial 0 (A), checkpoint 83 %  answer 12/24" in text
    assert "ETA 30 s" in text  # twelve answers at four in ten seconds


def test_a_scoring_that_begins_shows_nothing_of_the_work_before_it() -> None:
    saving = Record(time=book.START, event=events.Phase(name="saving"))
    trained = book.until(book.story(), events.Trained)
    text = live_text([*trained[:-1], saving, trained[-1]])

    assert "scoring trial 0 (A), checkpoint 83 %  answer 0/24" in text
    assert "ETA n/a" in text
    assert "saving" not in text.split("study")[0]


def test_while_the_untrained_model_loads_the_screen_says_that_it_answers() -> None:
    fitted = book.until(book.story(), events.Fitted)
    loading = Record(time=fitted[-1].time + 1, event=events.Phase(name="loading"))
    text = live_text([*fitted, loading])

    assert "answering the prompts with the untrained model  answer 0/24" in text
    assert "loading" in text
    assert "getting ready" in live_text(fitted[:2])


def test_a_resumed_scoring_is_not_credited_with_the_answers_of_before() -> None:
    trained = book.until(book.story(), events.Trained)
    time = trained[-1].time
    first = Record(
        time=time + 1000, event=events.Answered(done=20, total=24, new_tokens=0, seconds=2.0)
    )
    text = live_text([*trained, first])

    assert "answer 20/24" in text
    assert "ETA n/a" in text


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

    assert "training trial 11 (A)" in text
    assert "trial 11 A" in text
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

    assert "memory n/a / 6.00 GiB  temperature n/a  power n/a  driver says nothing" in text


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
