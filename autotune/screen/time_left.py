"""How long the work in progress and the whole run will still take. All times are estimates.

They count until a worker is ready, which may take longer than its work, and move between reports.
"""

from dataclasses import dataclass
from math import ceil
from statistics import median

from autotune.base.format import about, at_most, duration
from autotune.fit.expected import start_seconds, strategy_seconds
from autotune.protocol import events
from autotune.protocol.estimate import TrialEstimate
from autotune.protocol.events import Record
from autotune.run.state import StudyState
from autotune.run.trial_state import TrialState

RECENT_STEPS = 20
"""Speed is taken over this many last steps: smooth, yet it follows a card that heats up."""

EARLY_SHARE = 0.25
"""Of the answers. Those that come first are short ones: on a CPU the estimate of 541 answers rose
from 15 to 27 minutes while the first sixth of them came."""

OVERDUE_SECONDS = 5.0
"""How long after its estimated end work is still said to end any moment."""


class Pace:
    """How fast answers come, by the times of their records; a resumed job starts afresh."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        self._first: tuple[float, int] | None = None
        self._last: tuple[float, int] | None = None
        self._longest_gap = 0.0

    def on_record(self, record: Record) -> None:
        """Take in one record."""
        event = record.event
        if isinstance(event, events.Answered):
            now = (record.time, event.done)
            if self._first is None or self._last is None:
                self._first = now
                if event.before is not None and event.before < event.done:
                    self._first = (record.time - event.seconds, event.before)
                    self._longest_gap = event.seconds / (event.done - event.before)
            else:
                self._longest_gap = max(self._longest_gap, now[0] - self._last[0])
            self._last = now
        elif not isinstance(event, events.Phase | events.Warned):
            self._first = self._last = None
            self._longest_gap = 0.0

    @property
    def answer_seconds(self) -> float | None:
        """Seconds an answer, among those that are made together; None before two reports have come.

        One is enough where it says how many answers were there before.
        """
        if self._first is None or self._last is None or self._last[1] <= self._first[1]:
            return None
        return (self._last[0] - self._first[0]) / (self._last[1] - self._first[1])

    def left_seconds(self, total: int, now: float) -> float | None:
        """Seconds until `total` answers are there; None before the pace is known.

        What has passed since the last report is taken off, up to the longest time between two: who
        waits longer than that does not know any more.
        """
        per_answer = self.answer_seconds
        if self._last is None or per_answer is None:
            return None
        waited = min(max(0.0, now - self._last[0]), self._longest_gap)
        return max(0.0, per_answer * max(0, total - self._last[1]) - waited)


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """Seconds that the work in progress will still take, or what it takes `at_most` or more.

    `evaluation` is what all of an evaluation takes at the pace of the one in progress, None where
    none is or its first answers only are there.
    """

    seconds: float
    at_most: bool = False
    at_least: bool = False
    evaluation: float | None = None

    @property
    def text(self) -> str:
        """`time left 3 min 20 s`, `time left at most 3 min 20 s`."""
        if self.seconds < 1:
            return "any moment now" if self.seconds > -OVERDUE_SECONDS else "later than estimated"
        bound = "at most " if self.at_most else "at least " if self.at_least else ""
        return f"time left {bound}{duration(ceil(self.seconds))}"


def step_seconds(trial: TrialState) -> float | None:
    """Seconds of an optimizer step, of the last ones, without sleep; None before the first."""
    recent = trial.steps.recent(RECENT_STEPS)
    if not recent:
        return None
    return sum(trial.telemetry.awake_seconds(s) for s in recent) / len(recent)


def training_left(state: StudyState, trial: TrialState, now: float) -> TimeLeft | None:
    """Until the last step: steps at their speed, or what was expected before the first."""
    each, work, last = step_seconds(trial), state.work, trial.last_step
    total = trial.plan.total_steps
    if each is not None and last is not None:
        left = each * (total - last.step)
        if work.moved is not None:
            return TimeLeft(left - min(max(0.0, now - work.moved), each))
    elif trial.expected is not None:
        left = trial.expected.training
        if state.fit is not None:
            left -= start_seconds(state.fit)
    else:
        return None
    return TimeLeft(left + _start_left(state, now))


def scoring_left(state: StudyState, pace: Pace, total: int, now: float) -> TimeLeft | None:
    """Until `total` prompts are answered: at the pace of now, else as was expected.

    Expected is the start of a worker, until it is ready, and what the untrained model took for the
    same prompts, or in proportion; before it has answered, every answer as long as it is allowed.
    A start that takes longer than the probe's did puts off what comes after it.
    """
    left, work = pace.left_seconds(total, now), state.work
    if left is not None:
        done = work.answered.done if work.answered is not None else 0
        early, each = done < EARLY_SHARE * total, pace.answer_seconds
        whole = None if early or each is None else each * total
        return TimeLeft(left, at_least=early, evaluation=whole)
    untrained = state.baselines.get("untrained")
    known = untrained is not None and untrained.seconds is not None
    whole = _without_start(state, untrained.seconds) if untrained else _answering_at_most(state)
    if whole is None or work.began is None:
        return None
    if state.run is not None and state.run.prompt_count:
        whole *= total / state.run.prompt_count  # all prompts of the source, or a spot check's
    if work.worker is None:
        return TimeLeft(whole + _start_left(state, now), at_most=not known)
    share = work.answered.done / total if work.answered is not None and total else 0.0
    since = now - (work.began if work.heard is None else work.heard)
    return TimeLeft(whole * (1 - share) - max(0.0, since), at_most=not known)


def _without_start(state: StudyState, seconds: float | None) -> float | None:
    """What an evaluation took once its worker was ready."""
    start = start_seconds(state.fit) if state.fit is not None else 0.0
    return None if seconds is None else max(0.0, seconds - start)


def _answering_at_most(state: StudyState) -> float | None:
    """Seconds to answer all prompts, every answer as long as it is allowed."""
    if state.fit is None:
        return None
    found = next((s for s in state.fit.strategies.values() if s.planned and s.evaluations), None)
    if found is None or found.training_seconds is None:
        return None
    return max(0.0, (found.eta_seconds - found.training_seconds) / found.evaluations)


def probing_left(state: StudyState, now: float) -> TimeLeft | None:
    """Until the trials of this part of the probe are over, at most; None before one is."""
    trial, began = state.work.probe_trial, state.work.began
    took = [outcome.seconds for outcome in state.probe_trials]
    if trial is None or began is None or trial.most is None or not took:
        return None
    each = median(took)
    left = each * (trial.most - trial.nth + 1) - min(max(0.0, now - began), each)
    return TimeLeft(left, at_most=True)


def _start_left(state: StudyState, now: float) -> float:
    """Seconds until the worker that is awaited is ready, as long as the probe's workers took."""
    if state.fit is None or state.work.began is None:
        return 0.0
    return max(0.0, start_seconds(state.fit) - max(0.0, now - state.work.began))


