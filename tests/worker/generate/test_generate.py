"""Answers: the same in any batch, ended truthfully, none made twice, in the checkpoint's form."""

import io
import json
import re
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from autotune.launch import SubprocessRunner
from autotune.protocol import events
from autotune.protocol.choices import Supervision
from autotune.protocol.events import WORKER_EVENT, WorkerEvent
from autotune.protocol.job import GenerateJob
from autotune.score.answers import read_answers
from autotune.score.early_verdicts import decided_file, read_decided
from autotune.score.ifeval.prompts import IFEvalPrompt
from autotune.worker.channel import Pipe
from autotune.worker.generate import answer_file, registry
from autotune.worker.generate import job as generate_module
from autotune.worker.generate.answer_file import remove_partial_line
from autotune.worker.generate.early_verdict import EarlyVerdicts, is_append_only
from autotune.worker.generate.job import answer_batch, generate
from autotune.worker.generate.rows import RowsEngine
from autotune.worker.model import Loaded, adopt_template, load
from autotune.worker.tokens.encode import ChatCodec
from tests.worker.toys import (
    FULL,
    cpu,
    device,
    encoded,
    loaded_toy,
    of_kind,
    save_toy,
    some_rows,
    stepper_of,
    work,
)

pytestmark = pytest.mark.torch

QUESTIONS = [
    "hello",
    "a longer question about rivers",
    "why?",
    "tell me what the clock says, and why it says so every day",
    "x",
    "two words",
    "and what about stones in a garden in the winter",
    "the end",
    "one more",
]


