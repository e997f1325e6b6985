"""The study as a fold of its records, in order. Nothing here runs or writes."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter

from autotune.protocol import events
from autotune.protocol.events import Record, RunEvent
from autotune.protocol.results import Fit, TrialOutcome
from autotune.run.current_work import CurrentWork
from autotune.run.trial_state import TrialState

IN_FULL_EVENTS = events.BestInFull | events.BaselineInFull
"""Scores on all prompts: of the run's own end, or of an `eval` while nobody works at the run."""

TOO_FREQUENT_EVENTS = events.Phase | events.Answered | events.Ready | events.ProbeTrialStarted
"""What comes too often to be kept one by one, beside optimizer steps."""


@dataclass
class StudyState:
    """All that a run's records say. Folded from them, never stored."""

    run: events.RunStarted | None = None
    content: events.Content | None = None  # as it was when the run began
    best_kept: events.BestKept | None = None
    started: float | None = None
    now: float | None = None
    worked_seconds: float = 0.0  # between records, without pauses and the computer's sleep
    fit: Fit | None = None
    fit_note: str = ""
    probe_trials: list[TrialOutcome] = field(default_factory=list)
    survey: events.Surveyed | None = None
    own_surveys: dict[str, events.Surveyed] = field(default_factory=dict)  # by strategy
    practice_found: dict[str, events.PracticeFound] = field(default_factory=dict)  # "": in all
    mixed: dict[str, events.DataMixed] = field(default_factory=dict)  # by strategy
    baselines: dict[str, events.BaselineScored] = field(default_factory=dict)
    spot_checks: dict[str, events.SpotChecked] = field(default_factory=dict)  # by whose it is
    practice: events.PracticeStarted | None = None  # the newest
    practice_made: dict[str, events.PracticeMade] = field(default_factory=dict)  # by its folder
    trials: list[TrialState] = field(default_factory=list)
    strategy: str | None = None
    escalations: list[events.Escalated] = field(default_factory=list)
    corrected: float | None = None  # the best score without its selection bias
    in_full: events.BestInFull | None = None  # the newest, of whatever was the best then
    baselines_in_full: dict[str, events.BaselineInFull] = field(default_factory=dict)
    importances: events.ImportancesFound | None = None  # the newest
    scores_in_full: bool = False  # whether all prompts are being answered, at the end
    total: events.StudyTotal | None = None  # of the shared study that it worked at
    ended: events.RunEnded | None = None
    work: CurrentWork = field(default_factory=CurrentWork)
    recent: list[Record] = field(default_factory=list)
    news: int = 0  # records but steps, phases and counts of answers

    @property
    def phase(self) -> str:
        """What the worker is at, "" where it has not reported."""
        return self.work.phase

    @property
    def answered(self) -> events.Answered | None:
        """How many prompts are answered of what is being scored or practiced, if any."""
        return self.work.answered

    @property
    def current(self) -> TrialState | None:
        """The trial that is not over yet, if any."""
        return self.trials[-1] if self.trials and self.trials[-1].ended is None else None

    @property
    def in_practice(self) -> events.PracticeStarted | None:
        """The practice data that is being made, if any."""
        made = self.practice is None or self.practice.name in self.practice_made
        return None if made else self.practice

    @property
    def surveys(self) -> list[events.Surveyed]:
        """What was found in each data: the run's own first."""
        own = {event.path: event for event in self.own_surveys.values()}
        return [*([self.survey] if self.survey else []), *own.values()]

    def practice_of(self, strategy: str) -> events.PracticeFound | None:
        """The practice data among what a strategy trains on, None where there is none."""
        if strategy in self.practice_found or strategy in self.own_surveys:
            return self.practice_found.get(strategy)
        return self.practice_found.get("")

    @property
    def best(self) -> events.Evaluated | None:
        """The best scored checkpoint of all trials."""
        found = [trial.best for trial in self.trials]
        return max((b for b in found if b is not None), key=attrgetter("rank"), default=None)

    @property
    def best_in_full(self) -> events.BestInFull | None:
        """The score of what is the best now on all prompts of a source, where `eval` gave one."""
        best, full = self.best, self.in_full
        if best is None or full is None:
            return None
        same = (best.number, best.checkpoint.place) == (full.number, full.checkpoint.place)
        return full if same else None

    @property
    def beside_best_in_full(self) -> dict[str, events.BaselineInFull]:
        """The baselines on the very prompts of that score, by name."""
        full = self.best_in_full
        if full is None:
            return {}
        return {
            name: event
            for name, event in self.baselines_in_full.items()
            if (event.prompts, event.score.total) == (full.prompts, full.score.total)
            and (event.number, event.checkpoint.place) == (full.number, full.checkpoint.place)
        }

    @property
    def scored_checkpoints(self) -> int:
        """How many checkpoints the best was chosen among: all whose weights are not lost."""
        return sum(e.checkpoint.place not in t.lost for t in self.trials for e in t.scored)

    def is_beside_the_run(self, event: RunEvent) -> bool:
        """Whether `eval` records this, of a run that is over or interrupted: not of its time."""
        return isinstance(event, IN_FULL_EVENTS) and not self.scores_in_full

    def apply(self, record: Record) -> None:
        """Fold one record in."""
        event = record.event
        before = record.time if self.now is None else self.now
        if not self.is_beside_the_run(event):
            if not isinstance(event, events.RunStarted) and self.ended is None:
                slept = event.seconds if isinstance(event, events.Slept) else 0.0
                self.worked_seconds += max(0.0, record.time - before - slept)
            self.now = record.time
        trial = self.trials[-1] if self.trials else None
        if isinstance(event, events.StepDone):
            # Nearly all of a long record, so asked first: nothing else that is here looks at steps.
            if trial is not None:
                trial.steps.add(event)
            self.work.moved = record.time
            return
        if trial is not None:
            trial.telemetry.apply(event, trial.last_step.step if trial.last_step else 0)
            if trial.ended is None:
                trial.clock.apply(event, record.time, before)
        self.work.apply(record)
        match event:
            case events.RunStarted():
                self.run = event
                self.started = self.started if self.started is not None else record.time
                self.ended, self.scores_in_full = None, False
                if self.fit is None:
                    # A probe that was interrupted begins again.
                    self.probe_trials = []
                self._judge_again(event.target)
            case events.Content():
                self.content = self.content.with_data_of(event) if self.content else event
            case events.ProbeTried():
                self.probe_trials.append(event.outcome)
            case events.Surveyed(strategies=()):
                self.survey = event
            case events.Surveyed():
                self.own_surveys |= dict.fromkeys(event.strategies, event)
            case events.PracticeFound():
                self.practice_found |= dict.fromkeys(event.strategies or ("",), event)
            case events.DataMixed():
                self.mixed[event.strategy] = event
            case events.Fitted():
                self.fit, self.fit_note = event.fit, event.note
            case events.BaselineScored():
                self.baselines[event.name] = event
            case events.SpotChecked():
                self.spot_checks[event.of] = event
            case events.PracticeStarted():
                self.practice = event
                self.practice_made.pop(event.name, None)
            case events.PracticeMade():
                self.practice_made[event.name] = event
            case events.TrialStarted():
                if event.repeats is None:
                    self.strategy = event.plan.strategy
                numbers = (event.number, event.optuna_number)
                asked = (event.point, event.repeats)
                self.trials.append(
                    TrialState(*numbers, event.plan, record.time, *asked, expected=event.expected)
                )
            case events.CheckpointSaved() if trial and event.scored:
                trial.checkpoints[event.checkpoint.place] = event.checkpoint
            case events.Resumed() if trial:
                # Steps after the checkpoint are done again; what they reported is void.
                trial.steps.drop_after(event.step)
                changed = trial.precision_changed
                if changed is not None and changed.step > event.step:
                    trial.precision_changed = None
            case events.MicroBatchResized() if trial:
                trial.resized = event
            case events.PrecisionChanged() if trial:
                trial.precision_changed = event
            case events.Trained() if trial:
                trial.trained = event
            case events.HeldOutLoss() if trial:
                trial.held_out[event.step] = event
            case events.PeakCompared() if trial:
                trial.peak = event
            case events.Evaluated() if trial:
                trial.evaluations[event.checkpoint.place] = event
                self.corrected = None
            case events.BestInFull():
                self.in_full = event
            case events.BaselineInFull():
                self.baselines_in_full[event.name] = event
            case events.ImportancesFound():
                self.importances = event
            case events.Notice(about="in_full"):
                self.scores_in_full = True
            case events.BestCorrected():
                self.corrected = event.corrected
            case events.BestKept():
                self.best_kept = event
                self.trials[event.number].lost.discard(event.checkpoint.place)
            case events.BestLost():
                self.trials[event.number].lost.add(event.checkpoint.place)
                self.corrected = None
            case events.CheckpointDamaged():
                self.trials[event.number].lose(event)
            case events.CheckpointsRemoved():
                self.trials[event.number].removed.update(event.names)
            case events.TrainingFailed() if trial:
                trial.failure = event.reason
            case events.TrainingPruned() if trial:
                trial.pruned = event
            case events.TrialEnded() if trial:
                trial.ended = event
                trial.failure = event.failure
            case events.Escalated():
                self.strategy = event.next
                self.escalations.append(event)
            case events.StudyTotal():
                self.total = event
            case events.RunEnded():
                self.ended, self.scores_in_full = event, False
            case _:
                pass
        self.news += not isinstance(event, events.Phase | events.Answered)
        if not isinstance(event, TOO_FREQUENT_EVENTS) and getattr(event, "is_news", True):
            self.recent = [*self.recent[-19:], record]

    def _judge_again(self, target: float) -> None:
        """Hold every score against a target that may have changed since it was taken."""
        for trial in self.trials:
            trial.evaluations = {
                place: e.model_copy(update={"met": e.meets(target)})
                for place, e in trial.evaluations.items()
            }


def replay(records: Iterable[Record]) -> StudyState:
    """The state after all records, in order."""
    state = StudyState()
    for record in records:
        state.apply(record)
    return state
