"""The run: train, score, escalate, until the target is met or nothing is left to try.

`study.next_move` decides; this module does what it says and records what came of it. Killed at
any point and started again, it goes on from the record.
"""

import shutil
from collections.abc import Collection
from pathlib import Path

from autotune import events
from autotune.device_port import NvmlPort
from autotune.drift import PeakWatch, exceeds, neighbour_watch
from autotune.errors import BadInput, EnvironmentFault
from autotune.evaluate.scorer import Scorer
from autotune.events import WorkerEvent
from autotune.job import TrainJob
from autotune.outcome import Fault, Fit
from autotune.plan import Strategy, TrainPlan
from autotune.resolve import resolve_plan, usable_strategies
from autotune.sampling import Sampler, objective
from autotune.scoring import (
    evaluate_checkpoint,
    out_of_memory,
    score_baselines,
    stop_on_full_disk,
)
from autotune.session import Session
from autotune.setup import SILENCE_SECONDS, Setup
from autotune.study import EndTrial, Escalate, Evaluate, Stop, Train, TrialState, next_move
from autotune.survey import Survey
from autotune.trials import Ending, How
from autotune.verdicts import plain_words


class Tuner:
    """One study: its inputs and the loop over its moves."""

    def __init__(
        self,
        session: Session,
        setup: Setup,
        survey: Survey,
        fit: Fit,
        scorer: Scorer,
        target: float,
        nvml: NvmlPort | None = None,
    ) -> None:
        """`nvml` is asked who else uses the card; None is this machine's driver."""
        self.session = session
        self.setup = setup
        self.survey = survey
        self.fit = fit
        self.scorer = scorer
        self.target = target
        # Made here, right after what fits was found, so that it knows the card as the probe did.
        self.neighbours = neighbour_watch(setup.device, nvml)
        self.sampler = Sampler(session.rundir.study_db, setup.profile.train.seed)
        self.strategies: tuple[Strategy, ...] = usable_strategies(
            setup.profile.strategies, fit, survey
        )

    def run(self) -> bool:
        """Make moves until the study stops; returns whether the target is met."""
        self.sampler.settle(self.session.state)
        score_baselines(self.session, self.setup, self.scorer)
        while True:
            move = next_move(self.session.state, self.strategies, self.target)
            match move:
                case Train():
                    self.train(move)
                case Evaluate():
                    self.session.note(
                        evaluate_checkpoint(
                            self.session,
                            self.setup,
                            self.scorer,
                            move.trial.number,
                            move.checkpoint,
                            self.target,
                        )
                    )
                case EndTrial():
                    self.end_trial(move.trial, None)
                case Escalate():
                    self.session.note(
                        events.Escalated(previous=move.previous, next=move.next, reason=move.reason)
                    )
                case Stop():
                    self.keep_best()
                    self.session.note(events.RunEnded(met=move.met, reason=move.reason))
                    return move.met

    def train(self, move: Train) -> None:
        """Start a trial, or go on with the unfinished one, to its last step or its failure."""
        trial = move.resume or self.start_trial(move)
        failure = self.train_to_end(trial.plan, trial.number)
        if failure is not None:
            self.end_trial(trial, failure)

    def start_trial(self, move: Train) -> TrialState:
        """Ask for the trial's numbers and record its plan."""
        strategy = next(s for s in self.strategies if s.name == move.strategy)
        number, parameters = self.sampler.ask(strategy, move.first)
        if not move.first and not strategy.search:
            # Without ranges to sample, a further trial differs by its order of the data.
            parameters = {"seed": self.setup.profile.train.seed + number}
        plan = resolve_plan(strategy, self.fit, self.survey, self.setup, parameters)
        self.session.note(
            events.TrialStarted(
                number=len(self.session.state.trials), optuna_number=number, plan=plan
            )
        )
        return self.session.state.trials[-1]

    def end_trial(self, trial: TrialState, failure: str | None) -> None:
        """Record the end, then tell the sampler; the record comes first because it is the truth."""
        best = (
            trial.best.prompt_strict.accuracy if trial.best and trial.best.prompt_strict else None
        )
        self.session.note(events.TrialEnded(number=trial.number, best=best, failure=failure))
        self.sampler.tell(trial.plan.strategy, trial.optuna_number, objective(trial))

    def train_to_end(self, plan: TrainPlan, number: int) -> str | None:
        """Run the worker until the plan is done; returns why it cannot be, if it cannot.

        Out of memory goes on from the last checkpoint with smaller micro-batches at the same
        effective batch. A crash or a hang is tried once more, in a new process.

        Raises:
            EnvironmentFault: the disk is full.
            BadInput: the data or the model is not what the plan was made for.
        """
        crashes = 0
        known = self.session.state.trials[number].peak
        timed = self.fit.strategies.get(plan.strategy)
        peak = PeakWatch(
            number,
            timed.peak_bytes if timed and timed.peak_bytes else self.fit.peak_bytes,
            warned=known is not None and exceeds(known.peak_bytes, known.predicted_bytes),
        )
        workers: set[int] = set()

        def hear(event: WorkerEvent) -> None:
            if isinstance(event, events.Ready):
                workers.add(event.pid)
            if (compared := peak.hear(event)) is not None:
                self.session.note(compared)

        self.name_neighbours(workers)
        while True:
            ending = self.session.work(
                TrainJob(
                    device=self.setup.device_spec,
                    plan=plan,
                    out=str(self.session.rundir.checkpoints(number)),
                ),
                self.session.rundir.trial_folder(number),
                silence_seconds=SILENCE_SECONDS,
                hear=hear,
            )
            if ending.how is How.DONE:
                return None
            if ending.how is How.BAD_JOB:
                raise BadInput(ending.reason)
            stop_on_full_disk(ending)
            if ending.failed is not None and ending.failed.fault is Fault.NUMERIC:
                return ending.reason
            if out_of_memory(ending):
                self.name_neighbours(workers)
                smaller = self.smaller(plan, ending)
                if smaller is None:
                    return f"out of memory in {ending.phase} at the smallest micro-batch"
                plan = smaller
                continue
            crashes += 1
            if crashes > 1:
                return f"{ending.how} twice: {plain_words(ending.reason)}"
            self.session.note(
                events.Warned(
                    message=f"{plain_words(ending.reason)}; going on once more in a new process"
                )
            )

    def name_neighbours(self, workers: Collection[int]) -> None:
        """Warn of programs that took memory on the card since the probe; `workers` are ours."""
        for sentence in self.neighbours.look(workers):
            self.session.note(events.Warned(message=sentence))

    def smaller(self, plan: TrainPlan, ending: Ending) -> TrainPlan | None:
        """The same training in smaller pieces: half the micro-batch, then checkpointing."""
        longest = self.survey.kept(plan.model_max_length, plan.max_rounds).longest_row
        if plan.micro_batch_tokens > longest:
            tokens = max(longest, plan.micro_batch_tokens // 2)
            change, words = {"micro_batch_tokens": tokens}, f"micro-batches of {tokens} tokens"
        elif not plan.gradient_checkpointing:
            change, words = {"gradient_checkpointing": True}, "gradient checkpointing"
        else:
            return None
        self.session.note(
            events.Warned(
                message=f"out of memory in {ending.phase}; going on from the last checkpoint with"
                f" {words}, the same {plan.batch_size} conversations a step"
            )
        )
        return plan.model_copy(update=change)

    def keep_best(self) -> None:
        """Copy the best checkpoint to `best/`, without what only resuming needs."""
        best = self.session.state.best
        if best is None:
            return
        target = self.session.rundir.best
        work = target.with_name(".best.tmp")
        shutil.rmtree(work, ignore_errors=True)
        try:
            shutil.copytree(
                Path(best.checkpoint.folder),
                work,
                ignore=shutil.ignore_patterns(
                    "optimizer.safetensors", "trainer_state.json", "manifest.json"
                ),
            )
            shutil.rmtree(target, ignore_errors=True)
            work.replace(target)
        except OSError as error:
            raise EnvironmentFault(
                f"{target}: the best checkpoint cannot be copied ({error.strerror or error}); it"
                f" stays at {best.checkpoint.folder}; free disk space and run again"
            ) from error
