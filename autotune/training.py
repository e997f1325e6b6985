"""One training run: workers until its plan is done, whatever comes in between."""

from collections.abc import Collection

from autotune import events
from autotune.budget import show_size
from autotune.cut import Cut
from autotune.deaths import Deaths
from autotune.drift import NeighbourWatch, PeakWatch, exceeds
from autotune.errors import BadInput
from autotune.errortexts import plain_words
from autotune.events import WorkerEvent
from autotune.job import TrainJob
from autotune.outcome import Fault, Fit
from autotune.plan import TrainPlan
from autotune.scoring import out_of_memory, stop_where_none_goes_on
from autotune.session import Session
from autotune.setup import SILENCE_SECONDS, Setup
from autotune.survey import Survey
from autotune.trials import Ending, How
from autotune.watch import TrainingWatch


class Training:
    """What every training run of a study works with."""

    def __init__(
        self,
        session: Session,
        setup: Setup,
        survey: Survey,
        fit: Fit,
        neighbours: NeighbourWatch,
        watch: TrainingWatch,
    ) -> None:
        self.session = session
        self.setup = setup
        self.survey = survey
        self.fit = fit
        self.neighbours = neighbours
        self.watch = watch

    def to_end(self, plan: TrainPlan, number: int) -> str | None:
        """Run the worker until the plan is done; returns why it cannot be, if it cannot.

        A worker that runs out of memory goes on in smaller pieces by itself where it can. Where it
        cannot, a new one goes on from the last checkpoint, at the same effective batch. How steps
        are cut is on record, so whoever goes on begins with what was found to fit. After a crash
        or a hang a new process goes on, unless the one before it came no further: see `Deaths`.

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

        self.name_neighbours(workers)
        while True:
            begun = self.cut(plan, number)
            ending = self.session.work(
                TrainJob(
                    device=self.setup.device_spec,
                    plan=plan.model_copy(update=begun.model_dump()),
                    out=str(self.session.rundir.checkpoints(number)),
                    model_folder=str(self.setup.model_folder),
                    data_path=self.setup.data.path,
                    drop_prompts=self.setup.data.drop_prompts,
                    data_sha256=self.setup.data_sha256,
                ),
                self.session.rundir.trial_folder(number),
                silence_seconds=SILENCE_SECONDS,
                resident_limit_bytes=self.setup.work_limit_bytes,
                hear=hear,
            )
            if ending.how is How.DONE:
                return None
            if ending.how is How.BAD_JOB:
                raise BadInput(ending.reason)
            stop_where_none_goes_on(ending)
            if ending.failed is not None and ending.failed.fault is Fault.NUMERIC:
                return ending.reason
            if out_of_memory(ending):
                self.name_neighbours(workers)
                if not self.go_on_smaller(plan, number, begun, ending):
                    return self.too_large(ending)
                continue
            if not deaths.again(ending):
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

    def too_large(self, ending: Ending) -> str:
        """Why a training that cannot be cut any smaller has failed."""
        limit = self.setup.work_limit_bytes
        if ending.how is How.OVER_BUDGET and limit is not None:
            return (
                f"the training needs more than {show_size(limit)} in {ending.phase} at the smallest"
                f" micro-batch (the budget is {show_size(self.setup.budget.limit_bytes)}); raise"
                " --vram-budget, or lower --model-max-length"
            )
        return f"out of memory in {ending.phase} at the smallest micro-batch"

    def cut(self, plan: TrainPlan, number: int) -> Cut:
        """How steps are cut now: as planned, or as memory has taught this trial since."""
        recut = self.session.state.trials[number].recut
        return recut.after if recut is not None else plan.cut

    def go_on_smaller(self, plan: TrainPlan, number: int, begun: Cut, ending: Ending) -> bool:
        """Settle the next worker's cut, after one that began with `begun` ran out of memory.

        One that told of a smaller cut for the next has settled it. One that was at its smallest
        after several has left a process full of their remains, so a fresh one may do with the same.

        Returns:
            Whether there is anything left to try.
        """
        trial = self.session.state.trials[number]
        now = self.cut(plan, number)
        if now != begun and trial.recut is not None and not trial.recut.same_process:
            return True
        after: Cut | None = now
        if now == begun:
            longest = self.survey.kept(plan.model_max_length, plan.max_rounds).longest_row
            after = now.smaller(longest)
        if after is None:
            return False
        self.session.note(
            events.Recut(
                step=trial.last_step.step + 1 if trial.last_step else 1,
                phase=ending.phase,
                batch_size=plan.batch_size,
                before=now,
                after=after,
                same_process=False,
                reason=ending.reason,
            )
        )
        return True
