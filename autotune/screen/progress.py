"""What runs right now and how long it will take, read off the state. Times are estimates."""

from dataclasses import dataclass

from autotune.base.format import about, at_most, duration
from autotune.fit.expected import strategy_seconds
from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.protocol.held_out import HELD_OUT_PHASE
from autotune.protocol.result_text import checkpoint_text
from autotune.run.state import StudyState
from autotune.run.trial_state import TrialState

RECENT_STEPS = 20
"""Speed is taken over this many last steps: smooth, yet it follows a card that heats up."""


@dataclass(frozen=True, slots=True)
class Job:
    """The work in progress: `done` of `total` units (total 0: not known), and its numbers."""

    title: str
    unit: str
    done: int
    total: int
    details: tuple[str, ...]
    eta_seconds: float | None

    @property
    def line(self) -> str:
        """The job in one line."""
        count = f"{self.unit} {self.done}/{self.total}" if self.total else ""
        eta = f"ETA {duration(self.eta_seconds)}" if self.eta_seconds is not None else ""
        return ", ".join(part for part in (f"{self.title}: {count}", *self.details, eta) if part)


class Pace:
    """How fast answers come, by the times of their records; a resumed job starts afresh."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        self._first: tuple[float, int] | None = None
        self._last: tuple[float, int] | None = None

    def on_record(self, record: Record) -> None:
        """Take in one record."""
        event = record.event
        if isinstance(event, events.Answered):
            now = (record.time, event.done)
            self._first = self._first or now
            self._last = now
        elif not isinstance(event, events.Phase | events.Warned):
            self._first = self._last = None

    def eta_seconds(self, total: int) -> float | None:
        """Seconds until `total` answers are there; None before two reports have come."""
        if self._first is None or self._last is None or self._last[1] <= self._first[1]:
            return None
        per_answer = (self._last[0] - self._first[0]) / (self._last[1] - self._first[1])
        return per_answer * max(0, total - self._last[1])


def current_job(state: StudyState, pace: Pace) -> Job | None:
    """The work in progress, None before the run begins and after it ends."""
    if state.ended is None and state.in_practice is not None:
        return _practising(state, state.in_practice, pace)
    if state.ended is not None or (state.run is None and not state.probe_trials):
        return None
    if state.fit is not None and state.run is not None and not state.run.target:
        return None  # a probe, and it has its answer
    trial = state.current
    if trial is None:
        return _before_training(state, pace)
    name = f"trial {trial.number} ({trial.plan.strategy})"
    if trial.is_training:
        return _training(trial, f"training {name}", state.phase)
    if trial.unscored:
        at = checkpoint_text(trial.unscored[0])
        return _answering(state, pace, f"scoring {name}, {at}")
    if trial.checkpoints_to_average:
        return Job(f"averaging checkpoints of {name}", "", 0, 0, (), None)
    best = state.best
    if best is not None and best.partial and best.number == trial.number:
        at = checkpoint_text(best.checkpoint)
        return _answering(state, pace, f"answering the best so far to its end, {name}, {at}")
    return Job(f"closing {name}", "", 0, 0, (), None)


def _before_training(state: StudyState, pace: Pace) -> Job:
    if state.scores_in_full:
        model = "the best checkpoint" if state.best_in_full is None else "the untrained model"
        return _answering(state, pace, f"answering all prompts with {model}")
    if state.fit is None and state.probe_trials:
        tried = len(state.probe_trials)
        return Job(f"probing what fits: {tried} tried", "", 0, 0, _phase(state), None)
    if state.fit is not None and "untrained" not in state.baselines:
        return _answering(state, pace, "answering the prompts with the untrained model")
    if state.answered is not None:
        return _answering(state, pace, "answering the spot check, which decides nothing")
    return Job("getting ready", "", 0, 0, _phase(state), None)


def _phase(state: StudyState) -> tuple[str, ...]:
    return (state.phase,) if state.phase else ()


def _training(trial: TrialState, title: str, phase: str) -> Job:
    last = trial.last_step
    held_out = _held_out(trial, phase)
    if last is None:
        return Job(title, "step", 0, trial.plan.total_steps, held_out, None)
    recent = trial.steps.recent(RECENT_STEPS)
    seconds = sum(trial.telemetry.awake_seconds(s) for s in recent)
    details = [*last.figures, *held_out]
    if seconds > 0:
        details.append(f"{sum(s.tokens for s in recent) / seconds:.0f} tokens/s")
    eta = (last.total_steps - last.step) * seconds / len(recent)
    return Job(title, "step", last.step, last.total_steps, tuple(details), eta)


def _held_out(trial: TrialState, phase: str) -> tuple[str, ...]:
    """The newest loss on held-out conversations, or that it is being measured."""
    if phase == HELD_OUT_PHASE:
        return ("measuring the held-out loss",)
    newest = trial.held_out[max(trial.held_out)] if trial.held_out else None
    if newest is None or newest.loss is None:
        return ()
    return (f"held-out loss {newest.loss:.3f}",)


def _answering(state: StudyState, pace: Pace, title: str) -> Job:
    answered = state.answered
    if answered is None:
        total = state.run.prompt_count if state.run else 0
        return Job(title, "answer", 0, total, _phase(state), None)
    eta = pace.eta_seconds(answered.total)
    return Job(title, "answer", answered.done, answered.total, (), eta)


def _practising(state: StudyState, practice: events.PracticeStarted, pace: Pace) -> Job:
    """Answering the prompts of practice; after the last answer, what is made of them."""
    answered = state.answered
    if answered is None:
        count = (practice.answered, practice.answers)
        return Job("practice: getting ready", "answer", *count, _phase(state), None)
    if answered.done >= answered.total:
        return Job("practice", "", 0, 0, _phase(state), None)
    speed = answered.new_tokens / answered.seconds if answered.seconds else 0.0
    details = (f"{speed:.0f} tokens/s",) if speed else ()
    eta = pace.eta_seconds(answered.total)
    return Job("practice: answering", "answer", answered.done, answered.total, details, eta)


def whole_run(state: StudyState, job: Job | None, now: float) -> str | None:
    """About how long the run takes from here; None where that is unknown.

    Before the untrained model has answered it is what it takes at most.
    """
    if state.run is None or state.fit is None or state.ended is not None:
        return None
    names = [n for n in state.run.strategies if (s := state.fit.strategies.get(n)) and s.planned]
    current = state.strategy if state.strategy is not None else next(iter(names), None)
    if current not in names:
        return None
    left = names[names.index(current) :]
    times = [strategy_seconds(state, state.fit.strategies[n]) for n in left]
    trial = state.current
    spent = max(0.0, now - trial.started - trial.telemetry.slept_seconds) if trial else 0.0
    own = max(times[0].seconds - spent, (job.eta_seconds if job else None) or 0.0)
    span = at_most if times[0].at_most else about
    whole = own + sum(time.seconds for time in times[1:])
    then = ", then a search" if state.run.searches else ""
    if not state.run.stop_at_target:
        return f"whole run: {span(whole)} for all up to {names[-1]}{then}"
    text = f"whole run: {span(own)} if {current} is enough"
    if len(times) > 1:
        text += f", {span(whole)} if all up to {names[-1]} are tried"
    return text + then