@pytest.fixture(scope="module")
def polite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy that has learned to answer "ok" or more, and to stop."""
    loaded = loaded_toy(tmp_path_factory.mktemp("plain"))
    stepper = stepper_of(
        loaded, micro_batch_tokens=2000, warmup_steps=0, total_steps=40, learning_rate=1e-2
    )
    rows = [encoded(loaded.codec, q, "ok" * (1 + at % 3)) for at, q in enumerate(QUESTIONS)]
    for number in range(1, 41):
        stepper.step(rows, number)
    adopt_template(loaded, Supervision.CONTENT)
    folder = tmp_path_factory.mktemp("polite")
    loaded.model.save_pretrained(folder)
    loaded.tokenizer.save_pretrained(folder)
    return folder


def prompts_file(path: Path, rule: str = "punctuation:no_comma") -> Path:
    prompts = [
        IFEvalPrompt(key=at, prompt=q, instruction_id_list=(rule,), kwargs=({},))
        for at, q in enumerate(QUESTIONS)
    ]
    path.write_text("".join(p.model_dump_json() + "\n" for p in prompts), encoding="utf-8")
    return path


def job_of(model: Path, folder: Path, **changes: Any) -> GenerateJob:
    values: dict[str, Any] = {
        "device": device(),
        "model_folder": str(model),
        "prompts": str(prompts_file(folder / "prompts.jsonl")),
        "out": str(folder / "answers" / "responses.jsonl"),
        "max_new_tokens": 12,
        "batch_size": 4,
        "prefill_tokens": 4096,
    }
    return GenerateJob.model_validate(values | changes)


def generated(job: GenerateJob) -> list[WorkerEvent]:
    """Do the job in this process; what was said on the pipe."""
    stream = io.BytesIO()
    generate(job, cpu(), Pipe(stream))
    return [WORKER_EVENT.validate_json(line) for line in stream.getvalue().splitlines()]


def texts(job: GenerateJob) -> dict[int | None, str | None]:
    return {answer.key: answer.response for answer in read_answers(Path(job.out))}


def untrained(folder: Path, *, endless: bool = False) -> Path:
    """A toy with louder random weights, so that its answers differ; they may never end."""
    loaded = loaded_toy(folder)
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in loaded.model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.3)
        if endless:
            loaded.model.get_input_embeddings().weight[list(loaded.stop_ids)] = 0.0
    loaded.model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", ["trained", "random"])
def test_answers_are_the_same_one_at_a_time_and_eight_at_a_time(
    polite: Path, tmp_path: Path, kind: str
) -> None:
    model = polite if kind == "trained" else untrained(tmp_path / "random")
    alone = job_of(model, tmp_path, batch_size=1, out=str(tmp_path / "alone.jsonl"))
    together = job_of(model, tmp_path, batch_size=8, out=str(tmp_path / "together.jsonl"))
    generated(alone)
    generated(together)
    assert texts(alone) == texts(together)
    assert len(set(texts(alone).values())) > 1


def test_a_token_that_ends_the_turn_ends_the_answer_and_is_not_part_of_it(
    polite: Path, tmp_path: Path
) -> None:
    job = job_of(polite, tmp_path)
    generated(job)
    for answer in read_answers(Path(job.out)):
        assert answer.response is not None
        assert set(answer.response) == {"o", "k"}
        assert (answer.finish, answer.new_tokens) == ("stop", len(answer.response) + 1)


def test_an_answer_that_does_not_end_is_cut_and_said_to_be(polite: Path, tmp_path: Path) -> None:
    job = job_of(polite, tmp_path, max_new_tokens=2)
    generated(job)
    for answer in read_answers(Path(job.out)):
        assert (answer.response, answer.finish, answer.new_tokens) == ("ok", "length", 2)


def test_every_eos_of_the_folder_ends_an_answer(polite: Path) -> None:
    loaded = load(polite, torch.device("cpu"), Supervision.CONTENT)
    names = {loaded.tokenizer.convert_ids_to_tokens(at) for at in loaded.stop_ids}
    assert names == {"<|im_end|>", "<|endoftext|>"}


def test_progress_counts_answers_that_are_on_disk(polite: Path, tmp_path: Path) -> None:
    emitted = generated(job_of(polite, tmp_path, batch_size=4))
    answered = of_kind(emitted, events.Answered)
    assert [event.done for event in answered] == list(range(1, 10))
    assert [event.total for event in answered] == [9] * 9
    assert [e.new_tokens for e in answered] == sorted(e.new_tokens for e in answered)


def test_an_answer_is_on_disk_when_it_is_reported(
    polite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_of(polite, tmp_path, batch_size=4)
    synced: list[int] = []
    monkeypatch.setattr(answer_file.os, "fsync", synced.append)
    lines: list[tuple[int, int]] = []

    class Watched(Pipe):
        def emit(self, event: WorkerEvent) -> None:
            if isinstance(event, events.Answered):
                lines.append((event.done, len(Path(job.out).read_bytes().splitlines())))

    generate(job, cpu(), Watched(io.BytesIO()))
    assert lines == [(done, done) for done in range(1, 10)]
    assert len(synced) == 9


def test_tokens_are_reported_while_no_answer_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate_module, "PROGRESS_SECONDS", 0.0)
    job = job_of(
        untrained(tmp_path / "random", endless=True), tmp_path, batch_size=9, max_new_tokens=20
    )
    told = of_kind(generated(job), events.Answered)
    first = [event for event in told if event.done == 0]
    assert len(first) > 5
    assert first[0].new_tokens > 0
    made = [event.new_tokens for event in told]
    assert made == sorted(made)
    assert made[-1] == sum(answer.new_tokens or 0 for answer in read_answers(Path(job.out)))


def test_long_prompts_are_read_a_few_at_a_time(polite: Path, tmp_path: Path) -> None:
    whole = job_of(polite, tmp_path, batch_size=9)
    generated(whole)
    job = job_of(polite, tmp_path, batch_size=9, prefill_tokens=40, out=str(tmp_path / "few.jsonl"))
    assert of_kind(generated(job), events.Answered)[-1].done == 9
    assert texts(job) == texts(whole)


def test_an_answering_out_of_memory_goes_on_in_this_process_and_says_so(
    polite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = job_of(polite, tmp_path, out=str(tmp_path / "calm.jsonl"))
    generated(calm)
    real = RowsEngine.forward
    widths: list[int] = []

    def full(self: RowsEngine, *rest: Any) -> Any:
        widths.append(len(self.rows))
        if len(widths) == 5:
            raise torch.OutOfMemoryError(FULL)
        return real(self, *rest)

    monkeypatch.setattr(RowsEngine, "forward", full)
    job = job_of(polite, tmp_path, batch_size=4)
    (warned,) = of_kind(generated(job), events.Warned)
    assert warned.message.startswith("evaluation ran out of memory; continuing with 2 at a time")
    assert max(widths[5:]) == 2
    assert texts(job) == texts(calm)
    assert len(Path(job.out).read_bytes().splitlines()) == 9


def full_and_early(tmp_path: Path, most: int) -> tuple[GenerateJob, GenerateJob]:
    """A job whose answers soon break their one rule, done, and the same to be decided early."""
    model = untrained(tmp_path / "random", endless=True)
    lowercase = prompts_file(tmp_path / "low.jsonl", rule="change_case:english_lowercase")
    full = job_of(model, tmp_path, max_new_tokens=most, prompts=str(lowercase))
    generated(full)
    out = tmp_path / "early" / "responses.jsonl"
    return full, full.model_copy(update={"early_seed": 0, "out": str(out)})


def test_answers_that_are_decided_are_left_unfinished_only_where_that_is_asked(
    tmp_path: Path,
) -> None:
    full, early = full_and_early(tmp_path, 200)
    out = Path(early.out)
    told = of_kind(generated(early), events.Answered)
    assert told[-1].done == 9
    whole = {answer.key: answer for answer in read_answers(Path(full.out))}
    finished = {answer.key: answer for answer in read_answers(out)} if out.exists() else {}
    decided = read_decided(decided_file(out))
    assert len(decided) > 3
    assert len(decided) + len(finished) == 9
    assert all(whole[key] == answer for key, answer in finished.items())
    for key, found in decided.items():
        assert re.search("[A-Z]", str(whole[key].response))
        assert not found.strict
        assert 32 <= len(found.ids) < (whole[key].new_tokens or 0)


def test_an_answer_that_was_decided_is_finished_where_it_was_left(tmp_path: Path) -> None:
    full, early = full_and_early(tmp_path, 120)
    out = Path(early.out)
    generated(early)
    left = sum(len(found.ids) for found in read_decided(decided_file(out)).values())
    mend = full.model_copy(update={"out": str(out)})
    told = of_kind(generated(mend), events.Answered)
    assert texts(mend) == texts(full)
    made = sum(answer.new_tokens or 0 for answer in read_answers(out))
    assert 0 < told[-1].new_tokens <= made - left


def test_a_tokenizer_that_tidies_spaces_lets_no_answer_be_decided(tmp_path: Path) -> None:
    loaded = loaded_toy(tmp_path)
    assert is_append_only(loaded.tokenizer)
    loaded.tokenizer.clean_up_tokenization_spaces = True
    assert not EarlyVerdicts(loaded, [], tmp_path / "decided.jsonl").active


def test_a_model_that_cannot_be_answered_by_rows_is_answered_in_batches(
    polite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_rows = job_of(polite, tmp_path)
    generated(by_rows)
    monkeypatch.setattr(registry, "can_answer_by_rows", lambda _: False)
    monkeypatch.setattr(generate_module, "PROGRESS_SECONDS", 0.0)
    job = job_of(polite, tmp_path, out=str(tmp_path / "batches.jsonl"))
    told = of_kind(generated(job), events.Answered)
    assert texts(job) == texts(by_rows)
    made = [event.done for event in told]
    assert made == sorted(made)
    assert made[-1] == 9
    ends = [(a.key, a.finish, a.new_tokens) for a in read_answers(Path(job.out))]
    assert sorted(ends) == sorted(
        (a.key, a.finish, a.new_tokens) for a in read_answers(Path(by_rows.out))
    )


def test_a_prompt_longer_than_the_models_positions_is_cut_on_its_left(tmp_path: Path) -> None:
    loaded = loaded_toy(save_toy(tmp_path, max_position_embeddings=64))
    long = some_rows([200])[0].input_ids
    (answer,) = answer_batch(loaded, cpu(), [long], 16)
    assert [answer] == answer_batch(loaded, cpu(), [long[-48:]], 16)
    assert 1 <= len(answer) <= 16


def test_an_answer_ends_with_the_models_last_position(tmp_path: Path) -> None:
    loaded = loaded_toy(tmp_path)
    config = GPT2Config(vocab_size=259, n_positions=24, n_embd=32, n_layer=1, n_head=2)
    model = GPT2LMHeadModel(config)
    short = Loaded(model, loaded.tokenizer, loaded.codec, False, (1000,))
    (answer,) = answer_batch(short, cpu(), [some_rows([50])[0].input_ids], 100)
    assert len(answer) == 23


def test_answers_on_disk_are_not_made_again_and_a_truncated_line_is(
    polite: Path, tmp_path: Path
) -> None:
    job = job_of(polite, tmp_path)
    generated(job)
    out = Path(job.out)
    whole = texts(job)
    lines = out.read_bytes().splitlines(keepends=True)
    marked = lines[0].replace(b'"ok', b'"kept ok')
    out.write_bytes(marked + b"".join(lines[1:4]) + lines[4][:20])
    emitted = generated(job)
    again = texts(job)
    assert again.pop(json.loads(lines[0])["key"]).startswith("kept ok")
    assert again.items() <= whole.items()
    assert len(out.read_bytes().splitlines()) == 9
    assert of_kind(emitted, events.Answered)[-1].done == 9


def test_a_truncated_line_is_cut_off_and_whole_ones_are_left(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    remove_partial_line(path)
    assert not path.exists()
    for before, after in ((b"", b""), (b"{}\n", b"{}\n"), (b"{}\n{", b"{}\n"), (b"{", b"")):
        path.write_bytes(before)
        remove_partial_line(path)
        assert path.read_bytes() == after


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_killed_evaluation_goes_on_and_repeats_nothing(
    polite: Path, tmp_path: Path, batch_size: int
) -> None:
    undisturbed = job_of(polite, tmp_path, out=str(tmp_path / "undisturbed.jsonl"))
    generated(undisturbed)
    job = job_of(polite, tmp_path, batch_size=batch_size)
    workers: list[int] = []

    def on_event(event: WorkerEvent) -> None:
        if isinstance(event, events.Ready):
            workers.append(event.pid)
        if isinstance(event, events.Answered) and event.done == 3:
            psutil.Process(workers[0]).kill()

    ending = SubprocessRunner().run(job, tmp_path / "work", on_event, silence_seconds=120)
    assert ending.died
    with Path(job.out).open("ab") as file:
        file.write(b'{"key": 99, "prom')  # as if the kill had come in the middle of a line
    kept = len(Path(job.out).read_bytes().splitlines()) - 1
    assert 3 <= kept < 9
    emitted, ending = work(job, tmp_path / "work")
    assert ending.failure is None
    made = [event.done for event in of_kind(emitted, events.Answered)]
    assert made == list(range(kept + 1, 10))
    answers = read_answers(Path(job.out))
    assert sorted(a.key for a in answers if a.key is not None) == list(range(9))
    assert texts(job) == texts(undisturbed)


@pytest.mark.parametrize("supervision", list(Supervision))
def test_a_checkpoint_is_asked_in_the_form_that_it_was_trained_in(
    tmp_path: Path, supervision: Supervision
) -> None:
    loaded = loaded_toy(save_toy(tmp_path / "base"))
    adopt_template(loaded, supervision)
    loaded.model.save_pretrained(tmp_path / "checkpoint")
    loaded.tokenizer.save_pretrained(tmp_path / "checkpoint")
    # An evaluation does not know the supervision: the folder's own template says it.
    again = load(tmp_path / "checkpoint", torch.device("cpu"), Supervision.CONTENT)
    trained = ChatCodec(loaded.tokenizer, supervision)
    for question in ("hello", "two\nlines"):
        assert again.prompt_ids(question) == trained.render_prompt(question)


def test_a_model_without_a_template_is_asked_in_the_form_of_the_training(tmp_path: Path) -> None:
    loaded = loaded_toy(tmp_path)
    assert not loaded.own_template
    assert loaded.prompt_ids("hello") == loaded.codec.render_prompt("hello")
