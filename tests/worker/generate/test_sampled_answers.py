"""Sampled answers: chance is fixed beforehand, whatever is answered beside them, and when."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from autotune.protocol import events
from autotune.protocol.job import EngineName, GenerateJob
from autotune.protocol.sampling import Sampling
from autotune.score.answers import answers_to, count_answers, read_answers
from autotune.score.prompts import Prompt, written_prompts
from autotune.worker.finite import NumericFault
from autotune.worker.generate import exact_sample, registry
from autotune.worker.generate.exact_sample import likeliest
from autotune.worker.generate.job import AnswerWriter
from autotune.worker.generate.reply import Reply
from autotune.worker.generate.rows import RowsEngine
from tests.worker.generate.test_generate import generated, job_of, untrained
from tests.worker.toys import FULL, of_kind

pytestmark = pytest.mark.torch

MOST = 16
HOT = Sampling(temperature=4.0, top_p=0.9, samples=2, seed=11)
"""Hot enough that the toy's loud logits leave something to chance."""

PROMPTS = 5
ALL = PROMPTS * HOT.samples

SAID: dict[int, list[int]] = {}
"""The tokens of the undisturbed answers, by their numbers."""

Texts = dict[tuple[int | None, int | None], str | None]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Loud random weights; a few tokens are likely, and one of them ends an answer."""
    return untrained(tmp_path_factory.mktemp("random"))


@pytest.fixture(scope="module")
def calm(model: Path, tmp_path_factory: pytest.TempPathFactory) -> GenerateJob:
    """Two samples of each prompt, one at a time and without guesses, undisturbed."""
    job = sampling_job(model, tmp_path_factory.mktemp("calm"), batch_size=1)
    real = AnswerWriter.take

    def kept(self: AnswerWriter, number: int, ids: list[int], *rest: Any) -> None:
        SAID[number] = ids
        real(self, number, ids, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RowsEngine, "guess", lambda *_: [])
        patch.setattr(AnswerWriter, "take", kept)
        generated(job)
    return job


def foreseen(_: RowsEngine, row: Reply) -> list[int]:
    """A guess whose first two tokens are right and whose third is wrong: the toy repeats little."""
    said = SAID[row.number][row.new_tokens :]
    return [*said[:2], *((token + 1) % 259 for token in said[2:3])][: row.most - row.new_tokens - 1]


def sampling_job(model: Path, folder: Path, **changes: Any) -> GenerateJob:
    job = job_of(model, folder, **({"max_new_tokens": MOST, "sampling": HOT} | changes))
    prompts = Path(job.prompts)
    first = prompts.read_bytes().splitlines(keepends=True)[:PROMPTS]
    prompts.write_bytes(b"".join(first))
    return job


def lines(job: GenerateJob) -> list[bytes]:
    """Which answer ends first is another in another batch."""
    return sorted(Path(job.out).read_bytes().splitlines(keepends=True))


def texts(job: GenerateJob) -> Texts:
    return {(a.key, a.sample): a.response for a in read_answers(Path(job.out))}


def test_each_prompt_has_its_samples_and_they_differ(calm: GenerateJob) -> None:
    answers = read_answers(Path(calm.out))
    assert sorted((a.key or 0, a.sample or 0) for a in answers) == [
        (key, sample) for key in range(PROMPTS) for sample in range(HOT.samples)
    ]
    assert len({a.response for a in answers}) > ALL * 2 // 3
    assert {a.finish for a in answers} == {"stop", "length"}


@pytest.mark.parametrize(("batch_size", "guessing"), [(3, True), (3, False), (8, True)])
def test_samples_are_the_same_in_any_batch_with_and_without_guesses(
    calm: GenerateJob,
    model: Path,
    tmp_path: Path,
    batch_size: int,
    guessing: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(RowsEngine, "guess", foreseen if guessing else lambda *_: [])
    job = sampling_job(model, tmp_path, batch_size=batch_size)
    generated(job)
    assert lines(job) == lines(calm)


@pytest.mark.parametrize("name", ["graphed", "batches"])
def test_every_engine_that_samples_draws_the_same(
    calm: GenerateJob, model: Path, tmp_path: Path, name: EngineName
) -> None:
    job = sampling_job(model, tmp_path, engine=name, batch_size=5)
    assert not of_kind(generated(job), events.Warned)
    assert lines(job) == lines(calm)


def test_an_engine_that_cannot_sample_is_replaced_by_one_that_can(
    calm: GenerateJob, model: Path, tmp_path: Path
) -> None:
    job = sampling_job(model, tmp_path, engine="continuous")
    (warned,) = of_kind(generated(job), events.Warned)
    assert warned.message == "engine continuous cannot sample; rows does"
    assert lines(job) == lines(calm)


def test_a_model_that_cannot_be_answered_by_rows_is_sampled_in_batches(
    calm: GenerateJob, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "can_answer_by_rows", lambda _: False)
    job = sampling_job(model, tmp_path)
    generated(job)
    assert lines(job) == lines(calm)


@pytest.mark.parametrize("kept", [1, 7])
def test_a_sampling_that_was_broken_off_makes_the_rest_and_nothing_twice(
    calm: GenerateJob, model: Path, tmp_path: Path, kept: int
) -> None:
    job = sampling_job(model, tmp_path)
    generated(job)
    out = Path(job.out)
    before = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(b"".join(before[:kept]) + before[kept][:15])
    told = of_kind(generated(job), events.Answered)
    # Where a machine is busy a count is told again, to show that it is alive.
    assert sorted({event.done for event in told}) == list(range(kept + 1, ALL + 1))
    assert {event.total for event in told} == {ALL}
    assert out.read_bytes().splitlines(keepends=True)[:kept] == before[:kept]
    assert lines(job) == lines(calm)


def test_more_samples_of_each_prompt_are_added_to_those_that_are_there(
    calm: GenerateJob, model: Path, tmp_path: Path
) -> None:
    job = sampling_job(model, tmp_path, sampling=HOT.model_copy(update={"samples": 1}))
    generated(job)
    first = lines(job)
    assert set(first) < set(lines(calm))
    generated(job.model_copy(update={"sampling": HOT}))
    assert lines(job) == lines(calm)


def test_a_sampling_that_runs_out_of_memory_goes_on_with_half_the_rows_and_the_same_texts(
    calm: GenerateJob, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = RowsEngine.forward
    widths: list[int] = []

    def full(self: RowsEngine, *rest: Any) -> Tensor:
        widths.append(len(self.rows))
        if len(widths) == 5:
            raise torch.OutOfMemoryError(FULL)
        return real(self, *rest)

    monkeypatch.setattr(RowsEngine, "forward", full)
    job = sampling_job(model, tmp_path, batch_size=6)
    (warned,) = of_kind(generated(job), events.Warned)
    assert warned.message.startswith("sampling ran out of memory; continuing with 3 at a time")
    assert lines(job) == lines(calm)


def test_draws_that_hang_on_the_last_bits_do_not_depend_on_the_batch(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounding is made so much louder that it decides some draws in every answer."""
    real = RowsEngine.forward

    def rounded(self: RowsEngine, tokens: list[int], *rest: Any) -> Tensor:
        noise = torch.Generator().manual_seed(len(tokens))
        logits = real(self, tokens, *rest)
        return logits + 2e-2 * torch.randn(logits.shape, generator=noise)

    def answered(folder: str) -> list[list[bytes]]:
        jobs = [
            sampling_job(model, tmp_path, batch_size=size, out=str(tmp_path / folder / f"{size}"))
            for size in (2, 5)
        ]
        for job in jobs:
            generated(job)
        return [lines(job) for job in jobs]

    monkeypatch.setattr(RowsEngine, "forward", rounded)
    monkeypatch.setattr(exact_sample, "LOGIT_ERROR", 0.15)
    two, five = answered("exact")
    assert two == five
    monkeypatch.setattr(exact_sample, "LOGIT_ERROR", 0.0)
    two, five = answered("as it comes")
    assert two != five


