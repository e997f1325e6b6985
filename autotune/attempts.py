"""Trial points put to the memory one by one: a job, a verdict, a record of both.

Trials share a warm process as long as they fit; after anything else the next gets a new one, and
so does every trial that is asked to be fresh. On a CPU all are unless told otherwise: what a
process holds resident is not given back to the last MiB, and the peak of a warm one came out up to
3 % above that of a fresh one (docs/LOG.md).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from autotune import events
from autotune.errors import BadInput
from autotune.events import WorkerEvent
from autotune.job import TrialJob
from autotune.outcome import Measurement, TrialOutcome, Verdict
from autotune.plan import Rounds, TrialPoint
from autotune.session import Session
from autotune.setup import Setup, worker_error
from autotune.survey import Survey
from autotune.trials import Ending, How, WarmRunner
from autotune.verdicts import judge, plain_words, suspected


@dataclass
class Attempts:
    """Every trial so far, and what the next one needs to know.

    `settle` waits until nobody else is taking or giving back memory; it returns what is odd, in
    words, or None.
    """

    session: Session
    setup: Setup
    survey: Survey
    warm: WarmRunner
    settle: Callable[[], str | None] = lambda: None

    def __post_init__(self) -> None:
        self.outcomes: list[TrialOutcome] = []

    def point(
        self, length: int, rounds: Rounds, *, gradient_checkpointing: bool | None = None
    ) -> TrialPoint:
        """The trial point of a length and a number of rounds, one row a micro-batch.

        Raises:
            BadInput: no conversation keeps a supervised token there.
        """
        kept = self.survey.kept(length, rounds)
        if kept.conversations == 0:
            raise no_answer_left(length)
        probe = self.setup.profile.probe
        return TrialPoint(
            model_max_length=length,
            max_rounds=rounds,
            micro_batch_tokens=length,
            gradient_checkpointing=(
                probe.gradient_checkpointing
                if gradient_checkpointing is None
                else gradient_checkpointing
            ),
            row_tokens=kept.longest_row,
        )

    def fits(self, point: TrialPoint) -> bool:
        """Whether a trial of the point fits; `outcomes` holds how it ended."""
        return self.outcome(point).verdict is Verdict.FITS

    def outcome(
        self, point: TrialPoint, *, fresh: bool | None = None, timed_conversations: int = 0
    ) -> TrialOutcome:
        """Try a point until its verdict says something about its size.

        A worker that crashed is given the same point once more in a new process: a poisoned
        device says nothing about size. One that dies twice without a word counts as too big, for
        so does a system end a process that takes all its memory. An error that only may be for
        memory is settled by a smaller point: see `_doubted`.

        Raises:
            BadInput: the data or the model cannot be used.
            EnvironmentFault: the worker failed twice and said itself that it was not for memory.
        """
        if fresh is None:
            fresh = self.setup.device.kind == "cpu"
        outcome, ending = self._one(point, fresh, timed_conversations)
        if suspected(ending, self.setup.budget):
            return self._doubted(point, outcome, timed_conversations)
        if outcome.verdict is Verdict.CRASHED and ending.how is not How.BAD_JOB:
            outcome, ending = self._one(point, True, timed_conversations)
        if outcome.verdict is Verdict.CRASHED and ending.failed is not None:
            folder = self.session.rundir.probe_folder(len(self.outcomes))
            raise worker_error(explained(ending), f"trial at {point.row_tokens} tokens", folder)
        return outcome

    def _doubted(self, point: TrialPoint, first: TrialOutcome, timed: int) -> TrialOutcome:
        """Shrink once in a fresh process: if that passes and the size fails again, it was memory.

        Raises:
            EnvironmentFault: the small trial fails as well, so size is not what is wrong.
        """
        shortest = self.setup.profile.probe.min_length
        length = max(min(shortest, point.model_max_length), point.model_max_length // 2)
        small = self.point(length, point.max_rounds).model_copy(
            update={"gradient_checkpointing": point.gradient_checkpointing}
        )
        outcome, ending = self._one(small, True, 0)
        if outcome.verdict is not Verdict.FITS:
            folder = self.session.rundir.probe_folder(len(self.outcomes))
            raise worker_error(explained(ending), f"trial at {small.row_tokens} tokens", folder)
        return self._one(point, True, timed)[0] if small.row_tokens < point.row_tokens else first

    def _one(self, point: TrialPoint, fresh: bool, timed: int) -> tuple[TrialOutcome, Ending]:
        """One job, one verdict."""
        setup = self.setup
        odd = self.settle()
        if odd is not None:
            self.session.note(events.Warned(message=odd))
        measured: list[Measurement] = []

        def hear(event: WorkerEvent) -> None:
            if isinstance(event, events.Measured):
                measured.append(event.measurement)

        if fresh:
            self.warm.renew()
        longest = self.survey.longest_conversation(point.model_max_length, point.max_rounds)
        ending = self.session.work(
            TrialJob(
                device=setup.device_spec,
                model_folder=str(setup.model_folder),
                data=setup.data,
                point=point,
                longest_conversation=longest,
                generate_rows=setup.evaluation_rows,
                generate_context=setup.evaluation_context,
                prefill_tokens=setup.prefill_tokens,
                seed=setup.profile.train.seed,
                timed_conversations=timed,
            ),
            self.session.rundir.probe_folder(len(self.outcomes) + 1),
            silence_seconds=setup.profile.probe.trial_timeout_seconds,
            resident_limit_bytes=setup.resident_limit_bytes,
            hear=hear,
            runner=self.warm,
        )
        measurement = measured[-1] if measured else None
        outcome = judge(point, ending, measurement, setup.budget, self.outcomes)
        reason = outcome.reason
        if outcome.verdict is Verdict.FITS:
            reason += f", conversation {longest + 1}"
        else:
            self.warm.renew()
        outcome = outcome.model_copy(update={"conversation": longest + 1, "reason": reason})
        self.outcomes.append(outcome)
        self.session.note(events.ProbeTried(outcome=outcome))
        return outcome, ending


def no_answer_left(length: int) -> BadInput:
    """What a person reads whose data keeps nothing to learn from at a length."""
    return BadInput(
        f"model_max_length {length}: no conversation keeps a supervised token, the prompts"
        " alone are longer; raise --model-max-length, or shorten the prompts"
    )


def explained(ending: Ending) -> Ending:
    """The ending with its reason in words that say what it means."""
    return replace(ending, reason=plain_words(ending.reason))
