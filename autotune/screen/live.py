"""The live screen: redrawn four times a second from the state, as tall as the terminal allows."""

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.text import Text

from autotune.protocol.events import Record
from autotune.run.state import StudyState
from autotune.screen import panels
from autotune.screen.device_sample import DeviceSample
from autotune.screen.encodable import Encodable
from autotune.screen.plain import PlainView
from autotune.screen.progress import Pace, current_job, whole_run
from autotune.screen.view import View
from autotune.text.gain import NOT_BETTER, is_no_better

REFRESH_PER_SECOND = 4
SAMPLE_SECONDS = 1.0
"""The device is asked once a second: a driver call costs more than a redraw."""
RECENT_EVENTS = 6
DATA_NOTES = 4
"""What was found in the data, on a tall screen; all of it stands in the report."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the screen, in drawings from tall to low; low `rank` gets its lines first."""

    rank: int
    drawings: tuple[RenderableType, ...]


@dataclass(frozen=True, slots=True)
class Screen:
    """The parts from top to bottom, less those for which the terminal is too low."""

    parts: tuple[Part, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw as many parts as there are lines for, the important ones first."""
        free = options.size.height - 1
        options = options.update(height=None)
        kept: dict[int, RenderableType] = {}
        for index in sorted(range(len(self.parts)), key=lambda i: self.parts[i].rank):
            for drawing in self.parts[index].drawings:
                lines = len(console.render_lines(drawing, options, pad=False))
                if lines <= free or not kept:
                    kept[index] = drawing
                    free -= lines
                    break
        for index in sorted(kept):
            yield kept[index]


def draw(state: StudyState, sample: DeviceSample, pace: Pace, now: float) -> Screen:
    """The whole screen of a state. All text is taken from the state here, none while rendering."""
    job = current_job(state, pace)
    probing = state.fit is None and state.probe_trials
    parts = [
        Part(1, _present(no_gain(state))),
        Part(1, (panels.header(state, now),)),
        Part(3, (panels.device(state, sample),)),
        Part(0, _present(panels.job_panel(job, whole_run(state, job, now), newest_advice(state)))),
        Part(5, _present(panels.fit_line(state))),
        Part(2, _probe(state) if probing else _study(state)),
        Part(6, _present(*(panels.data_notes(state, n) for n in (DATA_NOTES, 1)))),
        Part(4, _present(*(panels.recent_events(state, n) for n in (RECENT_EVENTS, 3, 1)))),
    ]
    return Screen(tuple(parts))


def no_gain(state: StudyState) -> Text | None:
    """At the end, and before all else: that the best is no better than the untrained model."""
    if state.ended is None or not is_no_better(state):
        return None
    return Text(f"the best checkpoint is {NOT_BETTER}", style="bold red")


def newest_advice(state: StudyState) -> str | None:
    """The last advice on the trial in progress, which stays in sight when events move on."""
    given = state.current.telemetry.advice if state.current else []
    return given[-1].message if given else None


def _present(*drawings: RenderableType | None) -> tuple[RenderableType, ...]:
    return tuple(d for d in drawings if d is not None)


def _probe(state: StudyState) -> tuple[RenderableType, ...]:
    tried = list(state.probe_trials)
    tables = (panels.probe_table(tried[-n:]) for n in (len(tried), 6, 2))
    return tuple(panels.Section("probe", table) for table in tables)


def _study(state: StudyState) -> tuple[RenderableType, ...]:
    """Every trial with all its scores; else with its best one; else the newest few trials."""
    if state.run is None or not state.run.target:
        return ()
    trials, baselines = list(state.trials), panels.baseline_rows(state)
    return (
        panels.study_table(trials, baselines),
        panels.study_table(trials, baselines, best_only=True),
        panels.study_table(trials[-3:], baselines, best_only=True),
        panels.study_table(trials[-1:], None, best_only=True),
    )


class LiveView:
    """A screen that is redrawn while the context is open; the last frame stays."""

    def __init__(
        self,
        console: Console,
        clock: Callable[[], float],
        get_state: Callable[[], StudyState],
        sample_device: Callable[[], DeviceSample],
    ) -> None:
        """`clock` gives seconds since the epoch, as records do."""
        self._clock = clock
        self._get_state = get_state
        self._sample_device = sample_device
        self._pace = Pace()
        self._sample: tuple[float, DeviceSample] | None = None
        self._frame: RenderableType = Text("")
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
        now = self._clock()
        if self._sample is None or not 0 <= now - self._sample[0] < SAMPLE_SECONDS:
            self._sample = (now, self._sample_device())
        try:
            screen = draw(self._get_state(), self._sample[1], self._pace, now)
            self._frame = Encodable(screen)
        except RuntimeError:
            # The state grew while this thread read it ("changed size during iteration"): the
            # frame before is a quarter of a second old and whole.
            pass
        return self._frame


def make_view(
    console: Console,
    clock: Callable[[], float],
    get_state: Callable[[], StudyState],
    sample_device: Callable[[], DeviceSample],
) -> View:
    """The live screen on a terminal that can be redrawn, plain lines everywhere else."""
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveView(console, clock, get_state, sample_device)
    return PlainView(console, clock, get_state)
