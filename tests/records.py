"""Whole runs as records, as a real run writes them: for tests of what is drawn and reported.

`story()` is A below the target, then B that meets it; `parrot()` is one trial that scores well by
echoing; `probing()` is a run that has only tried what fits. All times start at `START`.
"""

import math
from collections.abc import Iterable

from autotune.base.sizes import GIB, MIB
from autotune.protocol import events
from autotune.protocol.choices import Precision
from autotune.protocol.events import Record, RunEvent
from autotune.protocol.plan import DataSpec, TrainPlan, TrialPoint
from autotune.protocol.results import (
    Checkpoint,
    Fit,
    Health,
    Measurement,
    StrategyFit,
    TimedStep,
    TrialOutcome,
    Verdict,
)
from autotune.protocol.scores import Metric

START = 1_790_000_000.0
TARGET = 0.25
PROMPTS = 24
DEVICE = "CPU (2 cores)"


class Book:
    """Writes records one after the other on its own clock (seconds since the epoch)."""

    def __init__(self, now: float = START) -> None:
        """An empty book."""
        self.now = now
        self.records: list[Record] = []

    def add(self, event: RunEvent, after: float = 0.0) -> None:
        """Write an event `after` seconds later."""
        self.now += after
        self.records.append(Record(time=self.now, event=event))


def run_started(**changes: object) -> events.RunStarted:
    """The first record of a run."""
    values: dict[str, object] = {
        "target": TARGET,
        "profile": "cpu-smollm2",
        "model": "demo",
        "data": "demo",
        "prompts": "ifeval",
        "device": DEVICE,
        "budget_bytes": 6 * GIB,
        "strategies": ("A", "B"),
        "prompt_count": PROMPTS,
    }
    return events.RunStarted.model_validate(values | changes)


def point(length: int, rounds: int = 4) -> TrialPoint:
    """A point of the probe."""
    return TrialPoint(
        model_max_length=length,
        max_rounds=rounds,
        micro_batch_tokens=2 * length,
        gradient_checkpointing=False,
        row_tokens=length - 3,
    )


def outcomes() -> tuple[TrialOutcome, ...]:
    """Three probe trials: one fits, one is over the budget, one dies."""

    def measured(peak_bytes: int, step: float) -> Measurement:
        return Measurement(
            steps=3,
            peak_bytes=peak_bytes,
            allocated_bytes=peak_bytes - 100 * MIB,
            step_seconds=(step * 1.3, step, step),
            supervised_tokens=900,
            tokens=1500,
            allocator_retries=0,
            finite=True,
        )

    return (
        TrialOutcome(
            point=point(256),
            verdict=Verdict.FITS,
            reason="peak 3.10 GiB within 6.00 GiB",
            seconds=21.0,
            measurement=measured(3 * GIB + 100 * MIB, 1.84),
        ),
        TrialOutcome(
            point=point(1024),
            verdict=Verdict.OVER_BUDGET,
            reason="peak 7.40 GiB is above the budget of 6.00 GiB",
            seconds=44.0,
            measurement=measured(7 * GIB + 400 * MIB, 9.2),
        ),
        TrialOutcome(
            point=point(640),
            verdict=Verdict.OUT_OF_MEMORY,
            reason="killed by the system while in backward",
            seconds=12.0,
        ),
    )


def fit() -> Fit:
    """What that probe concludes."""
    strategies = {
        name: StrategyFit(
            fits=True,
            planned=True,
            model_max_length=256,
            max_rounds=4,
            micro_batch_tokens=512,
            gradient_checkpointing=False,
            conversations=200,
            kept_supervised=0.964,
            steps=steps,
            eta_seconds=eta,
            training_seconds=eta - 34,  # 20 to answer, 14 until a worker is ready
            evaluations=2,
            eta_single_seconds=4 * eta,
            supervised_tokens_per_second=450.0,
        )
        for name, steps, eta in (("A", 12, 150.0), ("B", 20, 260.0))
    }
    fitted = outcomes()[0]
    assert fitted.measurement is not None
    timed = TimedStep(conversations=8, tokens=2000, supervised_tokens=900, seconds=2.0)
    speed = fitted.model_copy(
        update={"measurement": fitted.measurement.model_copy(update={"timed": timed})}
    )
    return Fit(
        model_max_length=256,
        max_rounds=4,
        micro_batch_tokens=512,
        gradient_checkpointing=False,
        budget_bytes=6 * GIB,
        peak_bytes=3 * GIB + 100 * MIB,
        tokens_per_second=812.0,
        trials=outcomes(),
        speed_trials=(speed,),
        predicted_peak_bytes=3 * GIB,
        strategies=strategies,
        fingerprint={"torch": "2.13.0+cpu", "device": DEVICE},
    )


