"""One training run: workers until its plan is done, whatever comes in between."""

from collections.abc import Collection

from autotune import events
from autotune.drift import NeighbourWatch, PeakWatch, exceeds
from autotune.errors import BadInput
from autotune.events import WorkerEvent
from autotune.job import TrainJob
from autotune.outcome import Fault, Fit
from autotune.plan import TrainPlan
from autotune.scoring import out_of_memory, stop_on_full_disk
from autotune.session import Session
from autotune.setup import SILENCE_SECONDS, Setup
from autotune.survey import Survey
from autotune.trials import Ending, How
from autotune.verdicts import plain_words


class Training:
    """What every training run of a study works with."""

    def __init__(
        self,
        session: Session,
        setup: Setup,
        survey: Survey,
        fit: Fit,
        neighbours: NeighbourWatch,
    ) -> None:
        self.session = session
        self.setup = setup
        self.survey = survey
        self.fit = fit
        self.neighbours = neighbours

    def to_end(self, plan: TrainPlan, number: int) -> str | None:
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
