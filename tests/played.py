"""Workers and scorers that play their part at once: a memory, a training, a judge of answers."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from autotune.base.manifest import seal, verified
from autotune.base.sizes import GIB, MIB
from autotune.data.survey import Survey
from autotune.fit.probe import Probe
from autotune.protocol import events
from autotune.protocol.events import WorkerEvent
from autotune.protocol.job import AverageJob, GenerateJob, Job, TrainJob, TrialJob
from autotune.protocol.plan import Strategy, TrialPoint
from autotune.protocol.results import Checkpoint, EvalReport, Fit, TimedStep
from autotune.score.answers import Answer
from autotune.score.ifeval.prompts import IFEvalPrompt
from autotune.score.ifeval.scorer import IFEval
from tests import setups
from tests.fakes.runner import FakeRunner
from tests.setups import PARROT, Played, done, measurement, prompts, report


@dataclass
class Memory:
    """A worker whose trials peak at `base + each * tokens at once` bytes, and what it was asked.

    `answers` maps a number of the trial, from 0, to another way to end it. `seconds` times a step
    over ordinary rows. Whether it has a compiler that works, `compiles` says. A process serves
    trials until the runner is told to renew it.
    """

    base: int
    each: int
    answers: dict[int, Played] = field(default_factory=dict)
    points: list[TrialPoint] = field(default_factory=list)
    seconds: Callable[[TrialPoint], float] = lambda _: 1.0
    compiles: bool = True
    runner: FakeRunner | None = None
    renewed: int = -1

    def peak(self, row_tokens: int) -> int:
        """The peak of a row, in bytes."""
        return self.base + self.each * row_tokens

    def __call__(self, job: Job) -> Played:
        """Play one trial."""
        assert isinstance(job, TrialJob)
        self.points.append(job.point)
        if (other := self.answers.get(len(self.points) - 1)) is not None:
            return other
        point = job.point
        at_once = max(1, point.micro_batch_tokens // point.row_tokens) * point.row_tokens
        if point.gradient_checkpointing:
            at_once //= 4
        fresh, self.renewed = self.renewed != self.runner_renewed, self.runner_renewed
        timed = None
        if job.timed_conversations:
            timed = TimedStep(
                conversations=job.timed_conversations,
                tokens=100 * job.timed_conversations,
                supervised_tokens=50 * job.timed_conversations,
                seconds=self.seconds(point),
            )
        told = measurement(
            self.peak(at_once),
            point.row_tokens,
            fresh=fresh,
            timed=timed,
            torch_compile=point.torch_compile and self.compiles,
        )
        return [events.Measured(measurement=told)], done()

    @property
    def runner_renewed(self) -> int:
        """How often the runner gave up a process so far; without one, every trial has its own."""
        return self.runner.renewed if self.runner else len(self.points)


BASE, EACH = 100 * MIB, MIB


@contextmanager
def probing(
    memory: Memory,
    data: Survey,
    limit_bytes: int,
    *strategies: Strategy,
    positions: int = 8192,
    card: bool = False,
    **bounds: object,
) -> Iterator[Probe]:
    """A probe in a fresh run folder, its workers played by `memory`."""
    with tempfile.TemporaryDirectory() as folder:
        session, memory.runner = setups.session(Path(folder), memory)
        chosen = setups.profile(*strategies, **{"min_length": 64, "max_length": 8192} | bounds)
        yield Probe(session, setups.setup(chosen, limit_bytes, positions, card=card), data)


def fitting(tokens: int) -> int:
    """The budget that a row of so many tokens just fits."""
    return BASE + EACH * tokens


def probed(
    memory: Memory, data: Survey, limit: int, *, card: bool = False, **bounds: object
) -> tuple[Fit, list[str]]:
    """The fit, and the verdicts in the order of the trials."""
    with probing(memory, data, limit, card=card, **bounds) as probe:
        return probe.run(), [t.verdict.value for t in probe.trials]


@dataclass
class Judge(IFEval):
    """A scorer that gives what `given` says of the model's folder; a parrot's answers pass one."""

    given: Callable[[str], object]
    name: str = "test"
    decides_early: bool = False
    scored: list[str] = field(default_factory=list)

    def score(self, asked: Sequence[IFEvalPrompt], answers: Sequence[Answer]) -> EvalReport:
        """The report on the model that gave the answers; played workers sign theirs with it."""
        if answers[0].response == asked[0].prompt:
            return report(1, len(asked), PARROT)
        folder = str(answers[0].response)
        self.scored.append(folder)
        return self.given(folder)  # type: ignore[return-value]


@dataclass
class Workers:
    """Workers that train and answer at once, unless `instead` ends a job otherwise.

    `instead` gets the job and how many of its kind came before. A training writes a small folder
    for each checkpoint and goes on after those that are there.
    """

    instead: Callable[[Job, int], Played | None] = lambda _job, _before: None
    seen: list[Job] = field(default_factory=list)

    def __call__(self, job: Job) -> Played:
        """Play one job."""
        before = sum(type(old) is type(job) for old in self.seen)
        self.seen.append(job)
        other = self.instead(job, before)
        if other is not None:
            return other
        if isinstance(job, AverageJob):
            return self.average(job)
        return self.train(job) if isinstance(job, TrainJob) else self.answer(job)

    def train(self, job: TrainJob, until: int | None = None) -> Played:
        """All steps that are left, or those before `until`."""
        root, total = Path(job.out), job.plan.total_steps
        for folder in root.glob("step-*"):
            if not verified(folder):
                shutil.rmtree(folder)
        there = sorted(int(folder.name.removeprefix("step-")) for folder in root.glob("step-*"))
        played: list[WorkerEvent] = [events.Resumed(step=there[-1])] if there else []
        # As the worker does: what was saved and perhaps not recorded is told again.
        played += [saved_at(root / f"step-{step:06d}", step, total) for step in there]
        for step in range(there[-1] + 1 if there else 1, until or total + 1):
            played.append(step_done(step, job))
            if step in job.plan.checkpoint_steps:
                folder = root / f"step-{step:06d}"
                folder.mkdir(parents=True)
                (folder / "model.safetensors").write_bytes(b"weights")
                (folder / "optimizer.safetensors").write_bytes(b"moments")
                seal(folder)
                played.append(saved_at(folder, step, total))
        if until is None:
            played.append(
                events.Trained(steps=total, skipped_steps=0, weights_moved=0.01, seconds=1.0)
            )
        return played, done()

    def average(self, job: AverageJob) -> Played:
        """A folder beside those that it is the mean of, all of which must be there."""
        folder = Path(job.out) / job.checkpoint.name
        for each in job.of:
            assert (Path(job.out) / each.name / "model.safetensors").exists()
        folder.mkdir(exist_ok=True)
        (folder / "model.safetensors").write_bytes(b"mean")
        (folder / "manifest.json").unlink(missing_ok=True)
        seal(folder)
        return [events.CheckpointSaved(checkpoint=job.checkpoint, scored=True)], done()

    def answer(self, job: Job) -> Played:
        """Every prompt answered with the name of the model's folder."""
        assert isinstance(job, GenerateJob)
        out = Path(job.out)
        out.parent.mkdir(parents=True, exist_ok=True)
        answers = [
            Answer(key=p.key, prompt=p.prompt, response=job.model_folder, finish="stop")
            for p in prompts()
        ]
        out.write_text("".join(a.model_dump_json() + "\n" for a in answers), encoding="utf-8")
        return [], done()

    def trainings(self) -> list[TrainJob]:
        """The training jobs, in order."""
        return [job for job in self.seen if isinstance(job, TrainJob)]


def saved_at(folder: Path, step: int, total: int) -> events.CheckpointSaved:
    """A checkpoint that will be scored."""
    at = Checkpoint(step=step, progress=step / total, folder=str(folder))
    return events.CheckpointSaved(checkpoint=at, scored=True)


def step_done(step: int, job: TrainJob) -> events.StepDone:
    """One optimizer step of a training."""
    return events.StepDone(
        step=step,
        total_steps=job.plan.total_steps,
        loss=1.0,
        grad_norm=1.0,
        learning_rate=job.plan.learning_rate,
        supervised_tokens=50,
        tokens=100,
        seconds=1.0,
        memory_bytes=GIB // 2,
    )
