"""The probe: the longest `model_max_length` and the most `max_rounds` that fit the budget.

Length is bisected by real trial steps on the longest row that the data keeps. Rounds matter for
memory only through that row, so most round counts are already answered by a longer row that
fitted or a shorter one that did not; only those in between need a trial.
"""

from dataclasses import dataclass

from autotune import events
from autotune.budget import show_size
from autotune.errors import BadInput, NothingFits
from autotune.events import WorkerEvent
from autotune.job import TrialJob
from autotune.outcome import Fit, Measurement, StrategyFit, TrialOutcome, Verdict
from autotune.plan import LENGTH_GRID, TrialPoint
from autotune.resolve import resolve_plan, usable_strategies
from autotune.search import Bisection, length_grid, most_trials
from autotune.session import Session
from autotune.setup import Setup
from autotune.survey import Survey
from autotune.verdicts import judge


@dataclass
class Probe:
    """One probe in progress: what is asked, and every trial so far."""

    session: Session
    setup: Setup
    survey: Survey

    def __post_init__(self) -> None:
        self.trials: list[TrialOutcome] = []

    def run(self) -> Fit:
        """Search, confirm and write `fit.json`.

        Raises:
            NothingFits: not even the shortest length of the grid fits the budget.
        """
        grid = self.grid()
        most = most_trials(len(grid))
        bisection = Bisection(len(grid))
        while (index := bisection.next) is not None:
            bisection.record(index, self.try_point(self.length_point(grid[index])))
        if bisection.answer is None:
            worst = self.trials[-1]
            raise NothingFits(
                f"budget {show_size(self.setup.budget.limit_bytes)}: not even"
                f" {worst.point.model_max_length} tokens fit ({worst.reason}); close what else uses"
                " the memory, raise --vram-budget, or choose a smaller model"
            )
        length = grid[bisection.answer]
        rounds = self.most_rounds(length, grid[bisection.failed : bisection.failed + 1], most)
        accepted = self.confirmed(self.point(length, rounds))
        fit = self.describe(accepted)
        self.session.note(events.Fitted(fit=fit))
        return fit

    def grid(self) -> list[int]:
        """Lengths worth asking about: from the profile's shortest to what the data can fill."""
        probe = self.setup.profile.probe
        longest = min(
            probe.max_length, self.setup.max_position_embeddings, self.survey.longest("all")
        )
        return length_grid(min(probe.min_length, longest), longest, LENGTH_GRID)

    def length_point(self, length: int) -> TrialPoint:
        """A length with all rounds: the longest row that the data can give it."""
        return self.point(length, "all")

    def point(self, length: int, rounds: int | str) -> TrialPoint:
        """The trial point of a length and a number of rounds."""
        kept = self.survey.kept(length, rounds)  # type: ignore[arg-type]
        if kept.conversations == 0:
            raise BadInput(
                f"model_max_length {length}: no conversation keeps a supervised token; the"
                " prompts are longer than that, raise probe.min_length or --model-max-length"
            )
        return TrialPoint(
            model_max_length=length,
            max_rounds=rounds,  # type: ignore[arg-type]
            micro_batch_tokens=length,
            gradient_checkpointing=self.setup.profile.probe.gradient_checkpointing,
            row_tokens=kept.longest_row,
        )

    def try_point(self, point: TrialPoint) -> bool:
        """Run one trial in a fresh process, note its verdict, say whether it fits.

        A worker that crashed is given the same point once more in a new process: a poisoned
        device says nothing about size.
        """
        outcome = self.one_trial(point)
        if outcome.verdict is Verdict.CRASHED:
            outcome = self.one_trial(point)
        return outcome.verdict is Verdict.FITS

    def one_trial(self, point: TrialPoint) -> TrialOutcome:
        """One process, one verdict."""
        setup = self.setup
        measured: list[Measurement] = []

        def hear(event: WorkerEvent) -> None:
            if isinstance(event, events.Measured):
                measured.append(event.measurement)

        ending = self.session.work(
            TrialJob(
                device=setup.device_spec,
                model_folder=str(setup.model_folder),
                data=setup.data,
                point=point,
                generate_rows=min(setup.profile.evaluate.batch_size, len(setup.prompts)),
                generate_context=setup.evaluation_context,
                seed=setup.profile.train.seed,
            ),
            self.session.rundir.probe_folder(len(self.trials) + 1),
            silence_seconds=setup.profile.probe.trial_timeout_seconds,
            resident_limit_bytes=setup.resident_limit_bytes,
            hear=hear,
        )
        outcome = judge(point, ending, measured[-1] if measured else None, setup.budget)
        self.trials.append(outcome)
        self.session.note(events.ProbeTried(outcome=outcome))
        return outcome

    def most_rounds(self, length: int, too_long: list[int], most: int) -> int:
        """The most rounds whose longest conversation fits whole.

        `too_long` holds the shortest length that did not fit, if one was tried. One trial is kept
        back for the confirmation; when no more are left, the answer that needs none is taken.
        """
        known_bad = too_long[0] if too_long else None
        candidates = [r for r in range(1, self.survey.most_rounds + 1) if self.open(r, known_bad)]
        sure = max((r for r in candidates if self.survey.longest(r) <= length), default=1)
        for rounds in sorted((r for r in candidates if r > sure), reverse=True):
            if len(self.trials) >= most - 1:
                break
            whole = -(-self.survey.longest(rounds) // LENGTH_GRID) * LENGTH_GRID
            if whole <= self.setup.max_position_embeddings and self.try_point(
                self.point(whole, rounds)
            ):
                return rounds
        return sure

    def open(self, rounds: int, known_bad: int | None) -> bool:
        """Whether these rounds are not yet ruled out by a shorter row that did not fit."""
        longest = self.survey.longest(rounds)
        return longest < known_bad if known_bad else longest <= self.setup.max_position_embeddings

    def confirmed(self, point: TrialPoint) -> TrialOutcome:
        """A trial of exactly the accepted row that FITS; each ran in a process of its own."""
        for outcome in self.trials:
            if outcome.verdict is Verdict.FITS and same_row(outcome.point, point):
                return outcome.model_copy(update={"point": point})
        if not self.try_point(point):
            raise NothingFits(
                f"{point.model_max_length} tokens and {point.max_rounds} rounds fitted once and"
                f" did not again ({self.trials[-1].reason}); something else uses the memory, close"
                " it and probe again"
            )
        return self.trials[-1]

    def describe(self, accepted: TrialOutcome) -> Fit:
        """The answer with its evidence and an estimate of every strategy's time."""
        measurement = accepted.measurement
        assert measurement is not None and isinstance(accepted.point.max_rounds, int)
        # The first step also warms up caches and allocates Adam's state.
        later = measurement.step_seconds[1:]
        speed = measurement.tokens * len(later) / sum(later)
        fit = Fit(
            model_max_length=accepted.point.model_max_length,
            max_rounds=accepted.point.max_rounds,
            micro_batch_tokens=accepted.point.micro_batch_tokens,
            gradient_checkpointing=accepted.point.gradient_checkpointing,
            budget_bytes=self.setup.budget.limit_bytes,
            peak_bytes=measurement.peak_bytes,
            tokens_per_second=speed,
            trials=tuple(self.trials),
            strategies={},
            fingerprint=self.setup.fingerprint,
        )
        usable = {
            s.name for s in usable_strategies(self.setup.profile.strategies, fit, self.survey)
        }
        strategies = {
            strategy.name: self.strategy_fit(strategy.name, fit, measurement, usable)
            for strategy in self.setup.profile.strategies
        }
        return fit.model_copy(update={"strategies": strategies})

    def strategy_fit(
        self, name: str, fit: Fit, measurement: Measurement, usable: set[str]
    ) -> StrategyFit:
        """One strategy clipped to the fit. The ETA is measured speed times work: an estimate."""
        setup = self.setup
        strategy = next(s for s in setup.profile.strategies if s.name == name)
        plan = resolve_plan(strategy, fit, self.survey, setup)
        kept = self.survey.kept(plan.model_max_length, plan.max_rounds)
        training = kept.tokens * plan.num_train_epochs / fit.tokens_per_second
        evaluate = setup.profile.evaluate
        batches = -(-len(setup.prompts) // evaluate.batch_size)
        scoring = batches * (
            measurement.prefill_seconds + evaluate.max_new_tokens * measurement.token_seconds
        )
        return StrategyFit(
            fits=name in usable,
            model_max_length=plan.model_max_length,
            max_rounds=plan.max_rounds,
            conversations=plan.conversations,
            kept_supervised=kept.supervised_share,
            steps=plan.total_steps,
            eta_seconds=training + scoring * len(plan.checkpoint_steps),
        )


def same_row(tried: TrialPoint, asked: TrialPoint) -> bool:
    """Whether a trial ran the very row, micro-batch and checkpointing that are asked for."""
    return (
        tried.row_tokens == asked.row_tokens
        and tried.micro_batch_tokens == asked.micro_batch_tokens
        and tried.gradient_checkpointing == asked.gradient_checkpointing
    )
