"""The trial: real steps on the longest row, one generation, all measured by the process itself."""

import hashlib
import io
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autotune.base.sizes import MIB
from autotune.protocol import events
from autotune.protocol.choices import Precision
from autotune.protocol.events import WORKER_EVENT, WorkerEvent
from autotune.protocol.job import TrialJob
from autotune.protocol.kernels import Kernel
from autotune.protocol.plan import TrialPoint
from autotune.protocol.results import Measurement
from autotune.worker import trial as trial_module
from autotune.worker.channel import Pipe
from autotune.worker.compute import Compute
from autotune.worker.generate.job import answer_batch
from autotune.worker.generate.kv_cache import Step
from autotune.worker.generate.rows import RowsEngine
from autotune.worker.memory.base import MemoryReading
from autotune.worker.tokens.encode import IGNORED, Row
from autotune.worker.train.batches import micro_batches
from autotune.worker.train.loop import BadJob
from autotune.worker.train.step import Stepper
from autotune.worker.trial import ModelCache, fullest_step, trial
from tests.fakes.memory import FakeMemory
from tests.worker.toys import (
    cpu,
    data_spec,
    device,
    loaded_toy,
    longest_row,
    of_kind,
    save_toy,
    some_rows,
    work,
)

pytestmark = pytest.mark.torch


