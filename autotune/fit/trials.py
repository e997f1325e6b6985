"""Trial points put to the memory one by one: a job, a verdict, a record of both.

Trials share a warm process as long as they fit; after anything else the next gets a new one, and
so does every trial that is asked to be fresh. On a CPU all are unless configured otherwise: what a
process holds resident is not given back to the last MiB, and the peak of a warm one came out up to
3 % above that of a fresh one (docs/LOG.md).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from autotune.base.errors import AutotuneError, BadInput, EnvironmentFault
from autotune.data.survey import Survey
from autotune.device.spill import Conditions, driver_lends
from autotune.fit.kept_trials import HeldTrials, asked_now
from autotune.fit.slow_start import with_time_to_start
from autotune.fit.verdict import judge, perhaps_spilled, suspected
from autotune.launch import JobResult, WarmRunner
from autotune.launch.retries import RetryLimit
from autotune.launch.worker_errors import with_remedy, worker_error
from autotune.protocol import events
from autotune.protocol.device_kind import has_own_memory
from autotune.protocol.events import TrialAsked, WorkerEvent
from autotune.protocol.job import TrialJob
from autotune.protocol.oom_recovery import Action, TrialEnd, after_trial, smaller_length
from autotune.protocol.plan import Rounds, TrialPoint
from autotune.protocol.results import Measurement, TrialOutcome, Verdict
from autotune.run.session import Session
from autotune.run.setup import Setup

LOOK_SECONDS = 1.0
"""How often the card is asked during a trial what throttles it: a step takes about as long."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A step of a strategy that a trial also times, over so many of its conversations."""

    strategy: str
    conversations: int


