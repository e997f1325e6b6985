"""The run at a shared study: as a run by itself, but that the study decides between trials."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from autotune.data.survey import Survey
from autotune.device.nvml_port import NvmlPort
from autotune.fit.resolve import fits_as_requested, usable_strategies
from autotune.protocol import events
from autotune.protocol.plan import Strategy
from autotune.protocol.results import Fit
from autotune.run.session import Session
from autotune.run.setup import Setup
from autotune.run.trial_state import TrialState
from autotune.run.trial_summary import TrialSummary
from autotune.score.scorer import Scorer
from autotune.study.baselines import score_baselines
from autotune.study.cleanup import plan_disk, reconcile_checkpoints
from autotune.study.lost_best import TrainAgain
from autotune.study.next_action import NextAction, Train, between_trials, within_trial
from autotune.study.next_trial import Begin, NextTrial, Stop, Wait, next_trial
from autotune.study.optuna_study import distribution, whole_space
from autotune.study.shared.carried import Worker, shared_summary
from autotune.study.shared.settings import SharedStages
from autotune.study.shared.shared_study import Point, SharedStudy
from autotune.study.shared.shared_trials import SharedTrials
from autotune.study.shared.total import study_total
from autotune.study.tuner import Tuner

POLL_SECONDS = 10.0
"""How often a worker without a trial asks again: little beside a trial, and little for a server."""


CARRIED = ("model_max_length", "lr_scheduler_type")
"""What a trial's point does not say of it and its stage alone neither, so the trial carries it."""


def stages_of(setup: Setup, survey: Survey, fit: Fit) -> SharedStages:
    """What is tried on every card: what fits the coordinator's."""
    strategies = usable_strategies(setup.profile.tried, fit, survey)
    return SharedStages(strategies=strategies, longest=fit.model_max_length)


class SharedTuner(Tuner):
    """One worker of a shared study; the one that `coordinates` also scores the baselines."""

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
        study: SharedStudy,
        worker: Worker,
        stages: SharedStages,
        overlap: bool = False,
        coordinates: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`stages` are the coordinator's; `sleep` takes seconds."""
        super().__init__(session, setup, survey, fit, scorer, target, nvml)
        self.chooser.strategies, self.longest = stages.strategies, stages.longest
        self.study, self.overlap, self.coordinates, self.sleep = study, overlap, coordinates, sleep
        seed = setup.profile.prompts.seed
        self.trials = SharedTrials(session, study, worker, setup.prompts, seed)
        self.known: Sequence[TrialSummary] = ()
        self.found: NextTrial = Wait("nothing was asked yet")
        self.waited_for = ""

    def prepare(self) -> None:
        """Baselines are the coordinator's; what this worker was at is taken up."""
        reconcile_checkpoints(self.session)
        if not isinstance(self._next_of(self.study.trials()), Stop):
            plan_disk(self.session, self.setup, self.chooser.strategies)
        if self.coordinates:
            score_baselines(self.session, self.setup, self.scorer)
        lost = self.trials.take_up()
        current = self.session.state.current
        if lost is not None and current is not None:
            self.session.emit(events.Warned(message=f"trial {current.number}: {lost}"))
            self.end_trial(current, lost)

    def run(self) -> bool:
        """As by itself; whatever ends it, its trial counts as left from then on."""
        try:
            return super().run()
        finally:
            self.trials.rest()

    def what_next(self) -> NextAction | TrainAgain:
        """Within a trial the record decides, between trials the study does."""
        state = self.session.state
        if state.current is not None:
            return within_trial(state.current, self.target)
        trial = self.trials.ask(self._decide, self._accepts)
        if trial is None:
            return between_trials(
                state, self.known, self.found, self.chooser.stages, self.chooser.limits(state)
            )
        stage = trial.user_attrs["strategy"]
        first = not any(t.plan.strategy == stage for t in state.trials)
        if not self._is_later(stage):
            return Train(stage, first=first)
        begin = Begin(stage, first)
        return between_trials(
            state, self.known, begin, self.chooser.stages, self.chooser.limits(state)
        )

    def start_trial(self, action: Train) -> TrialState:
        """Record the trial that the study gave, with what its point comes to on this card."""
        trial = self.trials.asked
        assert trial is not None
        chosen = self.chooser.at(self._strategy_of(trial), trial.user_attrs["seed"])
        begun = self.begin(chosen.plan, chosen.point, optuna_number=trial.number)
        self.trials.begun(begun)
        return begun

    def store_study(self) -> None:
        """Say in the study what came of the newest trial."""
        if self.session.state.trials:
            self.trials.publish(self.session.state.trials[-1])

    def wait(self, action: Wait) -> None:
        """Look again a little later; why it waits is said once."""
        sentence = f"waiting: {action.reason}"
        if sentence != self.waited_for:
            self.session.emit(events.Notice(about="waiting", sentence=sentence))
            self.waited_for = sentence
        self.session.emit(events.Phase(name=sentence))
        self.sleep(min(POLL_SECONDS, self.study.storage.heartbeat_interval))

    def conclude(self) -> None:
        """Record what all hosts found, before the end of the run."""
        trials = self.study.trials()
        self.session.emit(study_total(self.study.name, trials, self.trials.order, self.setup))

    def _decide(self, trials: Sequence[Any]) -> Point | None:
        self.known = [shared_summary(trial) for trial in trials]
        self.found = self._next_of(trials)
        if not isinstance(self.found, Begin):
            return None
        chosen = self.chooser.choose(self.known, self.found, self.session.state)
        wanted = self._same_everywhere(chosen.strategy)
        if not fits_as_requested(wanted, self.fit, self.survey):
            self.found = Wait(
                f"a trial of {chosen.stage} needs more than the {self.fit.model_max_length} tokens"
                " that fit here; a larger card takes it"
            )
            return None
        space = whole_space(self.setup.profile, self.known)
        return Point(
            values={key: chosen.point[key] for key in space},
            ranges={key: distribution(key, ends) for key, ends in space.items()},
            attributes={
                "strategy": chosen.stage,
                "plan": chosen.plan.identity,
                "seed": chosen.plan.seed,
                **{name: getattr(wanted, name) for name in CARRIED},
            },
        )

    def _next_of(self, trials: Sequence[Any]) -> NextTrial:
        """What comes after these trials of all workers."""
        state, chooser = self.session.state, self.chooser
        return next_trial(
            [shared_summary(trial) for trial in trials],
            chooser.stages,
            chooser.limits(state),
            chooser.expected(state),
            overlap=self.overlap,
        )

    def _accepts(self, trial: Any) -> bool:
        """Whether a trial that waits fits this card, and is still worth its time."""
        over = isinstance(self._next_of(self.study.trials()), Stop)
        return not over and fits_as_requested(self._strategy_of(trial), self.fit, self.survey)

    def _strategy_of(self, trial: Any) -> Strategy:
        """One of the study's trials as a strategy, whoever chose it."""
        carried = trial.user_attrs
        strategy = self.chooser.strategy_at(carried["strategy"], trial.params)
        return strategy.model_copy(update={name: carried[name] for name in CARRIED})

    def _same_everywhere(self, strategy: Strategy) -> Strategy:
        """A strategy at the length that it has on every card."""
        wanted = strategy.model_max_length
        length = self.longest if wanted == "fits" else min(wanted, self.longest)
        return strategy.model_copy(update={"model_max_length": length})

    def _is_later(self, stage: str) -> bool:
        """Whether a stage comes after the one that this run was at: only then it escalates."""
        names = [each.name for each in self.chooser.stages]
        before = self.session.state.strategy
        return before in names and names.index(stage) > names.index(before)
