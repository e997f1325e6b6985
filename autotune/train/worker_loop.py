"""One training run: workers until its plan is done, whatever comes in between."""

from collections.abc import Collection

from autotune.base.errors import BadInput
from autotune.base.sizes import show_size
from autotune.data.survey import Survey
from autotune.launch import JobResult
from autotune.launch.retries import RetryLimit
from autotune.launch.worker_errors import stop_on_environment, with_remedy
from autotune.protocol import events
from autotune.protocol.events import WorkerEvent
from autotune.protocol.failure import Failure
from autotune.protocol.job import TrainJob
from autotune.protocol.oom_recovery import (
    Action,
    MemoryUser,
    after_worker,
    is_out_of_memory,
    smaller_micro_batching,
)
from autotune.protocol.plan import MicroBatching, TrainPlan
from autotune.protocol.results import Fit
from autotune.run.session import Session
from autotune.run.setup import SILENCE_SECONDS, Setup
from autotune.train.divergence import divergence, divergence_sentence
from autotune.train.peak_check import OtherProcessesWatch, PeakWatch, exceeds
from autotune.train.watch import TrainingWatch


class _PrunedError(Exception):
    """Ends the worker that is listened to; what ended it is on record."""


class WorkerLoop:
    """What every training run of a study works with."""

    def __init__(
        self,
        session: Session,
        setup: Setup,
        survey: Survey,
        fit: Fit,
        other_processes: OtherProcessesWatch,
        watch: TrainingWatch,
    ) -> None:
        self.session = session
        self.setup = setup
        self.survey = survey
        self.fit = fit
        self.other_processes = other_processes
        self.watch = watch

    def run_to_end(self, plan: TrainPlan, number: int) -> str | None:
        """Run the worker until the plan is done or pruned; returns why it cannot be done, if so.

        What is tried where memory runs out, `oom_recovery` says; the effective batch stays. The
        micro-batching is on record, so whoever resumes begins with what was found to fit. After a
        crash or a hang a new process continues, unless the one before it came no further: see
        `RetryLimit`.

        Raises:
            EnvironmentFault: the disk is full, or torch cannot be loaded, or something keeps
                killing the workers.
            BadInput: the data or the model is not what the plan was made for.
        """
        last = self.session.state.trials[number].last_step
        begun_at = last.step / last.total_steps if last else 0.0
        retry_limit = RetryLimit(furthest=begun_at, reached=begun_at)
        known = self.session.state.trials[number].peak
        timed = self.fit.strategies.get(plan.strategy)
        peak = PeakWatch(
            number,
            timed.peak_bytes if timed and timed.peak_bytes else self.fit.peak_bytes,
            warned=known is not None and exceeds(known.peak_bytes, known.predicted_bytes),
        )
        workers: set[int] = set()

        def on_event(event: WorkerEvent) -> None:
            if isinstance(event, events.Ready):
                workers.add(event.pid)
            retry_limit.on_event(event)
            if (compared := peak.on_event(event)) is not None:
                self.session.emit(compared)
            self.watch.on_event(event)
            if isinstance(event, events.HeldOutLoss) and self.prune(plan, number):
                raise _PrunedError

        if self.prune(plan, number):  # what said so is on record, and this program died then
            return None
        self.name_other_processes(workers)
        while True:
            begun = self.current_micro_batching(plan, number)
            try:
                result = self.session.work(
                    self.job(plan, number, begun),
                    self.session.rundir.trial_folder(number),
                    silence_seconds=SILENCE_SECONDS,
                    on_event=on_event,
                )
            except _PrunedError:
                return None
            failure = result.failure
            if failure is None:
                return None
            if failure is Failure.BAD_JOB:
                raise BadInput(result.reason)
            stop_on_environment(result)
            if failure is Failure.NUMERIC:
                return result.reason
            if is_out_of_memory(failure):
                self.name_other_processes(workers)
                if not self.emit_next_micro_batching(plan, number, begun, failure, result):
                    return too_large(result, self.setup)
                continue
            if not retry_limit.allows_retry(result):
                return f"{result.words} twice: {with_remedy(result.reason)}"
            self.session.emit(
                events.Warned(message=f"{with_remedy(result.reason)}; retrying in a new process")
            )

    def job(self, plan: TrainPlan, number: int, begun: MicroBatching) -> TrainJob:
        """What the next worker is asked to do."""
        data = self.setup.data_of(plan.strategy)
        return TrainJob(
            device=self.setup.work_device,
            plan=plan.model_copy(update=begun.model_dump()),
            out=str(self.session.rundir.checkpoints(number)),
            model_folder=str(self.setup.model_folder),
            data_path=data.spec.path,
            drop_prompts=data.spec.drop_prompts,
            data_sha256=data.sha256,
            held_out_known=tuple(sorted(self.session.state.trials[number].held_out)),
        )

    def prune(self, plan: TrainPlan, number: int) -> bool:
        """Record that a training is ended where its held-out losses say that it diverges."""
        if not self.setup.profile.train.prune_diverging:
            return False
        found = divergence(self.session.state.trials[number].held_out.values())
        if found is None:
            return False
        self.session.emit(
            events.TrainingPruned(
                number=number,
                reason=divergence_sentence(found, plan),
                step=found.at.step,
                progress=found.at.progress,
                loss=found.at.loss,
            )
        )
        return True

    def name_other_processes(self, workers: Collection[int]) -> None:
        """Warn of programs that took memory on the card since the probe; `workers` are ours."""
        for sentence in self.other_processes.look(workers):
            self.session.emit(events.Warned(message=sentence))

    def current_micro_batching(self, plan: TrainPlan, number: int) -> MicroBatching:
        """The micro-batching now: as planned, or reduced since for lack of memory."""
        resized = self.session.state.trials[number].resized
        return resized.after if resized is not None else plan.micro_batching

    def emit_next_micro_batching(
        self,
        plan: TrainPlan,
        number: int,
        begun: MicroBatching,
        failure: Failure,
        result: JobResult,
    ) -> bool:
        """Record the next worker's micro-batching, after one that began with `begun` lacked memory.

        Returns:
            Whether there is anything left to try.
        """
        trial = self.session.state.trials[number]
        now = self.current_micro_batching(plan, number)
        shrunk = now != begun
        if shrunk and trial.resized is not None and not trial.resized.same_process:
            return True  # the worker named it itself
        survey = self.survey.of(plan.strategy)
        longest = survey.kept(plan.model_max_length, plan.max_rounds).longest_row
        smaller = smaller_micro_batching(now, longest)
        action = after_worker(
            MemoryUser.TRAINING, failure, smaller=smaller is not None, shrunk=shrunk
        )
        after = now if action is Action.RETRY_IN_NEW_PROCESS else smaller
        if after is None:
            return False
        self.session.emit(
            events.MicroBatchResized(
                step=trial.last_step.step + 1 if trial.last_step else 1,
                phase=result.phase,
                batch_size=plan.batch_size,
                before=now,
                after=after,
                same_process=False,
                reason=result.reason,
            )
        )
        return True


def too_large(result: JobResult, setup: Setup) -> str:
    """Why a training that cannot be made any smaller has failed, for a person."""
    if result.failure is Failure.OVER_BUDGET:
        allowed, budget = setup.work_device.limit_bytes, setup.budget.limit_bytes
        return (
            f"the training needs more than {show_size(allowed)} in {result.phase} at the smallest"
            f" micro-batch (the budget is {show_size(budget)}); raise --vram-budget, or lower"
            " --model-max-length"
        )
    return f"out of memory in {result.phase} at the smallest micro-batch"