@dataclass
class Attempts:
    """Every trial so far, and what the next one needs to know.

    `wait_until_idle` waits until nobody else is taking or giving back memory; it returns what is
    odd, in words, or None. `throttle_reasons` names what throttles the card at the moment. `lends`
    is whether this system's driver lends a full card memory of the computer. `held` are the trials
    of an interrupted probe, which are not repeated.
    """

    session: Session
    setup: Setup
    survey: Survey
    warm: WarmRunner
    wait_until_idle: Callable[[], str | None] = lambda: None
    throttle_reasons: Callable[[], tuple[str, ...]] = lambda: ()
    lends: bool = field(default_factory=driver_lends)
    held: HeldTrials = field(default_factory=HeldTrials)

    def __post_init__(self) -> None:
        self.outcomes: list[TrialOutcome] = []
        self.killed = 0
        self.begin_part(None)
        self.conditions = Conditions(self.lends)

    @property
    def spent(self) -> int:
        """How many trials there were, without those that another program ended."""
        return len(self.outcomes) - self.killed

    def begin_part(self, most: int | None) -> None:
        """Begin a part of the probe, of `most` trials at most; they are counted from 1."""
        self.before, self.most = len(self.outcomes), most

    def point(
        self,
        length: int,
        rounds: Rounds,
        *,
        strategy: str | None = None,
        gradient_checkpointing: bool | None = None,
    ) -> TrialPoint:
        """The trial point of a length and a number of rounds, one row a micro-batch.

        Its row is the longest of a strategy's data, or of all that the run may train on.

        Raises:
            BadInput: no conversation keeps a supervised token there.
        """
        each = self.survey.each.values() if strategy is None else [self.survey.of(strategy)]
        longest = max(survey.kept(length, rounds).longest_row for survey in each)
        if longest == 0:
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
            row_tokens=longest,
        )

    def data_with(self, point: TrialPoint) -> str:
        """A strategy whose data gives the row of a point, "" where the run's own does."""
        each = self.survey.each
        if len(each) == 1:
            return next(iter(each))
        length, rounds = point.model_max_length, point.max_rounds
        rows = {name: survey.kept(length, rounds).longest_row for name, survey in each.items()}
        return max(rows, key=lambda name: (rows[name] == point.row_tokens, rows[name]))

    def fits(self, point: TrialPoint) -> bool:
        """Whether a trial of the point fits; `outcomes` holds how it ended."""
        return self.outcome(point).verdict is Verdict.FITS

    def outcome(
        self, point: TrialPoint, *, fresh: bool | None = None, timed: Timed | None = None
    ) -> TrialOutcome:
        """Try a point until its verdict says something about its size.

        When that is, `oom_recovery.after_trial` says. What another program ended is tried again
        some times and says nothing about size.

        Raises:
            BadInput: the data or the model cannot be used.
            EnvironmentFault: the worker failed twice and said itself that it was not for memory, or
                beside a card the computer's memory ran out; or its libraries cannot be loaded; or
                something keeps killing the workers.
        """
        if fresh is None:
            fresh = self.setup.device.traits.fresh_trials
        timed = timed or Timed(self.data_with(point), 0)
        known = self.held.take(point, self._asked(fresh, timed))
        if known is not None:
            self._keep(known, self._asked(fresh, timed), held=True)
            return known
        outcome, result = self._alive(point, fresh, timed)
        action = after_trial(self._end(outcome, result))
        if action is Action.SHRINK_IN_NEW_PROCESS:
            return self._doubted(point, outcome, timed)
        if action is Action.RETRY_IN_NEW_PROCESS:
            before = outcome.verdict
            outcome, result = self._alive(point, True, timed)
            action = after_trial(self._end(outcome, result, before))
        if action is Action.GIVE_UP:
            raise self._failure(outcome, result)
        return outcome

    def _end(
        self, outcome: TrialOutcome, result: JobResult, before: Verdict | None = None
    ) -> TrialEnd:
        """The last trial as the rule for lack of memory looks at it."""
        budget = self.setup.budget
        earlier = self.outcomes[:-1]
        return TrialEnd(
            verdict=outcome.verdict,
            failure=result.failure,
            doubtful=suspected(result, budget)
            or perhaps_spilled(outcome, budget, earlier, self.conditions),
            reported=result.failed is not None,
            on_card=has_own_memory(self.setup.device.kind),
            before=before,
        )

    def _failure(self, outcome: TrialOutcome, result: JobResult) -> AutotuneError:
        """A trial's failure as the error that the user reads."""
        folder = self.session.rundir.probe_folder(len(self.outcomes))
        what = f"trial at {outcome.point.row_tokens} tokens"
        if result.failure is None:  # it came to its end, and what it measured does not fit
            return EnvironmentFault(f"{what}: {outcome.reason}", log=folder / "worker.log")
        return worker_error(result, what, folder)

    def _asked(self, fresh: bool, timed: Timed, *, doubted: bool = False) -> TrialAsked:
        """What a trial depends on beside its point."""
        return asked_now(
            self.setup,
            timed.strategy,
            fresh=fresh,
            timed_conversations=timed.conversations,
            doubted=doubted,
        )

    def _doubted(self, point: TrialPoint, first: TrialOutcome, timed: Timed) -> TrialOutcome:
        """Shrink once in a fresh process: if that passes and the size fails again, it was memory.

        Raises:
            EnvironmentFault: the small trial fails as well, so size is not what is wrong.
        """
        length = smaller_length(point.model_max_length, self.setup.profile.probe.min_length)
        small = self.point(length, point.max_rounds, strategy=timed.strategy).model_copy(
            update={"gradient_checkpointing": point.gradient_checkpointing}
        )
        outcome, result = self._alive(small, True, replace(timed, conversations=0))
        if outcome.verdict is not Verdict.FITS:
            raise self._failure(outcome, result)
        return self._alive(point, True, timed)[0] if small.row_tokens < point.row_tokens else first

    def _alive(
        self, point: TrialPoint, fresh: bool, timed: Timed
    ) -> tuple[TrialOutcome, JobResult]:
        """One job that no other program ended: where one did, the next process has the same.

        Raises:
            EnvironmentFault: something keeps killing the workers.
        """
        retry_limit = RetryLimit()
        while True:
            outcome, result = self._one(point, fresh, timed)
            if not result.killed:
                return outcome, result
            retry_limit.allows_retry(result)
            self.killed += 1
            self._warn(
                f"trial at {point.row_tokens} tokens: {with_remedy(result.reason)}, with memory"
                " free, so its size is not the cause; trying it again"
            )

    def _one(self, point: TrialPoint, fresh: bool, timed: Timed) -> tuple[TrialOutcome, JobResult]:
        """One job, one verdict."""
        setup = self.setup
        if (odd := self.wait_until_idle()) is not None:
            self._warn(odd)
        measured: list[Measurement] = []
        throttled_by: dict[str, None] = {}
        looked = -LOOK_SECONDS

        def on_event(event: WorkerEvent) -> None:
            nonlocal looked
            if isinstance(event, events.Measured):
                measured.append(event.measurement)
            if time.monotonic() - looked >= LOOK_SECONDS:
                looked = time.monotonic()
                throttled_by.update(dict.fromkeys(self.throttle_reasons()))

        if fresh:
            self.warm.renew()
        self.session.emit(self._started(point, timed))
        survey, data = self.survey.of(timed.strategy), setup.data_of(timed.strategy)
        longest = survey.longest_conversation(point.model_max_length, point.max_rounds)
        job = TrialJob(
            device=setup.device_spec,
            model_folder=str(setup.model_folder),
            data=data.spec,
            point=point,
            longest_conversation=longest,
            generate_rows=setup.evaluation_rows,
            generate_context=setup.evaluation_context,
            prefill_tokens=setup.prefill_tokens,
            seed=setup.profile.train.seed,
            timed_conversations=timed.conversations,
        )
        folder = self.session.rundir.probe_folder(len(self.outcomes) + 1)
        work = partial(self.session.work, job, folder, on_event=on_event, runner=self.warm)
        silence = setup.profile.probe.trial_timeout_seconds
        what = f"trial at {point.row_tokens} tokens"
        result = with_time_to_start(work, silence, what, folder, self._warn)
        measurement = measured[-1] if measured else None
        self.conditions = Conditions(self.lends, tuple(throttled_by))
        outcome = judge(point, result, measurement, setup.budget, self.outcomes, self.conditions)
        reason = outcome.reason
        if outcome.verdict is Verdict.FITS:
            of = f" of {data.label}" if timed.strategy in setup.own_data else ""
            reason += f", conversation {longest + 1}{of}"
        else:
            self.warm.renew()
        outcome = outcome.model_copy(update={"conversation": longest + 1, "reason": reason})
        doubted = suspected(result, setup.budget)
        self._keep(outcome, self._asked(fresh, timed, doubted=doubted))
        return outcome, result

    def _warn(self, message: str) -> None:
        self.session.emit(events.Warned(message=message))

    def _started(self, point: TrialPoint, timed: Timed) -> events.ProbeTrialStarted:
        nth = len(self.outcomes) - self.before + 1
        most = None if self.most is None or nth > self.most else self.most
        return events.ProbeTrialStarted(
            point=point, nth=nth, most=most, timed_conversations=timed.conversations
        )

    def _keep(self, outcome: TrialOutcome, asked: TrialAsked, *, held: bool = False) -> None:
        """Put a trial on record with what it depended on."""
        self.outcomes.append(outcome)
        self.session.emit(events.ProbeTried(outcome=outcome, asked=asked, held=held))


def no_answer_left(length: int) -> BadInput:
    """What a person reads whose data keeps nothing to learn from at a length."""
    return BadInput(
        f"model_max_length {length}: no conversation keeps a supervised token, the prompts"
        " alone are longer; raise --model-max-length, or shorten the prompts"
    )
