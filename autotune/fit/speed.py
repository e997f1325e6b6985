"""The fastest way to take a strategy's step: micro-batch, checkpointing, packing, compiling, timed.

The conversations of a step are the strategy's own and stay so; only how many go through the model
at a time changes. Every setting that is taken fitted a trial of its own, in a fresh process.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from autotune.fit.resolve import clipped_length, clipped_rounds
from autotune.fit.trials import Attempts, Timed
from autotune.protocol.plan import Strategy, TrialPoint
from autotune.protocol.results import Fit, TimedStep, TrialOutcome, Verdict

MIN_GAIN_SHARE = 0.05
"""A setting is taken when it saves at least this part of a step; less is within the noise of two
timed steps, and larger micro-batches leave less memory for what else may come."""

AFFORDED_SECONDS = 15.0
"""About how long one timed step may take. A whole step of a strategy is timed where that is
short; on a CPU it would take minutes, and the first conversations of it are timed instead."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A strategy's step as it was timed: one row at a time (`single`), and the best found."""

    single: TrialOutcome
    best: TrialOutcome


@dataclass
class SpeedSearch:
    """Times settings for one strategy after another, with so many trials for all of them.

    `compiles` lets compiled layers be one of the ways.
    """

    attempts: Attempts
    fit: Fit
    trials_left: int
    compiles: bool = False

    def settings(self, strategies: Sequence[Strategy]) -> dict[str, Setting]:
        """A setting for each strategy that there were trials for."""
        found: dict[str, Setting] = {}
        # One more may confirm the setting that the last trial found: see `confirmed`.
        self.attempts.begin_part(self.trials_left + 1)
        for strategy in strategies:
            if self.trials_left < 2:
                break
            setting = self.setting(strategy)
            if setting is not None:
                found[strategy.name] = setting
        return found

    def setting(self, strategy: Strategy) -> Setting | None:
        """One row at a time, then without checkpointing, then twice as many tokens and again.

        That ends where a setting is not faster any more or does not fit. Packing comes then, and
        compiled layers last: they take longest to try, and gain the same with any micro-batch. What
        was fastest has to fit in a process of its own too, else what was fastest before it.
        """
        point = self.attempts.point(
            clipped_length(strategy, self.fit),
            clipped_rounds(strategy, self.fit),
            strategy=strategy.name,
            gradient_checkpointing=self.fit.gradient_checkpointing,
        )
        survey = self.attempts.survey.of(strategy.name)
        kept = survey.kept(point.model_max_length, point.max_rounds)
        mean = kept.tokens / kept.conversations
        afforded = int(self.fit.tokens_per_second * AFFORDED_SECONDS / mean)
        conversations = max(1, min(strategy.batch_size, kept.conversations, afforded))
        timed = Timed(strategy.name, conversations)
        single = self.tried(point, timed)
        if single is None:
            return None
        taken = [single]
        if point.gradient_checkpointing:
            self.faster(taken, timed, gradient_checkpointing=False)
        # More tokens a micro-batch than are timed would be timed as fewer.
        most = conversations * mean
        while (tokens := taken[-1].point.micro_batch_tokens) < most:
            if not self.faster(taken, timed, micro_batch_tokens=2 * tokens):
                break
        self.faster(taken, timed, packing=True)
        if self.compiles:
            self.faster(taken, timed, torch_compile=True)
        return Setting(single, self.confirmed(taken, timed))

    def faster(self, taken: list[TrialOutcome], timed: Timed, **change: int | bool) -> bool:
        """Add the last setting with this change, if it fits and is faster."""
        last = taken[-1]
        tried = self.tried(last.point.model_copy(update=change), timed)
        if tried is None or seconds_of(tried) > seconds_of(last) * (1 - MIN_GAIN_SHARE):
            return False
        taken.append(tried)
        return True

    def tried(self, point: TrialPoint, timed: Timed, *, fresh: bool = False) -> TrialOutcome | None:
        """A timed trial of the point if it fits and there was one left."""
        if self.trials_left == 0:
            return None
        self.trials_left -= 1
        outcome = self.attempts.outcome(point, fresh=fresh, timed=timed)
        measured = outcome.measurement
        if outcome.verdict is not Verdict.FITS or measured is None or measured.timed is None:
            return None
        # Where no compiler works a trial goes without: then that way is not there.
        return outcome if measured.torch_compile == point.torch_compile else None

    def confirmed(self, taken: Sequence[TrialOutcome], timed: Timed) -> TrialOutcome:
        """The last of them that fits in a fresh process as well, else one row at a time.

        For the last one there is always a trial, for those before it while some are left.
        """
        single, *faster = taken
        self.trials_left = max(self.trials_left, 1)
        for setting in reversed(faster):
            if setting.measurement and setting.measurement.fresh:
                return setting
            if (again := self.tried(setting.point, timed, fresh=True)) is not None:
                return again
        return single


def timing(outcome: TrialOutcome) -> TimedStep | None:
    """The timed step of a trial, if it had one."""
    return outcome.measurement.timed if outcome.measurement else None


def seconds_of(outcome: TrialOutcome) -> float:
    """Seconds of the timed step."""
    timed = timing(outcome)
    assert timed is not None
    return timed.seconds


def tokens_per_second(outcome: TrialOutcome) -> float:
    """Tokens a second of the timed step, padding not counted."""
    timed = timing(outcome)
    assert timed is not None
    return timed.tokens / timed.seconds
