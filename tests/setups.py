"""What a run works with, without a machine behind it: setup, survey, session and played workers.

Nothing here is patched: the runner is `tests.fakes.runner.FakeRunner`, the scorer keeps the
scorer's protocol.
"""

import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

from autotune.base.sizes import GIB
from autotune.config.load import profiles_folder, read_profile
from autotune.config.profile import Profile
from autotune.data.survey import Survey, SurveyFile
from autotune.data.truncation import RoundSpan
from autotune.device.budget import Budget
from autotune.device.find import Device
from autotune.launch import JobResult
from autotune.protocol import events
from autotune.protocol.choices import Precision, Truncation
from autotune.protocol.events import WorkerEvent
from autotune.protocol.failure import Failure
from autotune.protocol.job import DeviceSpec, Job
from autotune.protocol.plan import DataSpec, Strategy, TrialPoint
from autotune.protocol.results import (
    EvalReport,
    Fit,
    Health,
    Measurement,
    TrialOutcome,
    Verdict,
)
from autotune.protocol.scores import Metric
from autotune.run.folder import RunDir
from autotune.run.session import Session
from autotune.run.setup import Setup
from autotune.score.ifeval.prompts import IFEvalPrompt
from autotune.score.stats import wilson
from tests.fakes.runner import FakeRunner

HEALTHY = Health(stop=0.95, loop=0.0, echo=0.0, empty=0.0)
PARROT = Health(stop=1.0, loop=0.0, echo=1.0, empty=0.0)

Played = tuple[Iterable[WorkerEvent], JobResult]


def strategy(name: str = "A", **changes: object) -> Strategy:
    """Two epochs, eight conversations a step."""
    values: dict[str, object] = {
        "name": name,
        "learning_rate": 1e-3,
        "num_train_epochs": 2,
        "batch_size": 8,
        "model_max_length": 128,
        "max_rounds": 2,
        "weight_decay": 0.0,
        "warmup_ratio": 0.2,
    }
    return Strategy.model_validate(values | changes)


def profile(*strategies: Strategy, **probe: object) -> Profile:
    """The smallest profile that is shipped, with other strategies and probe bounds.

    Played answers are all alike and follow nothing, so their scores count as they are.
    """
    tree = json.loads(
        read_profile(profiles_folder() / "cpu-smoke.toml").model_dump_json(by_alias=True)
    )
    tree["probe"] |= {"speed_trials": 0} | probe
    tree["evaluate"] |= {"score_per_lift": 0}
    if strategies:
        tree["strategy"] = [json.loads(s.model_dump_json()) for s in strategies]
    return Profile.model_validate_json(json.dumps(tree))


def prompts(count: int = 8) -> tuple[IFEvalPrompt, ...]:
    """Prompts that ask for answers without a comma."""
    return tuple(
        IFEvalPrompt(
            key=key,
            prompt=f"Say {key} without a comma.",
            instruction_id_list=("punctuation:no_comma",),
            kwargs=({},),
        )
        for key in range(count)
    )


def setup(
    chosen: Profile,
    limit_bytes: int = GIB,
    positions: int = 8192,
    folder: Path = Path("model"),
    *,
    card: bool = False,
) -> Setup:
    """A setup on a CPU, or on a card, with this much memory to use."""
    budget = Budget(total_bytes=limit_bytes, reserve_bytes=0, source="test")
    kind: Literal["cuda", "cpu"] = "cuda" if card else "cpu"
    return Setup(
        profile=chosen,
        device=Device(kind, kind.upper(), 0, None, 4 * limit_bytes, 2 * limit_bytes, None),
        device_spec=DeviceSpec(kind=kind, precision=Precision.FP32, limit_bytes=limit_bytes),
        budget=budget,
        model_label="toy",
        model_folder=folder,
        max_position_embeddings=positions,
        data=DataSpec(path="chat.jsonl", format="messages"),
        data_label="chat.jsonl",
        prompts=prompts(),
        prompts_label="prompts.jsonl",
        fingerprint={"device": "CPU"},
    )


def survey(
    *conversations: Sequence[int], truncation: Truncation = Truncation.RIGHT, prompt: int = 3
) -> Survey:
    """A survey of conversations given as the tokens of each of their rounds, 8 or more.

    A round is `prompt` tokens of question, then the answer, then one token after it.
    """
    rows = []
    for rounds in conversations:
        stops = [0, *itertools.accumulate(rounds)]
        rows.append(
            tuple(
                RoundSpan(start=begin + prompt, end=stop - 1, stop=stop)
                for begin, stop in itertools.pairwise(stops)
            )
        )
    file = SurveyFile(conversations=tuple(rows), dropped={}, literal_markers=0)
    return Survey(file, truncation)


def session(folder: Path, script: Callable[[Job], Played]) -> tuple[Session, FakeRunner]:
    """A session on a run folder whose workers play a script; its clock ticks once a look."""
    ticks = itertools.count(1_790_000_000)
    runner = FakeRunner(script)
    return Session(RunDir(folder), runner, clock=lambda: float(next(ticks))), runner


def done(seconds: float = 1.0) -> JobResult:
    """The end of a worker that did its job."""
    return JobResult(None, "", seconds)


def failed(fault: Failure, message: str, phase: str = "backward") -> JobResult:
    """The end of a worker that said itself what it failed of."""
    said = events.Failed(fault=fault, phase=phase, message=message)
    return JobResult(fault, message, 1.0, phase, said)


def crashed() -> JobResult:
    """The end of a worker that died without a word."""
    return JobResult(Failure.CRASHED, "worker ended with code 1 during backward", 1.0, "backward")


def measurement(peak_bytes: int, tokens: int = 100, **changes: object) -> Measurement:
    """What a whole trial measures: three steps, the first one slower."""
    values: dict[str, object] = {
        "steps": 3,
        "peak_bytes": peak_bytes,
        "allocated_bytes": peak_bytes // 2,
        "step_seconds": (0.3, 0.1, 0.1),
        "supervised_tokens": tokens // 2,
        "tokens": tokens,
        "allocator_retries": 0,
        "finite": True,
    }
    return Measurement.model_validate(values | changes)


def tried(
    measured: Measurement, length: int, *, rounds: int, row_tokens: int, seconds: float
) -> TrialOutcome:
    """A trial that fits, of one sequence at a time without gradient checkpointing."""
    point = TrialPoint(
        model_max_length=length,
        max_rounds=rounds,
        micro_batch_tokens=length,
        gradient_checkpointing=False,
        row_tokens=row_tokens,
    )
    return TrialOutcome(
        point=point, verdict=Verdict.FITS, reason="", seconds=seconds, measurement=measured
    )


def report(passes: int, n: int = 8, health: Health = HEALTHY) -> EvalReport:
    """A report in which every prompt has one instruction."""
    metric = Metric.of(passes, n)
    return EvalReport(
        n=n,
        score=metric,
        instruction_strict=metric,
        prompt_loose=metric,
        instruction_loose=metric,
        interval=wilson(passes, n),
        health=health,
        by_type={},
        unmatched=(),
        verdicts=(),
    )


def fit(length: int = 128, micro_batch_tokens: int = 128, **changes: object) -> Fit:
    """What a probe said fits."""
    values: dict[str, object] = {
        "model_max_length": length,
        "max_rounds": 2,
        "micro_batch_tokens": micro_batch_tokens,
        "gradient_checkpointing": False,
        "budget_bytes": GIB,
        "peak_bytes": GIB // 2,
        "tokens_per_second": 1000.0,
        "trials": (),
        "strategies": {},
        "fingerprint": {"device": "CPU"},
    }
    return Fit.model_validate(values | changes)