def plan(strategy: str = "A", **changes: object) -> TrainPlan:
    """A plan of 12 steps (A) or 20 steps (any other), checkpoints at 80 and 100 %."""
    values: dict[str, object] = {
        "strategy": strategy,
        "model_folder": "models/demo",
        "data": DataSpec(path="demo.jsonl", format="messages"),
        "conversations": 64,
        "model_max_length": 256,
        "max_rounds": 4,
        "micro_batch_tokens": 512,
        "gradient_checkpointing": False,
        "precision": Precision.BF16,
        "learning_rate": 4e-5 if strategy == "A" else 6e-5,
        "num_train_epochs": 3 if strategy == "A" else 5,
        "batch_size": 16,
        "weight_decay": 0.0,
        "warmup_ratio": 0.2,
        "lr_scheduler_type": "cosine",
        "seed": 7,
        "checkpoint_fractions": (0.8, 1.0),
        "resume_every_seconds": 60.0,
    }
    return TrainPlan.model_validate(values | changes)


def step_done(step: int, total: int, **changes: object) -> events.StepDone:
    """Step of a falling, slightly restless loss; 3 s and 2400 tokens each."""
    values: dict[str, object] = {
        "step": step,
        "total_steps": total,
        "loss": 1.35 + 0.55 * math.exp(-4 * step / total) + 0.03 * math.sin(2.4 * step),
        "grad_norm": 0.8 + 0.1 * math.cos(step),
        "learning_rate": 4e-5 * (1 + math.cos(math.pi * step / total)) / 2,
        "supervised_tokens": 1600,
        "tokens": 2400,
        "seconds": 3.0,
        "memory_bytes": 3 * GIB,
    }
    return events.StepDone.model_validate(values | changes)


def checkpoint(number: int, step: int, progress: float) -> Checkpoint:
    """A checkpoint in the folder of its trial, relative to the run folder."""
    folder = f"trials/{number:04d}/checkpoints/step-{step:06d}"
    return Checkpoint(step=step, progress=progress, folder=folder)


HEALTHY = Health(stop=0.958, loop=0.0, echo=0.042, empty=0.0)
PARROT = Health(stop=1.0, loop=0.0, echo=1.0, empty=0.0)


def wilson(passes: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    z, share = 1.96, passes / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total**2))
    half /= 1 + z * z / total
    return middle - half, middle + half


def evaluated(
    number: int, at: Checkpoint, passes: int | None, health: Health = HEALTHY, n: int = PROMPTS
) -> events.Evaluated:
    """A checkpoint's score; `passes` None is an evaluation that failed.

    Where the answers are the prompts given back, it counts for nothing.
    """
    if passes is None:
        return events.Evaluated(
            number=number,
            checkpoint=at,
            prompt_strict=None,
            instruction_strict=None,
            prompt_loose=None,
            instruction_loose=None,
            interval=None,
            health=None,
            met=False,
            problem="answers of 3 prompts are missing",
        )
    unhealthy = ("echo 100.0 % is above 20.0 %",) if health.echo > 0.2 else ()
    return events.Evaluated(
        number=number,
        checkpoint=at,
        prompt_strict=Metric.of(passes, n),
        instruction_strict=Metric.of(passes + 9, n + 14),
        prompt_loose=Metric.of(passes + 1, n),
        instruction_loose=Metric.of(passes + 10, n + 14),
        interval=wilson(passes, n),
        health=health,
        met=passes / n >= TARGET and not unhealthy,
        unhealthy=unhealthy,
        counts=0.0 if unhealthy else passes / n,
    )