def test_another_seed_gives_other_texts(calm: GenerateJob, model: Path, tmp_path: Path) -> None:
    job = sampling_job(model, tmp_path, sampling=HOT.model_copy(update={"seed": 12}))
    generated(job)
    same = [key for key, text in texts(job).items() if text and text == texts(calm)[key]]
    assert len(same) < ALL // 4


@pytest.mark.parametrize(
    "way", [{"top_p": 1e-6}, {"temperature": 1e-30}], ids=["tiny top_p", "no temperature"]
)
def test_where_nothing_is_left_to_chance_samples_are_the_greedy_answer(
    model: Path, tmp_path: Path, way: dict[str, float]
) -> None:
    sampled = sampling_job(model, tmp_path, sampling=HOT.model_copy(update=way | {"samples": 1}))
    greedy = sampling_job(model, tmp_path, sampling=None, out=str(tmp_path / "greedy.jsonl"))
    generated(sampled)
    generated(greedy)
    of = {key: text for (key, _), text in texts(sampled).items()}
    assert of == {key: text for (key, _), text in texts(greedy).items()}


def test_a_greedy_file_has_no_word_of_samples_and_both_are_read(
    calm: GenerateJob, model: Path, tmp_path: Path
) -> None:
    greedy = sampling_job(model, tmp_path, sampling=None)
    generated(greedy)
    fields = {tuple(json.loads(line)) for line in lines(greedy)}
    assert fields == {("key", "prompt", "response", "finish", "new_tokens")}
    prompts = written_prompts(Path(greedy.prompts), Prompt)
    for job, replaced in ((greedy, 0), (calm, ALL - PROMPTS)):
        found = answers_to(Path(job.out), prompts)
        assert (len(found.answers), found.replaced, found.unknown) == (len(prompts), replaced, 0)
        assert count_answers(Path(job.out)) == len(prompts) + replaced


def test_a_nucleus_that_the_first_candidates_do_not_hold_is_looked_for_among_more(
    calm: GenerateJob, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    real = likeliest

    def watched(logits: Tensor, count: int) -> tuple[Tensor, Tensor]:
        asked.append(count)
        return real(logits, count)

    monkeypatch.setattr(exact_sample, "likeliest", watched)
    monkeypatch.setattr(exact_sample, "CANDIDATES", (2, 5))
    job = sampling_job(model, tmp_path)
    generated(job)
    assert set(asked) == {2, 5, 259}
    assert lines(job) == lines(calm)


@pytest.mark.parametrize("vocabulary", [64, 1000, 1024])
def test_the_likeliest_tokens_are_those_of_all_the_vocabulary(vocabulary: int) -> None:
    logits = torch.randn(5, vocabulary, generator=torch.Generator().manual_seed(1))
    for count in (1, 7, 30, 100):
        values, ids = likeliest(logits, count)
        expected = logits.topk(min(count, vocabulary)).values
        assert torch.equal(values.sort(descending=True).values, expected)
        assert torch.equal(logits.gather(1, ids), values)


def test_logits_that_are_no_numbers_end_a_sampling_with_the_models_name(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = RowsEngine.forward

    def broken(self: RowsEngine, *rest: Any) -> Tensor:
        return real(self, *rest) * float("nan")

    monkeypatch.setattr(RowsEngine, "forward", broken)
    job = sampling_job(model, tmp_path)
    with pytest.raises(
        NumericFault, match=r"logits are not finite .* in fp32, so nothing can be sampled"
    ):
        generated(job)
