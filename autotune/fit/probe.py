"""The probe: the longest `model_max_length` and the most `max_rounds` that fit the budget.

Length is searched by real trial steps on the longest row that the data keeps. Rounds matter for
memory only through that row, so most round counts are already answered by a longer row that
fitted or a shorter one that did not; only those in between need a trial. The answer is confirmed
in a fresh process; then memory that is left is spent on speed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import dropwhile

from autotune.base.errors import NothingFits
from autotune.base.files import write_text_atomic
from autotune.base.sizes import show_size
from autotune.data.survey import Survey
from autotune.fit.all_data import keeps_something, longest, most_rounds, whole_rounds
from autotune.fit.estimate import strategy_fit
from autotune.fit.kept_trials import held_trials
from autotune.fit.resolve import usable_strategies
from autotune.fit.reuse import EXPIRY, most_demanding
from autotune.fit.search import Bisection, Search, length_grid, most_trials
from autotune.fit.speed import SpeedSearch
from autotune.fit.trials import Attempts, no_answer_left
from autotune.fit.verdict import FOR_MEMORY, remedy
from autotune.launch import WarmRunner
from autotune.protocol import events
from autotune.protocol.choices import LENGTH_GRID
from autotune.protocol.kernels import math_warning
from autotune.protocol.plan import TrialPoint
from autotune.protocol.result_text import rounds_text
from autotune.protocol.results import Fit, TrialOutcome, Verdict
from autotune.run.session import Session
from autotune.run.setup import Setup

Guess = Callable[[list[int]], int | None]
"""The length of a grid that is predicted to be the longest that fits, None where none is."""

Predict = Callable[[TrialPoint], int | None]
"""The predicted peak of a point in bytes, None where there is none."""


@dataclass
class Probe:
    """One probe: what is asked, and who predicts, waits and answers."""

    session: Session
    setup: Setup
    survey: Survey
    guess: Guess = lambda _: None
    predict: Predict = lambda _: None
    wait_until_idle: Callable[[], str | None] = lambda: None
    throttle_reasons: Callable[[], tuple[str, ...]] = lambda: ()

    def __post_init__(self) -> None:
        self.trials: list[TrialOutcome] = []
        self.rounds = self.setup.profile.probe.max_rounds  # those that are looked at

    def run(self, note: str = "") -> Fit:
        """Search, confirm, time and write `fit.json`; `note` says why, where there was one.

        Trials of a probe that was interrupted and that still hold are not repeated.

        Raises:
            NothingFits: not even the shortest length of the grid fits the budget.
        """
        with self.session.runner.warm() as warm:
            attempts = self.attempts(warm)
            attempts.held = held_trials(self.session, self.setup)
            if attempts.held.tried:
                self.session.emit(events.ProbeResumed(trials=len(attempts.held.tried)))
            self.trials = attempts.outcomes
            try:
                accepted = self.accepted(attempts)
            except NothingFits as error:
                self.session.emit(events.ProbeEnded(reason=str(error)))
                raise
            searched = len(attempts.outcomes)
            fit = self.described(accepted, attempts, searched)
        return self.keep(fit, events.Fitted(fit=fit, note=note))

    def recheck(self, known: Fit, why: str) -> Fit | None:
        """One trial of the most demanding point that a known fit allows.

        Returns the fit with the fingerprint of now, or None if it does not hold any more.
        """
        most = most_demanding(known)
        with self.session.runner.warm() as warm:
            attempts = self.attempts(warm)
            attempts.begin_part(1)
            if most is None or not attempts.fits(most.point):
                return None
        fit = known.model_copy(update={"fingerprint": self.setup.fingerprint})
        return self.keep(fit, events.Fitted(fit=fit, reused=True, note=why))

    def attempts(self, warm: WarmRunner) -> Attempts:
        """Trials of this probe in the processes of `warm`."""
        return Attempts(
            self.session,
            self.setup,
            self.survey,
            warm,
            wait_until_idle=self.wait_until_idle,
            throttle_reasons=self.throttle_reasons,
        )

    def keep(self, fit: Fit, event: events.Fitted) -> Fit:
        """Write `fit.json` and record it."""
        write_text_atomic(self.session.rundir.fit, fit.model_dump_json(indent=1))
        self.session.emit(event)
        return fit

    def grid(self) -> list[int]:
        """Lengths worth asking about: from the profile's shortest to what the data can fill.

        Raises:
            BadInput: none of them keeps a supervised token.
        """
        probe = self.setup.profile.probe
        # Rounded down: the last length of the grid may pass the data's longest row, where nothing
        # is cut, but not the model's last position.
        positions = self.setup.max_position_embeddings // LENGTH_GRID * LENGTH_GRID
        most = min(probe.max_length, max(LENGTH_GRID, positions), longest(self.survey, self.rounds))
        grid = length_grid(min(probe.min_length, most), most, LENGTH_GRID)
        # A longer row never keeps less, so only the shortest lengths are looked at: one look goes
        # through all conversations.
        kept = list(dropwhile(lambda n: not keeps_something(self.survey, n, self.rounds), grid))
        if not kept:
            raise no_answer_left(grid[-1])
        return kept

    @property
    def most_asked(self) -> int:
        """The most rounds that a conversation of any data has, as far as they are looked at."""
        return most_rounds(self.survey, self.rounds)

    def accepted(self, attempts: Attempts) -> TrialOutcome:
        """The answer's own trial, in a fresh process."""
        grid = self.grid()
        most = most_trials(len(grid))
        attempts.begin_part(most)
        kept_back = 1 + (self.most_asked > 1)  # to confirm, and to ask about rounds
        search = Search(
            grid,
            most - kept_back,
            limit=self.setup.budget.limit_bytes,
            guess=self.guess(grid),
        )
        while (index := search.next) is not None:
            verdict = self.asked(attempts, search, index)
            if verdict is Verdict.NUMERIC and search.next is not None and search.answer is None:
                # Less memory makes no number finite. Only this row's text may be what is wrong:
                # the shortest row says whether there is anything to search for.
                self.asked(attempts, search, 0, counted=False)
        if search.answer is None:
            worst = attempts.outcomes[-1]
            what = (
                f"budget {show_size(self.setup.budget.limit_bytes)}: not even"
                f" {worst.point.model_max_length} tokens fit"
            )
            if worst.verdict is Verdict.TIMED_OUT:
                what = (
                    f"no trial came to its end, not even of {worst.point.model_max_length} tokens"
                )
            mend = remedy(worst.verdict, self.setup.device_spec.precision)
            raise NothingFits(f"{what} ({worst.reason}); {mend}")
        length = grid[search.answer]
        too_long = grid[search.failed] if search.failed < len(grid) else None
        rounds = self.most_rounds(attempts, length, too_long, most)
        return self.confirmed(attempts, attempts.point(length, rounds))

    def asked(
        self, attempts: Attempts, search: Search, index: int, *, counted: bool = True
    ) -> Verdict:
        """The verdict on a length of the search, on the longest row that the data can give it."""
        tried = attempts.outcome(attempts.point(int(search.sizes[index]), self.rounds))
        peak = tried.measurement.peak_bytes if tried.measurement else None
        search.record(index, tried.verdict is Verdict.FITS, peak, counted=counted)
        return tried.verdict

    def most_rounds(self, attempts: Attempts, length: int, too_long: int | None, most: int) -> int:
        """The most rounds whose longest conversation fits whole.

        `too_long` is the shortest length that did not fit, if there was one. Only rounds whose
        longest conversation lies between the two need a trial; one trial is kept back for the
        confirmation, and when no more are left the answer that needs none is taken.
        """
        every = range(1, self.most_asked + 1)
        sure = whole_rounds(self.survey, length, self.rounds)
        if too_long is None:
            return sure
        # Of rounds with the same longest row the most are meant: it is one question for all.
        between = {
            tokens: rounds
            for rounds in every[sure:]
            if (tokens := longest(self.survey, rounds)) < too_long
        }
        points = [attempts.point(tokens, rounds) for tokens, rounds in between.items()]
        search = Bisection(len(points))
        while (index := search.next) is not None and attempts.spent < most - 1:
            search.record(index, attempts.fits(points[index]))
        return sure if search.answer is None else [*between.values()][search.answer]

    def confirmed(self, attempts: Attempts, point: TrialPoint) -> TrialOutcome:
        """A trial of exactly the accepted row that FITS, the first of its process.

        A size that fitted once and does not again is given up for the next shorter one that did:
        something else uses the memory now, or it was a matter of a few MiB.

        Raises:
            NothingFits: nothing that fitted fits again.
        """
        fitted = [t for t in attempts.outcomes if t.verdict is Verdict.FITS]
        for outcome in fitted:
            if outcome.measurement and outcome.measurement.fresh and same_row(outcome.point, point):
                return outcome.model_copy(update={"point": point})
        shorter = {
            t.point.row_tokens: t.point for t in fitted if t.point.row_tokens < point.row_tokens
        }
        for candidate in (point, *(shorter[tokens] for tokens in sorted(shorter, reverse=True))):
            if candidate is not point and candidate.max_rounds == self.rounds:
                candidate = self.with_rounds(attempts, candidate)
            outcome = attempts.outcome(candidate, fresh=True)
            if outcome.verdict is Verdict.FITS:
                return outcome
        last = attempts.outcomes[-1]
        if last.verdict in FOR_MEMORY:
            what = "something else uses the memory, close it and probe again"
        else:
            what = remedy(last.verdict, self.setup.device_spec.precision)
        raise NothingFits(
            f"{point.model_max_length} tokens and {rounds_text(point.max_rounds)} fitted once and"
            f" did not again ({last.reason}); {what}"
        )

    def with_rounds(self, attempts: Attempts, point: TrialPoint) -> TrialPoint:
        """A point tried with all rounds, with the most rounds that it keeps whole instead."""
        rounds = self.most_rounds(attempts, point.model_max_length, None, 0)
        return point.model_copy(update={"max_rounds": rounds})

    def described(self, accepted: TrialOutcome, attempts: Attempts, searched: int) -> Fit:
        """The answer with its evidence, each strategy's micro-batching, and its time."""
        measurement, point = accepted.measurement, accepted.point
        assert measurement is not None and isinstance(point.max_rounds, int)
        fit = Fit.from_parts(
            point,
            measurement,
            budget_bytes=self.setup.budget.limit_bytes,
            # The first step warms up caches and fills the allocator; of the others the fastest
            # is the one that other programs disturbed least.
            tokens_per_second=measurement.tokens / min(measurement.step_seconds[1:]),
            trials=tuple(attempts.outcomes[:searched]),
            strategies={},
            fingerprint=self.setup.fingerprint,
            expiry={name: EXPIRY[name] for name in self.setup.fingerprint if name in EXPIRY},
            predicted_peak_bytes=self.predict(point),
            whole=longest(self.survey, point.max_rounds) <= point.model_max_length,
        )
        warning = math_warning(fit.attention) if self.setup.device.traits.attention_varies else None
        if warning is not None:
            attempts.session.emit(events.Warned(message=warning))
        strategies_asked = self.setup.profile.strategies
        usable = usable_strategies(strategies_asked, fit, self.survey)
        search = SpeedSearch(
            attempts,
            fit,
            self.setup.profile.probe.speed_trials,
            compiles=self.setup.profile.probe.tries_compiling(self.setup.device_spec.kind),
        )
        settings = search.settings(usable)
        strategies = {
            s.name: strategy_fit(
                s,
                fit,
                self.survey,
                self.setup,
                measurement,
                settings.get(s.name),
                planned=s in usable,
            )
            for s in strategies_asked
        }
        return fit.model_copy(
            update={
                "strategies": strategies,
                "speed_trials": tuple(attempts.outcomes[searched:]),
            }
        )


def same_row(tried: TrialPoint, asked: TrialPoint) -> bool:
    """Whether a trial ran the very row, micro-batch and checkpointing that are asked for."""
    return (
        tried.row_tokens == asked.row_tokens
        and tried.micro_batch_tokens == asked.micro_batch_tokens
        and tried.gradient_checkpointing == asked.gradient_checkpointing
        and tried.torch_compile == asked.torch_compile
    )