def baseline(name: str, passes: int, health: Health) -> events.BaselineScored:
    """A baseline on all prompts."""
    return events.BaselineScored.model_validate(
        {
            "name": name,
            "prompt_strict": Metric.of(passes, PROMPTS),
            "interval": wilson(passes, PROMPTS),
            "health": health,
        }
    )


def _begin(book: Book, echo: int) -> None:
    book.add(run_started())
    book.add(events.Ready(pid=4242, device="CPU", transformers="5.24.0"), after=4)
    book.add(
        events.Surveyed(
            path="survey.json", conversations=200, dropped={"no assistant": 2}, literal_markers=1
        ),
        after=2,
    )
    for outcome in outcomes():
        book.add(events.ProbeTried(outcome=outcome), after=outcome.seconds)
    book.add(events.Fitted(fit=fit()))
    book.add(baseline("echo", echo, PARROT.model_copy(update={"stop": None})), after=1)
    _answer(book)
    untrained = baseline("untrained", 3, Health(stop=0.708, loop=0.167, echo=0.0, empty=0.0))
    book.add(untrained.model_copy(update={"seconds": 10.0}), after=1)


def _answer(book: Book) -> None:
    for done in range(4, PROMPTS + 1, 4):
        book.add(
            events.Answered(done=done, total=PROMPTS, new_tokens=done * 90, seconds=2.5 * done),
            after=10,
        )


def _train(book: Book, number: int, told: TrainPlan) -> list[Checkpoint]:
    """The records of one training run; gives the checkpoints to score."""
    total = told.total_steps
    book.add(events.TrialStarted(number=number, optuna_number=0, plan=told), after=1)
    book.add(events.Ready(pid=4243, device=DEVICE, torch="2.13.0+cpu", transformers="5.24.0"), 3)
    saved: list[Checkpoint] = []
    for step in range(1, total + 1):
        book.add(step_done(step, total, learning_rate=told.learning_rate), after=3)
        if step in told.checkpoint_steps:
            saved.append(checkpoint(number, step, step / total))
            book.add(events.CheckpointSaved(checkpoint=saved[-1], scored=True), after=1)
    book.add(
        events.Trained(steps=total, skipped_steps=0, weights_moved=0.0123, seconds=3.0 * total)
    )
    return saved


def story() -> list[Record]:
    """A whole run: A stays below the target, B meets it with healthy answers."""
    book = Book()
    _begin(book, echo=5)
    for number, (strategy, passes) in enumerate((("A", (4, 5)), ("B", (6, 8)))):
        for at, passed in zip(_train(book, number, plan(strategy)), passes, strict=True):
            _answer(book)
            book.add(evaluated(number, at, passed), after=1)
        book.add(events.TrialEnded(number=number, best=passes[-1] / PROMPTS))
        if strategy == "A":
            reason = "best 20.8 % is below the target of 25.0 %"
            book.add(events.Escalated(previous="A", next="B", reason=reason))
    book.add(events.RunEnded(met=True, reason="strategy B reached 25.0 % with healthy answers"))
    return book.records


def parrot() -> list[Record]:
    """A run whose only trial passes many prompts by echoing them: not a success."""
    book = Book()
    _begin(book, echo=9)
    for at in _train(book, 0, plan("A")):
        _answer(book)
        book.add(evaluated(0, at, 9, PARROT), after=1)
    book.add(events.TrialEnded(number=0, best=9 / PROMPTS - 1))
    reason = "best 37.5 % is not a success: echo 100.0 % is above 20.0 %"
    book.add(events.RunEnded(met=False, reason=f"every strategy tried; {reason}"))
    return book.records


def probing() -> list[Record]:
    """A run that is still asking what fits."""
    return until(story(), events.Fitted)[:-1]


def training(step: int = 7) -> list[Record]:
    """A run in the middle of A's training, just after this step."""
    found: list[Record] = []
    for record in story():
        found.append(record)
        if isinstance(record.event, events.StepDone) and record.event.step == step:
            break
    return found


def until(records: Iterable[Record], kind: type[RunEvent]) -> list[Record]:
    """The records up to and with the first of a kind."""
    found: list[Record] = []
    for record in records:
        found.append(record)
        if isinstance(record.event, kind):
            break
    return found
