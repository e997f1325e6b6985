"""The live screen, on any terminal, at every moment of a run."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

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


@pytest.mark.parametrize("width", [40, 80])
def test_an_item_of_the_first_lines_is_broken_only_where_it_is_longer_than_a_line(
    width: int,
) -> None:
    lines = live_text(book.training(), width).splitlines()
    for item in ("model demo", "prompts ifeval (24)", "3.00 GiB / 6.00 GiB 50 %", "grad norm 0."):
        assert any(item in line for line in lines), item
    assert max(map(len, lines)) <= width


def test_when_a_run_is_over_nothing_is_in_use() -> None:
    assert "3.00 GiB / 6.00 GiB" in live_text(book.story()[:-1])
    assert "6.00 GiB" not in live_text(book.story()).split("study")[0]


@pytest.mark.parametrize("width", [40, 80, 120, 140])
def test_nothing_on_a_screen_is_not_available(width: int) -> None:
    for records in (book.probing(), book.training(), book.story(), book.parrot()):
        assert "n/a" not in live_text(records, width)
    assert "n/a" not in live_text(book.training(), sample=DeviceSample(None, 6 * GIB))


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


def test_a_terminal_that_becomes_narrower_is_cleared_once_and_else_never() -> None:
    out = console(120, 50, terminal=True)
    state = replay(book.training())
    with LiveView(out, lambda: 0.0, lambda: state, lambda: SAMPLE) as view:
        for width in (120, 140, 140, 60, 60):
            out.width = width
            view._live.refresh()
    before, *after = text_of(out).split("\x1b[2J\x1b[H")
    assert len(after) == 1, "cleared once, at 60 columns"
    assert max(map(len, plain(before))) > 60 >= max(map(len, plain(after[0])))


def plain(text: str) -> list[str]:
    return Text.from_ansi(text).plain.splitlines()


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
