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
from autotune.files import write_text_atomic
from autotune.job import TrialJob
from autotune.outcome import Fit, Measurement, StrategyFit, TrialOutcome, Verdict
from autotune.plan import LENGTH_GRID, Rounds, Strategy, TrialPoint
from autotune.resolve import clipped_length, resolve_plan, usable_strategies
from autotune.search import Bisection, length_grid, most_trials
from autotune.session import Session
from autotune.setup import Setup, worker_error
from autotune.survey import Survey
from autotune.trials import Ending, How
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
        write_text_atomic(self.session.rundir.fit, fit.model_dump_json(indent=1))
        self.session.note(events.Fitted(fit=fit))
        return fit

    def grid(self) -> list[int]:
        """Lengths worth asking about: from the profile's shortest to what the data can fill."""
        probe = self.setup.profile.probe
        # Rounded down: the last length of the grid may pass the data's longest row, where nothing
        # is cut, but not the model's last position.
        positions = self.setup.max_position_embeddings // LENGTH_GRID * LENGTH_GRID
        longest = min(probe.max_length, max(LENGTH_GRID, positions), self.survey.longest("all"))
        return length_grid(min(probe.min_length, longest), longest, LENGTH_GRID)

    def length_point(self, length: int) -> TrialPoint:
        """A length with all rounds: the longest row that the data can give it."""
        return self.point(length, "all")

    def point(self, length: int, rounds: Rounds) -> TrialPoint:
        """The trial point of a length and a number of rounds."""
        kept = self.survey.kept(length, rounds)
        if kept.conversations == 0:
            raise BadInput(
                f"model_max_length {length}: no conversation keeps a supervised token; the"
                " prompts are longer than that, raise probe.min_length or --model-max-length"
            )
        return TrialPoint(
            model_max_length=length,
            max_rounds=rounds,
            micro_batch_tokens=length,
            gradient_checkpointing=self.setup.profile.probe.gradient_checkpointing,
            row_tokens=kept.longest_row,
        )

    def try_point(self, point: TrialPoint) -> bool:
        """Run one trial in a fresh process, note its verdict, say whether it fits.

        A worker that crashed is given the same point once more in a new process: a poisoned
        device says nothing about size. One that dies twice without a word counts as too big, for
        so does a system end a process that takes all its memory.

        Raises:
            BadInput: the data or the model cannot be used.
            EnvironmentFault: the worker failed twice and said itself that it was not for memory.
        """
        outcome, ending = self.one_trial(point)
        if outcome.verdict is Verdict.CRASHED and ending.how is not How.BAD_JOB:
            outcome, ending = self.one_trial(point)
        if outcome.verdict is Verdict.CRASHED and ending.failed is not None:
            folder = self.session.rundir.probe_folder(len(self.trials))
            raise worker_error(ending, f"trial at {point.model_max_length} tokens", folder)
        return outcome.verdict is Verdict.FITS

    def one_trial(self, point: TrialPoint) -> tuple[TrialOutcome, Ending]:
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
                generate_rows=setup.evaluation_rows,
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
        return outcome, ending

    def most_rounds(self, length: int, too_long: list[int], most: int) -> int:
        """The most rounds whose longest conversation fits whole.

        `too_long` holds the shortest length that did not fit, if there was one. Only rounds whose
        longest conversation lies between the two need a trial; one trial is kept back for the
        confirmation, and when no more are left the answer that needs none is taken.
        """
        every = range(1, self.survey.most_rounds + 1)
        sure = max((r for r in every if self.survey.longest(r) <= length), default=1)
        if not too_long:
            return sure
        # Of rounds with the same longest row the most are meant: it is one question for all.
        between = {
            longest: rounds
            for rounds in every[sure:]
            if (longest := self.survey.longest(rounds)) < too_long[0]
        }
        points = [self.point(longest, rounds) for longest, rounds in between.items()]
        search = Bisection(len(points))
        while (index := search.next) is not None and len(self.trials) < most - 1:
            search.record(index, self.try_point(points[index]))
        return sure if search.answer is None else [*between.values()][search.answer]

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
        # The first step warms up caches and allocates Adam's state; of the others the fastest is
        # the one that other programs disturbed least.
        speed = measurement.tokens / min(measurement.step_seconds[1:])
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
        wished = self.setup.profile.strategies
        usable = {s.name for s in usable_strategies(wished, fit, self.survey)}
        strategies = {
            s.name: self.strategy_fit(s, fit, measurement, s.name in usable) for s in wished
        }
        return fit.model_copy(update={"strategies": strategies})

    def strategy_fit(
        self, strategy: Strategy, fit: Fit, measurement: Measurement, fits: bool
    ) -> StrategyFit:
        """One strategy clipped to the fit. The ETA is measured speed times work: an estimate."""
        setup = self.setup
        kept = self.survey.kept(clipped_length(strategy, fit), strategy.max_rounds)
        if kept.conversations == 0:
            return StrategyFit(
                fits=False,
                model_max_length=clipped_length(strategy, fit),
                max_rounds=strategy.max_rounds,
                conversations=0,
                kept_supervised=0.0,
                steps=0,
                eta_seconds=0.0,
            )
        plan = resolve_plan(strategy, fit, self.survey, setup)
        training = kept.tokens * plan.num_train_epochs / fit.tokens_per_second
        evaluate = setup.profile.evaluate
        batches = -(-len(setup.prompts) // setup.evaluation_rows)
        scoring = batches * (
            measurement.prefill_seconds + evaluate.max_new_tokens * measurement.token_seconds
        )
        return StrategyFit(
            fits=fits,
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
