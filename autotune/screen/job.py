"""What runs right now, by its name, with how far it is, its figures and its time left."""

from dataclasses import dataclass

from autotune.protocol import events
from autotune.protocol.held_out import HELD_OUT_PHASE
from autotune.protocol.result_text import checkpoint_text
from autotune.run.state import StudyState
from autotune.run.trial_state import TrialState
from autotune.screen.time_left import (
    RECENT_STEPS,
    Pace,
    TimeLeft,
    probing_left,
    scoring_left,
    training_left,
)
from autotune.text.conclusions import scorer_of
from autotune.text.events import probing_sentence

LASTING_PHASES = {
    "loading": "loading the model",
    "saving": "saving a checkpoint",
    HELD_OUT_PHASE: "measuring the held-out loss",
}
"""Phases of a training that last longer than a glance, in words."""


@dataclass(frozen=True, slots=True)
class Job:
    """The work in progress: `done` of `total` units (total 0: not known), and its figures.

    `left` is None where nothing says how long it takes. `curve` are the losses so far.
    """

    title: str
    unit: str = ""
    done: int = 0
    total: int = 0
    details: tuple[str, ...] = ()
    left: TimeLeft | None = None
    curve: tuple[float, ...] = ()

    @property
    def line(self) -> str:
        """The job in one line."""
        count = f": {self.unit} {self.done}/{self.total}" if self.total else ""
        parts = (f"{self.title}{count}", *self.details, self.left.text if self.left else "")
        return ", ".join(part for part in parts if part)


def current_job(state: StudyState, pace: Pace, now: float) -> Job | None:
    """The work in progress at `now`, None before the run begins and after it ends."""
    if state.ended is None and state.in_practice is not None:
        return _practising(state, state.in_practice, pace, now)
    if state.ended is not None or state.now is None:
        return None
    if state.run is None and not state.probe_trials:
        if state.practice is not None:
            return None
        # An evaluation by itself: of a model, of a folder.
        if state.answered is not None:
            return _scoring(state, pace, "the model", now)
        return Job("preparing the model", details=_phase(state))
    if state.fit is not None and state.run is not None and not state.run.target:
        return None  # a probe, and it has its answer
    trial = state.current
    if trial is None:
        return _between_trials(state, pace, now)
    name = f"trial {trial.number} ({trial.plan.strategy})"
    if trial.is_training:
        return _training(state, trial, name, now)
    if trial.unscored:
        of = f"{name}, {checkpoint_text(trial.unscored[0])}"
        return _scoring(state, pace, of, now)
    if trial.checkpoints_to_average:
        return Job(f"averaging checkpoints of {name}")
    best = state.best
    if best is not None and best.partial and best.number == trial.number:
        of = f"the best so far to its end, {name}, {checkpoint_text(best.checkpoint)}"
        return _scoring(state, pace, of, now)
    return Job(f"closing {name}")


def _between_trials(state: StudyState, pace: Pace, now: float) -> Job:
    if state.scores_in_full:
        model = "the best checkpoint" if state.best_in_full is None else "the untrained model"
        return _scoring(state, pace, f"{model} on all prompts", now, 0)
    if state.fit is None:
        return _probing(state, now)
    for each in scorer_of(state).baselines:
        if each.name not in state.baselines and state.work.worker is None:
            return Job(f"scoring the baseline {each.name}")
    if "untrained" not in state.baselines:
        return _scoring(state, pace, "the untrained model", now)
    if state.answered is not None or state.work.worker is not None:
        return _scoring(state, pace, "the spot check, which decides nothing", now, 0)
    return Job("choosing the next trial" if state.trials else "choosing the first trial")


def _probing(state: StudyState, now: float) -> Job:
    started = state.work.probe_trial
    if started is None:
        if not state.surveys:
            return Job("reading and tokenizing the data")
        title = "preparing the next trial" if state.probe_trials else "preparing the first trial"
        return Job(f"{title} of the probe", details=_phase(state))
    left = probing_left(state, now)
    doing = _phase(state) if state.work.worker else ("starting the worker",)
    return Job(probing_sentence(started), details=doing, left=left)


def _phase(state: StudyState) -> tuple[str, ...]:
    return (state.phase,) if state.phase else ()


def _training(state: StudyState, trial: TrialState, name: str, now: float) -> Job:
    last, work = trial.last_step, state.work
    left = training_left(state, trial, now)
    curve = tuple(step.loss for step in trial.steps)
    if work.worker is None and work.moved is None and not state.phase:
        begun = (f"step {last.step}/{last.total_steps} before",) if last else ()
        return Job(f"starting the trainer: {name}", details=begun, left=left, curve=curve)
    doing = (LASTING_PHASES[state.phase],) if state.phase in LASTING_PHASES else ()
    title, total = f"training {name}", trial.plan.total_steps
    if last is None:
        return Job(title, "step", 0, total, (*_held_out(trial), *doing), left)
    recent = trial.steps.recent(RECENT_STEPS)
    seconds = sum(trial.telemetry.awake_seconds(s) for s in recent)
    details = [*last.figures, *_held_out(trial)]
    if seconds > 0:
        details.append(f"{sum(s.tokens for s in recent) / seconds:.0f} tokens/s")
    return Job(title, "step", last.step, last.total_steps, (*details, *doing), left, curve)


def _held_out(trial: TrialState) -> tuple[str, ...]:
    """The newest loss on held-out conversations."""
    newest = trial.held_out[max(trial.held_out)] if trial.held_out else None
    if newest is None or newest.loss is None:
        return ()
    return (f"held-out loss {newest.loss:.3f}",)


def _scoring(state: StudyState, pace: Pace, of: str, now: float, prompts: int | None = None) -> Job:
    """Answering prompts and judging the answers; first of all a worker starts.

    `prompts` is how many, 0 where only the first answer says it; None: as many as the run asks.
    """
    answered = state.answered
    asked = state.run.prompt_count if state.run else 0
    total = asked if prompts is None else prompts
    count = answered.total if answered else total
    left = scoring_left(state, pace, count, now) if count else None
    if answered is None:
        if state.work.worker is None:
            return Job(f"starting the scorer: {of}", left=left)
        doing = tuple(LASTING_PHASES.get(phase, phase) for phase in _phase(state))
        return Job(f"scoring {of}", "answer", 0, total, doing, left)
    if answered.done >= answered.total:
        return Job(f"judging the answers: {of}")
    return Job(f"scoring {of}", "answer", answered.done, answered.total, (), left)


def _practising(state: StudyState, practice: events.PracticeStarted, pace: Pace, now: float) -> Job:
    """Answering the prompts of practice; after the last answer, what is made of them."""
    answered = state.answered
    if answered is None:
        count = (practice.answered, practice.answers)
        doing = _phase(state) if state.work.worker or state.phase else ("starting the worker",)
        return Job("practice: getting ready", "answer", *count, doing)
    if answered.done >= answered.total:
        return Job("practice: making chats of the answers", details=_phase(state))
    speed = answered.new_tokens / answered.seconds if answered.seconds else 0.0
    details = (f"{speed:.0f} new tokens/s",) if speed else ()
    seconds = pace.left_seconds(answered.total, now)
    left = None if seconds is None else TimeLeft(seconds)
    return Job("practice: answering", "answer", answered.done, answered.total, details, left)