WHOLE = 1 + len("user\nsay it") + 2 + 1 + len("assistant\n") + 110 + 2
"""Tokens of the fourth conversation, the longest."""


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The toy, and a file whose one long conversation comes late, after it a short one."""
    folder = tmp_path_factory.mktemp("toy")
    path = folder / "chat.jsonl"
    answers = ["a" * 20, "b" * 25, "c" * 30, "d" * 110, "e" * 15]
    turns = [
        [{"role": "user", "content": "say it"}, {"role": "assistant", "content": text}]
        for text in answers
    ]
    path.write_text("".join(json.dumps({"messages": t}) + "\n" for t in turns), encoding="utf-8")
    return save_toy(folder / "model"), path


def job_of(toy: tuple[Path, Path], length: int, **changes: Any) -> TrialJob:
    point = {
        "model_max_length": length,
        "max_rounds": "all",
        "micro_batch_tokens": length,
        "gradient_checkpointing": False,
        "row_tokens": min(length, WHOLE),
    }
    values: dict[str, Any] = {
        "device": device(),
        "model_folder": str(toy[0]),
        "data": data_spec(toy[1]),
        "point": TrialPoint.model_validate(point | changes.pop("point", {})),
        "longest_conversation": 3,
        "generate_rows": 3,
        "generate_context": 90,
        "seed": 1,
    }
    return TrialJob.model_validate(values | changes)


def tried(job: TrialJob, compute: Compute | None = None) -> tuple[Measurement, list[WorkerEvent]]:
    """Do the job in this process."""
    stream = io.BytesIO()
    trial(job, compute or cpu(job.device.precision), Pipe(stream), ModelCache())
    emitted = [WORKER_EVENT.validate_json(line) for line in stream.getvalue().splitlines()]
    return of_kind(emitted, events.Measured)[0].measurement, emitted


def test_a_trial_in_a_worker_steps_generates_steps_again_and_measures_itself(
    toy: tuple[Path, Path], tmp_path: Path
) -> None:
    before = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in toy[0].iterdir()}
    emitted, ending = work(job_of(toy, 128), tmp_path)
    assert ending.failure is None
    found = of_kind(emitted, events.Measured)[0].measurement
    assert found.steps == 3
    assert len(found.step_seconds) == 3
    assert min(found.step_seconds) > 0
    assert found.finite
    assert found.allocator_retries == 0
    assert 100 * MIB < found.peak_bytes < 2000 * MIB
    assert found.prefill_seconds > 0
    assert found.token_seconds > 0
    assert found.attention is Kernel.CPU
    told = of_kind(emitted, events.Ready)[0].attention
    assert told is not None
    assert (told.kernels, told.dtype) == ((Kernel.CPU, Kernel.MATH), "float32")
    phases = [e.name for e in of_kind(emitted, events.Phase)]
    at = phases.index("generation")
    assert phases[:at].count("optimizer") == 3  # two on the longest row, one on ordinary rows
    assert phases[at:].count("optimizer") == 1
    assert before == {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in toy[0].iterdir()}


@pytest.mark.parametrize("length", [64, 96, 256])
def test_the_longest_row_that_is_kept_is_the_one_that_is_run(
    toy: tuple[Path, Path], length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[list[int]] = []
    real = Stepper.step

    def watched(self: Stepper, rows: Any, number: int) -> events.StepResult:
        steps.append([len(row.input_ids) for row in rows])
        return real(self, rows, number)

    monkeypatch.setattr(Stepper, "step", watched)
    found, _ = tried(job_of(toy, length))
    longest = min(length, WHOLE)
    full = [steps[at] for at in (0, 1, 3)]  # the third is over ordinary rows
    assert [max(rows) for rows in full] == [longest] * 3
    assert [rows.count(longest) for rows in full] == [2 * max(1, length // longest)] * 3
    assert found.tokens == sum(steps[0])


def test_a_trial_meets_ordinary_shapes_beside_the_longest_row(
    toy: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes: list[tuple[int, int]] = []
    real = Stepper.summed

    def watched(self: Stepper, piece: Sequence[Row]) -> Any:
        shapes.append((len(piece), max(len(row.input_ids) for row in piece)))
        return real(self, piece)

    monkeypatch.setattr(Stepper, "summed", watched)
    tried(job_of(toy, 64))
    longest, ordinary = shapes[0], set(shapes[4:-2])
    assert shapes == [longest] * 4 + shapes[4:-2] + [longest] * 2
    assert len(ordinary - {longest}) > 0
    # They are the first rows of an epoch, at the sizes that a training gives them.
    assert all(rows * width <= 64 and width % 8 == 0 for rows, width in ordinary)


def test_a_long_prompt_with_a_short_answer_can_be_tried(tmp_path: Path) -> None:
    # Half of such a row is prompt only: a part of it that is cut off must have an answer in it.
    turns = [{"role": "user", "content": "x" * 90}, {"role": "assistant", "content": "yes"}]
    path = tmp_path / "chat.jsonl"
    path.write_text(json.dumps({"messages": turns}) + "\n", encoding="utf-8")
    where, tokens = longest_row(path, 128)
    model = save_toy(tmp_path / "model")
    for micro_batch_tokens in (tokens + 13, 3 * tokens - 1, 64 * tokens):
        point = {"row_tokens": tokens, "micro_batch_tokens": micro_batch_tokens}
        job = job_of((model, path), 128, point=point, longest_conversation=where)
        found, _ = tried(job)
        assert (found.steps, found.finite) == (3, True)


def test_generation_reads_no_more_prompts_than_a_pass_and_times_tokens_without_reading(
    toy: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[tuple[int, int]] = []
    forward = RowsEngine.forward

    def watched(engine: RowsEngine, tokens: list[int], step: Step, kept: list[int]) -> Any:
        passes.append((len(tokens), max(step.cache.lengths)))
        time.sleep(0.3 if len(tokens) > 40 else 0.0)  # reading is what takes long
        return forward(engine, tokens, step, kept)

    monkeypatch.setattr(RowsEngine, "forward", watched)
    found, _ = tried(job_of(toy, 64, generate_rows=40, generate_context=90, prefill_tokens=240))
    assert [tokens for tokens, _ in passes] == [2 * 84 + 38, *[40] * 5]
    assert {length for _, length in passes} == {84, 85, 86, 87, 88, 89}
    assert found.prefill_seconds > 40 / 2 * 0.3
    assert found.token_seconds < 0.3


def test_generation_has_the_shape_of_an_evaluation(
    toy: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes: list[tuple[int, int, int]] = []

    def watched(loaded: Any, compute: Any, prompts: Any, new_tokens: int, **options: Any) -> Any:
        answers = answer_batch(loaded, compute, prompts, new_tokens, **options)
        shapes.append((len(prompts), len(prompts[0]), len(answers[0])))
        return answers

    monkeypatch.setattr(trial_module, "answer_batch", watched)
    tried(job_of(toy, 64, generate_rows=5, generate_context=90))
    (shape,) = shapes
    assert shape[0] == 5
    assert shape[1] + 6 == 90


@pytest.mark.parametrize("precision", list(Precision))
def test_a_trial_runs_in_every_precision(toy: tuple[Path, Path], precision: Precision) -> None:
    found, _ = tried(job_of(toy, 64, device=device(precision)))
    assert (found.steps, found.finite) == (3, True)


def test_a_trial_with_a_loss_that_is_no_number_says_so(
    toy: tuple[Path, Path], tmp_path: Path
) -> None:
    broken = loaded_toy(tmp_path)
    with torch.no_grad():
        broken.model.model.norm.weight.fill_(3e38)  # a number yet, as a folder needs it to be
    broken.model.save_pretrained(tmp_path)
    found, _ = tried(job_of((tmp_path, toy[1]), 64))
    assert not found.finite
    assert found.steps < 3


def test_a_trial_does_not_pass_in_another_precision_than_it_was_asked_about(
    toy: tuple[Path, Path], tmp_path: Path
) -> None:
    wide = loaded_toy(tmp_path)
    with torch.no_grad():
        wide.model.model.norm.weight *= 1e6  # beyond fp16's 65 504, and nothing to bf16
    wide.model.save_pretrained(tmp_path)
    found = {
        precision: tried(job_of((tmp_path, toy[1]), 64, device=device(precision)))[0].finite
        for precision in (Precision.FP16, Precision.BF16)
    }
    assert found == {Precision.FP16: False, Precision.BF16: True}


def test_readings_come_from_the_device(toy: tuple[Path, Path]) -> None:
    memory = FakeMemory(lambda _: MemoryReading(123, 100, 7))
    compute = Compute(torch.device("cpu"), Precision.FP32, memory, "fake")
    found, _ = tried(job_of(toy, 64), compute)
    assert (found.peak_bytes, found.allocated_bytes, found.allocator_retries) == (123, 100, 7)


@pytest.mark.parametrize("changes", [{"longest_conversation": 2}, {"longest_conversation": 9}])
def test_a_file_that_is_not_the_one_surveyed_is_a_bad_job(
    toy: tuple[Path, Path], changes: dict[str, Any]
) -> None:
    with pytest.raises(BadJob, match=r"is not the sequence of 64 tokens.* the file changed since"):
        tried(job_of(toy, 64, **changes))


def test_a_step_over_ordinary_rows_is_timed_on_request(
    toy: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[list[int]] = []
    real = Stepper.step

    def watched(self: Stepper, rows: Any, number: int) -> events.StepResult:
        steps.append(sorted(len(row.input_ids) for row in rows))
        return real(self, rows, number)

    monkeypatch.setattr(Stepper, "step", watched)
    found, _ = tried(job_of(toy, 256, timed_conversations=5))
    assert found.timed is not None
    every = sorted(WHOLE - 110 + answer for answer in (20, 25, 30, 110, 15))
    assert steps[4:] == [every] * 2
    assert found.timed.tokens == sum(every)
    assert found.timed.supervised_tokens == 20 + 25 + 30 + 110 + 15 + 5
    assert found.timed.seconds > 0
    assert found.steps == 3
    assert tried(job_of(toy, 256))[0].timed is None


@given(
    lengths=st.lists(st.integers(1, 200), min_size=1, max_size=40),
    limit=st.integers(1, 1500),
)
def test_no_micro_batch_of_a_training_is_larger_than_the_trials(
    lengths: list[int], limit: int
) -> None:
    longest = max(lengths)
    rows = fullest_step(some_rows([longest])[0], limit)

    def largest(sizes: list[int]) -> int:
        groups = micro_batches(sizes, max(limit, longest))
        return max(len(group) * max(sizes[at] for at in group) for group in groups)

    # Rows have whole numbers of tokens, so the fullest may fall short by one for each of its rows.
    ours = largest([len(row.input_ids) for row in rows])
    assert ours >= largest(lengths) - limit // longest - 1
    assert ours <= max(limit, longest)


def test_shorter_rows_of_a_trial_have_something_to_learn_where_the_longest_ends_in_context() -> (
    None
):
    ids = list(range(100))
    row = Row(ids, [IGNORED] * 20 + ids[20:30] + [IGNORED] * 70)
    rows = fullest_step(row, 170)
    assert [len(each.input_ids) for each in rows] == [100, 100, 85, 85]
    assert [each.supervised for each in rows] == [10] * 4
    assert rows[-1].input_ids == ids[:85]
    early = fullest_step(Row(ids, [*ids[:60], *[IGNORED] * 40]), 120)
    assert [(each.input_ids[0], each.supervised) for each in early[2:]] == [(0, 60), (0, 60)]
