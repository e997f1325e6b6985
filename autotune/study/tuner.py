"""The run: train, score, escalate, until the target is met or nothing is left to try.

`study.next_action.next_action` decides; this module does it and records the result.
Killed at any point and started again, it resumes from the record.
"""

from collections.abc import Mapping

from autotune.base.format import percent, quoted
from autotune.data.survey import Survey
from autotune.device.nvml_port import NvmlPort
from autotune.fit.expected import estimated, expected_seconds
from autotune.protocol import events
from autotune.protocol.plan import TrainPlan
from autotune.protocol.results import Fit
from autotune.protocol.space import Value
from autotune.run.session import Session
from autotune.run.setup import Setup
from autotune.run.trial_state import TrialState
from autotune.run.trial_summary import summaries
from autotune.score.scorer import Scorer
from autotune.study.average import average
from autotune.study.baselines import score_baselines
from autotune.study.best import keep_best
from autotune.study.checkpoint import evaluate_checkpoint
from autotune.study.chooser import Chooser
from autotune.study.cleanup import plan_disk, reconcile_checkpoints, remove_unneeded
from autotune.study.damage import set_aside
from autotune.study.importances import importances
from autotune.study.in_full import score_in_full
from autotune.study.lost_best import TrainAgain, demand_best, instead_of
from autotune.study.model_card import write_card
from autotune.study.next_action import (
    Average,
    EndTrial,
    Escalate,
    Evaluate,
    NextAction,
    Train,
    next_action,
)
from autotune.study.next_trial import Begin, Stop, Wait
from autotune.study.optuna_file import StudyFile
from autotune.study.optuna_study import whole_space
from autotune.study.run_plan import plan_run
from autotune.study.selection_bias import corrected_best
from autotune.study.spot_check import check_best, check_untrained
from autotune.train.peak_check import watch_other_processes
from autotune.train.watch import TrainingWatch, gauge_for
from autotune.train.worker_loop import WorkerLoop