def whole_run(state: StudyState, left: TimeLeft | None, now: float) -> str | None:
    """About how long the run takes from here; None where that is unknown, or nothing is trained.

    `left` is the time left of the work in progress. Before the untrained model has answered a
    good part of the prompts it is what it takes at most.
    """
    if state.run is None or state.fit is None or state.ended is not None:
        return None
    names = [n for n in state.run.strategies if (s := state.fit.strategies.get(n)) and s.planned]
    current = state.strategy if state.strategy is not None else next(iter(names), None)
    if current not in names:
        return None
    coming, trial = names[names.index(current) :], state.current
    if trial is None:  # between two, or after the last
        met = state.best is not None and state.best.met and state.run.stop_at_target
        over = {each.plan.strategy for each in state.trials}
        coming = [] if met else [name for name in coming if name not in over]
    if not coming:
        return None
    pace = left.evaluation if left is not None else None
    times = [strategy_seconds(state, state.fit.strategies[n], pace) for n in coming]
    here = max(0.0, left.seconds) if left is not None else 0.0
    own = here + (_after_this(trial, times[0]) if trial else times[0].seconds)
    span = at_most if times[0].at_most else about
    whole = own + sum(time.seconds for time in times[1:])
    then = ", then a search" if state.run.searches else ""
    if not state.run.stop_at_target:
        return f"time left of the run: {span(whole)} for all up to {names[-1]}{then}"
    text = f"time left of the run: {span(own)} if {coming[0]} is enough"
    if len(times) > 1:
        text += f", {span(whole)} if all up to {names[-1]} are tried"
    return text + then


def _after_this(trial: TrialState, expected: TrialEstimate) -> float:
    """Seconds of a trial in progress after the work of now: the checkpoints still to be scored."""
    whole = len(trial.plan.checkpoint_steps) + (trial.plan.averaged > 0)
    coming = whole - len(trial.evaluations) - (not trial.is_training)
    return max(0, coming) * expected.scoring / whole if whole else 0.0
