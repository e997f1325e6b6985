"""The live screen: redrawn twice a second from the state, as tall as the terminal allows."""

from collections.abc import Callable, Hashable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.segment import Segments
from rich.text import Text

from autotune.protocol.events import Record
from autotune.run.state import StudyState
from autotune.screen import notes
from autotune.screen.device_sample import DeviceSample
from autotune.screen.frame import Drawing, Drawn, Part, Screen
from autotune.screen.header import device, header
from autotune.screen.job import current_job
from autotune.screen.job_panel import job_panel
from autotune.screen.layout import Section
from autotune.screen.plain import PlainView
from autotune.screen.probe_table import probe_table
from autotune.screen.redrawing import can_redraw
from autotune.screen.score_bar import score_bar
from autotune.screen.study_table import study_section
from autotune.screen.time_left import Pace, whole_run
from autotune.screen.view import View
from autotune.text.explanations import fit_explanations, meanings

REFRESH_PER_SECOND = 2
SAMPLE_SECONDS = 1.0
"""The device is asked once a second: a driver call costs more than a redraw."""
RECENT_EVENTS = (6, 3, 1)
"""So many in a frame, on terminals from tall to low."""

DATA_NOTES = 4
"""What was found in the data, on a tall screen; all of it stands in the report."""

TURN_SECONDS = 10.0
"""How long one explanation is shown where there is no room for all of them."""


def draw(
    state: StudyState,
    sample: DeviceSample,
    pace: Pace,
    now: float,
    drawn: Drawn | None = None,
    *,
    running: bool = True,
) -> Screen:
    """The whole screen of a state; what has not changed since it was `drawn` is not drawn again.

    Where nobody is `running` it, what would be worked at is only said to be interrupted.
    Text is taken from the state in the drawings, so who draws must expect that it grows meanwhile.
    """
    job = current_job(state, pace, now)
    whole = whole_run(state, job.left if job else None, now)
    advice, top = notes.newest_advice(state), header(state, now)
    news, turn = news_key(state), int(now // TURN_SECONDS)

    def work() -> RenderableType | None:
        return job_panel(job, whole, advice) if running or job is None else notes.interrupted(job)

    def part(name: str, rank: int, key: Hashable, *drawings: Drawing) -> Part:
        return Part(name, rank, key, drawings)

    parts = [
        part("gain", 1, news, lambda: notes.no_gain(state)),
        part("header", 1, top.plain, lambda: top),
        part("device", 3, (sample, news), lambda: device(state, sample)),
        part("job", 0, (running, job, whole, advice), work),
        part("table", 2, news, *_table(state)),
        part("bar", 3, news, lambda: score_bar(state)),
        part("data", 7, news, *(partial(notes.data_notes, state, n) for n in (DATA_NOTES, 1))),
        part("events", 6, news, *(partial(notes.recent_events, state, n) for n in RECENT_EVENTS)),
        Part("last event", 4, news, (partial(notes.last_event, state),), unless="events"),
        part("why", 8, news, *(partial(_why, state, own_only=own) for own in (False, True))),
        Part("in turn", 5, (news, turn), _why_in_turn(state, turn), unless="why"),
    ]
    return Screen(parts, drawn or Drawn())


def news_key(state: StudyState) -> Hashable:
    """Changes with every record but steps, phases and counts of answers, which no table shows."""
    return state.news, state.current.is_training if state.current else None


def _explanations(state: StudyState, *, own_only: bool) -> tuple[str, ...]:
    said = meanings(state) if state.baselines else ()
    return *fit_explanations(state, own_only=own_only), *said


def _why(state: StudyState, *, own_only: bool) -> RenderableType | None:
    return notes.dim_lines(_explanations(state, own_only=own_only))


def _why_in_turn(state: StudyState, turn: int) -> tuple[Drawing, ...]:
    def drawn(steady: bool) -> RenderableType | None:
        said = _explanations(state, own_only=True)
        return notes.InTurn(said, turn, steady) if said else None

    return partial(drawn, True), partial(drawn, False)


def _table(state: StudyState) -> tuple[Drawing, ...]:
    """While probing its trials; then every training with all its scores, its best, the newest."""
    if state.fit is None and state.probe_trials:
        tried = list(state.probe_trials)
        return tuple(
            partial(lambda few: Section("probe", probe_table(few)), tried[-n:])
            for n in (len(tried), 6, 2)
        )
    if state.run is None or not state.run.target:
        return ()
    trials = list(state.trials)
    return (
        partial(study_section, state, trials),
        partial(study_section, state, trials, best_only=True),
        partial(study_section, state, trials[-3:], best_only=True),
        partial(study_section, state, trials[-1:], best_only=True, baselines=False),
    )


class LiveView:
    """A screen that is redrawn while the context is open; the last frame stays."""

    def __init__(
        self,
        console: Console,
        clock: Callable[[], float],
        get_state: Callable[[], StudyState],
        sample_device: Callable[[], DeviceSample],
        is_running: Callable[[], bool] = lambda: True,
    ) -> None:
        """`clock` gives seconds since the epoch, as records do; see `draw`."""
        self._console = console
        self._clock = clock
        self._get_state = get_state
        self._sample_device = sample_device
        self._is_running = is_running
        self._pace = Pace()
        self._drawn = Drawn()
        self._sample: tuple[float, DeviceSample] | None = None
        self._frame: RenderableType = Text("")
        self._columns = 0
        self._live = Live(
            console=console,
            get_renderable=self._next_frame,
            refresh_per_second=REFRESH_PER_SECOND,
            screen=False,
        )

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._live.start(refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Draw the last frame and give the cursor back."""
        self._live.stop()

    def on_record(self, record: Record) -> None:
        """Learn the pace of answers; all else is pulled from the state."""
        self._pace.on_record(record)

    def _next_frame(self) -> RenderableType:
        self._clear_if_narrower()
        now = self._clock()
        if self._sample is None or not 0 <= now - self._sample[0] < SAMPLE_SECONDS:
            self._sample = (now, self._sample_device())
        # The state may grow while this thread reads it ("changed size during iteration"): the
        # frame before is half a second old and whole.
        with suppress(RuntimeError):
            self._frame = self._whole(self._screen(self._sample[1], now))
        return self._frame

    def _clear_if_narrower(self) -> None:
        """A terminal that became narrower has broken the lines of the last frame into more of them.

        How many is its own affair, so going up by the lines that were drawn would leave some.
        """
        columns = self._console.width
        if columns < self._columns:
            self._console.clear()
        self._columns = columns

    def _screen(self, sample: DeviceSample, now: float) -> Screen:
        state, running = self._get_state(), self._is_running()
        return draw(state, sample, self._pace, now, self._drawn, running=running)

    def _whole(self, screen: Screen) -> RenderableType:
        """The screen with all its lines made now, so that nothing is read from the state later."""
        return Segments([*screen.segments(self._console, self._console.options)])


def make_view(
    console: Console,
    clock: Callable[[], float],
    get_state: Callable[[], StudyState],
    sample_device: Callable[[], DeviceSample],
    is_running: Callable[[], bool] = lambda: True,
) -> View:
    """The live screen on a terminal that can be redrawn, plain lines everywhere else."""
    if can_redraw(console):
        return LiveView(console, clock, get_state, sample_device, is_running)
    return PlainView(console, clock, get_state)