class Tuner:
    """One study: its inputs and the loop over its actions."""

    def __init__(
        self,
        session: Session,
        setup: Setup,
        survey: Survey,
        fit: Fit,
        scorer: Scorer,
        target: float,
        nvml: NvmlPort | None = None,
        *,
        final_eval: bool = False,
    ) -> None:
        """`nvml` is asked who else uses the card; None is this machine's driver.

        With `final_eval` the best is scored on all prompts of the source before the end.
        """
        self.final_eval = final_eval
        self.session = session
        self.setup = setup
        self.survey = survey
        self.fit = fit
        self.scorer = scorer
        self.target = target
        # Made here, right after what fits was found, so that it knows the card as the probe did.
        other_processes = watch_other_processes(setup.device, nvml)
        watch = TrainingWatch(session, setup.profile, gauge_for(setup.device, nvml))
        self.training = WorkerLoop(session, setup, survey, fit, other_processes, watch)
        self.chooser = Chooser(
            *(setup, survey, fit, target),
            lambda state, plan: expected_seconds(state, setup, fit, survey, plan),
        )
        self.study_file = StudyFile(session.rundir.study_db, setup.profile)

    def run(self) -> bool:
        """Act until the study stops; returns whether the target is met.

        Raises:
            EnvironmentFault: the disk has no room for what the run will write, or fills up.
        """
        self.prepare()
        while True:
            action = self.what_next()
            match action:
                case Train():
                    self.train(action)
                case TrainAgain(trial=lost):
                    self.begin(lost.plan, lost.point, repeats=lost.number)
                case Evaluate() if set_aside(self.session, action):
                    pass
                case Evaluate():
                    self.session.emit(
                        evaluate_checkpoint(
                            self.session, self.setup, self.scorer, action, self.target
                        )
                    )
                    self.store_study()
                case Average():
                    average(self.session, self.setup, action)
                case EndTrial():
                    self.end_trial(action.trial, action.trial.failure)
                case Escalate():
                    self.session.emit(events.Escalated.from_parts(action))
                case Wait():
                    self.wait(action)
                case Stop() if keep_best(self.session):
                    pass  # with another best there may be something to do
                case Stop():
                    demand_best(self.session.state, self.session.rundir)
                    self.emit_corrected_best()
                    self.emit_importances()
                    check_best(self.session, self.setup)
                    if self.final_eval:
                        score_in_full(self.session, self.setup, self.scorer)
                    self.conclude()
                    self.session.emit(events.RunEnded(met=action.met, reason=action.reason))
                    write_card(self.session)
                    return action.met

    def prepare(self) -> None:
        """What comes before the first trial, and what an earlier process left to do."""
        self.store_study()
        reconcile_checkpoints(self.session)
        if not isinstance(self.what_next(), Stop):
            trials = plan_run(self.chooser, self.session.state).trial_count
            plan_disk(self.session, self.setup, self.chooser.strategies, trials)
        score_baselines(self.session, self.setup, self.scorer)
        check_untrained(self.session, self.setup)
        self.warn_of_old_stops()

    def wait(self, action: Wait) -> None:
        """What to do until others have ended their trials: a run by itself has no others."""
        raise AssertionError(f"a run by itself waits for nobody: {action.reason}")

    def conclude(self) -> None:
        """What is recorded right before the end."""

    def what_next(self) -> NextAction | TrainAgain:
        """What the record asks for."""
        state, chooser = self.session.state, self.chooser
        limits, expected = chooser.limits(state), chooser.expected(state)
        return instead_of(next_action(state, chooser.stages, limits, expected), state)

    def warn_of_old_stops(self) -> None:
        """Say which checkpoints of trials that are over were stopped by a higher target."""
        over = (trial for trial in self.session.state.trials if trial.ended is not None)
        for trial in over:
            for e in trial.evaluations.values():
                if not e.partial or not e.partial.was_stopped_above(self.target):
                    continue
                gone = e.checkpoint.name in trial.removed
                remedy = (
                    "its weights are gone, a new run trains them again"
                    if gone
                    else f"smolsft-autotune eval {self.named(trial, e)} scores it in full"
                )
                self.session.emit(
                    events.Warned(
                        message=f"trial {trial.number} {e.checkpoint.name}: stopped when the target"
                        f" was higher, and might meet {percent(self.target)}; {remedy}"
                    )
                )

    def named(self, trial: TrialState, scored: events.Evaluated) -> str:
        """A checkpoint's folder, as it is typed into a shell."""
        return quoted(str(self.session.rundir.checkpoint(trial.number, scored.checkpoint)))

    def train(self, action: Train) -> None:
        """Start a trial, or go on with the unfinished one, to its last step or its failure."""
        trial = action.resume or self.start_trial(action)
        failure = self.training.run_to_end(trial.plan, trial.number)
        if failure is not None:
            self.session.emit(events.TrainingFailed(number=trial.number, reason=failure))

    def start_trial(self, action: Train) -> TrialState:
        """Choose the trial's numbers and record its plan."""
        state = self.session.state
        begin = Begin(action.strategy, action.first)
        chosen = self.chooser.choose(summaries(state), begin, state)
        return self.begin(chosen.plan, chosen.point)

    def begin(
        self,
        plan: TrainPlan,
        point: Mapping[str, Value],
        repeats: int | None = None,
        optuna_number: int | None = None,
    ) -> TrialState:
        """Record that a trial of this plan begins; by itself its number is Optuna's too."""
        number = len(self.session.state.trials)
        self.session.emit(
            events.TrialStarted(
                number=number,
                optuna_number=number if optuna_number is None else optuna_number,
                plan=plan,
                point=dict(point),
                repeats=repeats,
                expected=estimated(self.session.state, self.setup, self.fit, self.survey, plan),
            )
        )
        self.store_study()
        return self.session.state.trials[-1]

    def store_study(self) -> None:
        """Bring `study.db` in line with the record, and say where it was not the record's."""
        warning = self.study_file.store(self.session.state)
        if warning is not None:
            self.session.emit(events.Warned(message=warning))

    def end_trial(self, trial: TrialState, failure: str | None) -> None:
        """Record the end, then copy it to the study's database; the record is the truth."""
        best = trial.best.score.accuracy if trial.best and trial.best.score else None
        self.session.emit(events.TrialEnded(number=trial.number, best=best, failure=failure))
        self.store_study()
        self.emit_corrected_best()
        if trial.best is not None and trial.best is self.session.state.best:
            keep_best(self.session)
        remove_unneeded(self.session, trial)

    def emit_importances(self) -> None:
        """Record which values made the difference, as soon as the trials can tell."""
        trials, known = summaries(self.session.state), self.session.state.importances
        if known is not None and known.trials == len(trials):
            return
        shares = importances(trials, whole_space(self.setup.profile, trials))
        if shares:
            self.session.emit(events.ImportancesFound(shares=shares, trials=len(trials)))

    def emit_corrected_best(self) -> None:
        """Record what the best is worth without its selection bias, unless it is known."""
        if self.session.state.corrected is None:
            chosen = corrected_best(self.session, self.setup.profile.prompts.seed)
            if chosen is not None:
                self.session.emit(chosen)
