"""SIGKILLs over an evaluation, anywhere between its start and its end: the very same answers."""

import io
import json
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import torch

from autotune.launch import SubprocessRunner
from autotune.protocol import events
from autotune.protocol.events import WORKER_EVENT, WorkerEvent
from autotune.protocol.job import GenerateJob
from autotune.score.early_verdicts import decided_file, read_decided
from autotune.score.ifeval.arguments import Argument
from autotune.score.ifeval.prompts import IFEvalPrompt
from autotune.worker.channel import Pipe
from autotune.worker.generate.job import generate
from tests.worker.toys import WORDS, cpu, device, loaded_toy, of_kind, save_toy

pytestmark = [pytest.mark.torch, pytest.mark.slow]

PROMPTS = 40
WRITTEN, BETWEEN, LOADING = "written", "between", "loading"
"""Moments of a kill: as soon as an answer stands in its file, told or not; at any time between two
answers; while the model is loaded."""

RULES: tuple[tuple[str, dict[str, Argument]], ...] = (
    ("change_case:english_lowercase", {}),
    ("startend:quotation", {}),
    ("keywords:letter_frequency", {"letter": "e", "let_frequency": 1, "let_relation": "at least"}),
    ("length_constraints:number_words", {"num_words": 500, "relation": "at least"}),
)
"""Some are broken early, some are followed early, some are open to the end."""

TORN = (
    '{"key": 3, "prompt": "stone", "response": "\u00e4'.encode()[:-1],  # inside a character
    b'{"key": 5, "strict": fal',
)
"""What a kill may leave of a line, in the file of answers and in that of decided ones."""


@dataclass
class Calm:
    """A job that nothing disturbs: its files, and how long its parts take."""

    job: GenerateJob
    loading: float
    between: float


@dataclass
class Killer:
    """Kills its worker `delay` seconds after a moment, once `at` answers are on disk.

    `kept` are the lines of both files before it began; at no time may one of them be missing.
    """

    job: GenerateJob
    kept: list[list[bytes]]
    moment: str
    at: int
    delay: float
    emitted: list[WorkerEvent] = field(default_factory=list)
    pid: int | None = None

    def __call__(self, event: WorkerEvent) -> None:
        self.emitted.append(event)
        kept_lines(self.job, self.kept)
        if isinstance(event, events.Ready):
            self.pid = event.pid
        if self.pid is None or not self.due(event):
            return
        time.sleep(self.delay)  # the moment itself: nothing is waited for
        psutil.Process(self.pid).kill()
        self.pid = None

    def due(self, event: WorkerEvent) -> bool:
        """Whether the moment has come; an answer that is written is waited for in its file."""
        phase = event.name if isinstance(event, events.Phase) else ""
        if self.moment == LOADING:
            return phase == "loading"
        if self.moment == BETWEEN:
            begun = phase == "generation" or isinstance(event, events.Answered)
            return begun and on_disk(self.job) >= self.at
        if phase != "generation":
            return False
        most = max(self.at, on_disk(self.job) + 1)
        late = time.monotonic() + 60
        while on_disk(self.job) < most:
            assert time.monotonic() < late, "no answer came"
        return True


def files(job: GenerateJob) -> tuple[Path, Path]:
    """Where the answers and the decided ones stand."""
    return Path(job.out), decided_file(Path(job.out))


def whole_lines(path: Path) -> list[bytes]:
    data = path.read_bytes() if path.exists() else b""
    return data[: data.rfind(b"\n") + 1].splitlines(keepends=True)


def on_disk(job: GenerateJob) -> int:
    """How many prompts a job need not answer any more; a full one finishes the decided answers."""
    answers, decided = files(job)
    left = 0 if job.early_seed is None else len(whole_lines(decided))
    return len(whole_lines(answers)) + left


