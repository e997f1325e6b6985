"""One training run: workers until its plan is done, whatever comes in between."""

from collections.abc import Collection

from autotune.base.errors import BadInput
from autotune.base.sizes import show_size
from autotune.data.survey import Survey
from autotune.launch import JobResult
from autotune.launch.deaths import Deaths
from autotune.launch.endings import plain_words, stop_on_environment
from autotune.protocol import events
from autotune.protocol.events import WorkerEvent
from autotune.protocol.failure import Failure
from autotune.protocol.job import TrainJob
from autotune.protocol.oom_recovery import (
    Action,
    Asker,
    after_worker,
    is_out_of_memory,
    smaller_cut,
)
from autotune.protocol.plan import Cut, TrainPlan
from autotune.protocol.results import Fit
from autotune.run.session import Session
from autotune.run.setup import SILENCE_SECONDS, Setup
from autotune.train.peak_check import NeighbourWatch, PeakWatch, exceeds
from autotune.train.watch import TrainingWatch


class Training:
    """What every training run of a study works with."""

    def __init__(
        self,
        session: Session,
        setup: Setup,
        survey: Survey,
        fit: Fit,
        other_processes: NeighbourWatch,
        watch: TrainingWatch,
    ) -> None:
        self.session = session
        self.setup = setup
        self.survey = survey
        self.fit = fit
        self.other_processes = other_processes
        self.watch = watch

    def to_end(self, plan: TrainPlan, number: int) -> str | None:
        """Run the worker until the plan is done; returns why it cannot be, if it cannot.

        What is tried where memory runs out, `oom_recovery` says; the effective batch stays. How
        steps are cut is on record, so whoever goes on begins with what was found to fit. After a
        crash or a hang a new process goes on, unless the one before it came no further: see
        `Deaths`.

        Raises:
            EnvironmentFault: the disk is full, or torch cannot be loaded, or something keeps
                killing the workers.
            BadInput: the data or the model is not what the plan was made for.
        """
        last = self.session.state.trials[number].last_step
        begun_at = last.step / last.total_steps if last else 0.0
        deaths = Deaths(furthest=begun_at, reached=begun_at)
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
            deaths.hear(event)
            if (compared := peak.hear(event)) is not None:
                self.session.note(compared)
            self.watch.hear(event)

        self.name_other_processes(workers)
        while True:
            begun = self.cut(plan, number)
            result = self.session.work(
                TrainJob(
                    device=self.setup.work_device,
                    plan=plan.model_copy(update=begun.model_dump()),
                    out=str(self.session.rundir.checkpoints(number)),
                    model_folder=str(self.setup.model_folder),
                    data_path=self.setup.data.path,
                    drop_prompts=self.setup.data.drop_prompts,
                    data_sha256=self.setup.data_sha256,
                ),
                self.session.rundir.trial_folder(number),
                silence_seconds=SILENCE_SECONDS,
                hear=hear,
            )
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
                if not self.set_next_cut(plan, number, begun, failure, result):
                    return too_large(result, self.setup)
                continue
            if not deaths.again(result):
                return f"{result.words} twice: {plain_words(result.reason)}"
            self.session.note(
                events.Warned(message=f"{plain_words(result.reason)}; retrying in a new process")
            )

    def name_other_processes(self, workers: Collection[int]) -> None:
        """Warn of programs that took memory on the card since the probe; `workers` are ours."""
        for sentence in self.other_processes.look(workers):
            self.session.note(events.Warned(message=sentence))

    def cut(self, plan: TrainPlan, number: int) -> Cut:
        """How steps are cut now: as planned, or as memory has taught this trial since."""
        recut = self.session.state.trials[number].recut
        return recut.after if recut is not None else plan.cut

    def set_next_cut(
        self, plan: TrainPlan, number: int, begun: Cut, failure: Failure, result: JobResult
    ) -> bool:
        """Put the next worker's cut on record, after one that began with `begun` lacked memory.

        Returns:
            Whether there is anything left to try.
        """
        trial = self.session.state.trials[number]
        now = self.cut(plan, number)
        shrunk = now != begun
        if shrunk and trial.recut is not None and not trial.recut.same_process:
            return True  # the worker named it itself
        longest = self.survey.kept(plan.model_max_length, plan.max_rounds).longest_row
        smaller = smaller_cut(now, longest)
        action = after_worker(Asker.TRAINING, failure, smaller=smaller is not None, shrunk=shrunk)
        after = now if action is Action.RETRY_IN_NEW_PROCESS else smaller
        if after is None:
            return False
        self.session.note(
            events.Recut(
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