def in_any_order(path: Path) -> list[bytes]:
    """All lines of a file byte for byte; which answer ends first is not the same each time."""
    return sorted(path.read_bytes().splitlines(keepends=True))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy that takes its time, and whose answers are of all lengths."""
    folder = save_toy(tmp_path_factory.mktemp("model"), num_hidden_layers=6)
    loaded = loaded_toy(folder)
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in loaded.model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.15)
    loaded.model.save_pretrained(folder)
    return folder


def calm_job(model: Path, folder: Path, early_seed: int | None = None) -> Calm:
    """Do a job in this process, in peace."""
    draw = random.Random(1)
    prompts = folder / "prompts.jsonl"
    with prompts.open("w", encoding="utf-8", newline="\n") as file:
        for key in range(PROMPTS):
            rule, arguments = RULES[key % len(RULES)]
            prompt = IFEvalPrompt(
                key=key,
                prompt=" ".join(draw.choices(WORDS, k=draw.randint(2, 12))),
                instruction_id_list=(rule,),
                kwargs=(arguments,),
            )
            file.write(prompt.model_dump_json() + "\n")
    job = GenerateJob(
        device=device(),
        model_folder=str(model),
        prompts=str(prompts),
        out=str(folder / "calm" / "responses.jsonl"),
        max_new_tokens=160,
        batch_size=4,
        prefill_tokens=4096,
        early_seed=early_seed,
    )
    stream = io.BytesIO()
    begin = time.perf_counter()
    generate(job, cpu(), Pipe(stream))
    whole = time.perf_counter() - begin
    emitted = [WORKER_EVENT.validate_json(line) for line in stream.getvalue().splitlines()]
    keys = [json.loads(line)["key"] for path in files(job) for line in whole_lines(path)]
    assert sorted(keys) == list(range(PROMPTS))
    last = of_kind(emitted, events.Answered)[-1]
    return Calm(job, loading=whole - last.seconds, between=last.seconds / PROMPTS)


@pytest.fixture(scope="module")
def full(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Calm:
    """Every answer to its end."""
    return calm_job(model, tmp_path_factory.mktemp("full"))


@pytest.fixture(scope="module")
def early(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Calm:
    """Answers are left where their verdict is certain."""
    return calm_job(model, tmp_path_factory.mktemp("early"), early_seed=0)


def killed_often(calm: Calm, job: GenerateJob, kills: int, seed: int) -> None:
    """Do a job with so many kills, and let it end; no line that was whole may ever change."""
    draw = random.Random(seed)
    begin = on_disk(job)
    folder = Path(job.out).parent / "work"
    moments = [(WRITTEN, BETWEEN, LOADING)[number % 3] for number in range(kills)]
    draw.shuffle(moments)
    last = begin + (PROMPTS - begin) * 3 // 4  # so that no job is done before it is killed
    kept = [whole_lines(path) for path in files(job)]
    for number, at in enumerate(sorted(draw.randint(begin, last) for _ in moments)):
        moment = moments[number]
        span = {WRITTEN: 0.0, BETWEEN: 2 * calm.between, LOADING: calm.loading}[moment]
        killer = Killer(job, kept, moment, at, draw.random() * span)
        ending = SubprocessRunner().run(job, folder, killer, silence_seconds=120)
        assert (ending.died, killer.pid) == (True, None)
        kept = kept_lines(job, kept)
        told = of_kind(killer.emitted, events.Answered)
        assert on_disk(job) >= max((event.done for event in told), default=0)
        if number == kills // 2:
            for path, torn in zip(files(job), TORN, strict=True):
                with path.open("ab") as file:
                    file.write(torn)
    assert begin < on_disk(job) < PROMPTS, "no kill came in the middle of the answers"

    def on_event(_: WorkerEvent) -> None:
        kept_lines(job, kept)

    ending = SubprocessRunner().run(job, folder, on_event, silence_seconds=120)
    assert ending.failure is None


def kept_lines(job: GenerateJob, before: list[list[bytes]]) -> list[list[bytes]]:
    """The whole lines of both files, which begin with those that stood there before."""
    now = [whole_lines(path) for path in files(job)]
    for lines, old in zip(now, before, strict=True):
        assert lines[: len(old)] == old
    return now


def beside(calm: Calm, folder: Path) -> GenerateJob:
    """The same job with other files."""
    return calm.job.model_copy(update={"out": str(folder / "killed" / "responses.jsonl")})


def test_an_evaluation_killed_twice_has_the_same_answers(full: Calm, tmp_path: Path) -> None:
    job = beside(full, tmp_path)
    killed_often(full, job, kills=2, seed=1)
    assert in_any_order(Path(job.out)) == in_any_order(Path(full.job.out))


def test_an_evaluation_killed_12_times_has_the_same_answers(full: Calm, tmp_path: Path) -> None:
    job = beside(full, tmp_path)
    killed_often(full, job, kills=12, seed=2)
    assert in_any_order(Path(job.out)) == in_any_order(Path(full.job.out))


def test_early_decisions_killed_6_times_are_the_same_and_a_full_scoring_finishes_them(
    full: Calm, early: Calm, tmp_path: Path
) -> None:
    job = beside(early, tmp_path)
    killed_often(early, job, kills=6, seed=3)
    for path, calm in zip(files(job), files(early.job), strict=True):
        assert in_any_order(path) == in_any_order(calm)
    decided = read_decided(decided_file(Path(job.out)))
    assert {found.strict for found in decided.values()} == {True, False}
    assert len(decided) < PROMPTS

    scored = job.model_copy(update={"early_seed": None})
    killed_often(full, scored, kills=2, seed=4)
    assert in_any_order(Path(job.out)) == in_any_order(Path(full.job.out))
