"""Engines: one port, the same texts from whatever stands behind it, and who answers where."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from autotune.protocol import events
from autotune.protocol.choices import Precision
from autotune.protocol.job import EngineName
from autotune.score.answers import read_answers
from autotune.worker.device_kinds import KINDS
from autotune.worker.generate import batches, graphed, registry
from autotune.worker.generate.batches import generate_batch
from autotune.worker.generate.continuous import ContinuousEngine
from autotune.worker.generate.engine import Engine
from autotune.worker.generate.graphed import GraphedEngine, SteadyCache
from autotune.worker.generate.registry import ENGINES, chosen
from autotune.worker.generate.reply import GenerationSettings, Reply
from autotune.worker.generate.rows import RowsEngine
from autotune.worker.model import Loaded
from autotune.worker.oom import answer_within_memory
from tests.worker.generate.test_generate import generated, job_of, texts, untrained
from tests.worker.toys import FULL, cpu, loaded_toy, of_kind, save_toy

pytestmark = pytest.mark.torch

MOST = 40


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """Loud random weights: answers that differ. Two more tokens end an answer, so some do."""
    loaded = loaded_toy(tmp_path_factory.mktemp("random"))
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in loaded.model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.3)
    ends = {ids[3] for ids in alone(loaded)[:2]}
    loaded.stop_ids = (*loaded.stop_ids, *sorted(ends))
    return loaded


def some_prompts() -> list[list[int]]:
    """A dozen of unequal lengths, the shortest of one token."""
    draw = random.Random(1)
    lengths = [1, 2, *(draw.randrange(3, 60) for _ in range(10))]
    return [[draw.randrange(3, 259) for _ in range(length)] for length in lengths]


def alone(loaded: Loaded, most: int = MOST) -> list[list[int]]:
    """What transformers says, a prompt at a time."""
    return [generate_batch(loaded, cpu(), [ids], most)[0] for ids in some_prompts()]


def made(
    loaded: Loaded,
    name: EngineName,
    take: Callable[[Reply], None],
    *,
    prompts: list[list[int]] | None = None,
    **settings: Any,
) -> Engine:
    numbers = {"max_new_tokens": MOST, "batch_size": 5, "prefill_tokens": 128}
    return ENGINES[name].make(
        loaded,
        cpu(),
        GenerationSettings(**(numbers | settings)),
        some_prompts() if prompts is None else prompts,
        take,
        on_step=lambda: None,
        decided=lambda _: False,
        begun={},
    )


def answers(loaded: Loaded, name: EngineName, **how: Any) -> list[Reply]:
    """All replies in the order of the prompts."""
    replies: list[Reply] = []
    engine = made(loaded, name, replies.append, **how)
    engine.run()
    assert engine.new_tokens == sum(reply.new_tokens for reply in replies)
    return sorted(replies, key=lambda reply: reply.number)


@pytest.mark.parametrize("name", list(ENGINES))
@pytest.mark.parametrize("batch_size", [1, 5, 12])
def test_every_engine_says_what_transformers_says_to_one_prompt_at_a_time(
    toy: Loaded, name: EngineName, batch_size: int
) -> None:
    replies = answers(toy, name, batch_size=batch_size)
    assert [reply.answer for reply in replies] == alone(toy)
    assert {reply.finish for reply in replies} == {"stop", "length"}
    for reply in replies:
        assert (reply.answer[-1] in toy.stop_ids) == (reply.finish == "stop")


@pytest.mark.parametrize("name", list(ENGINES))
def test_an_answer_may_end_with_its_first_token(toy: Loaded, name: EngineName) -> None:
    first = {ids[0] for ids in alone(toy)}
    polite = Loaded(toy.model, toy.tokenizer, toy.codec, True, tuple(sorted(first)))
    replies = answers(polite, name)
    assert [len(reply.answer) for reply in replies] == [1] * len(some_prompts())
    assert {reply.finish for reply in replies} == {"stop"}


@pytest.mark.parametrize("name", list(ENGINES))
def test_a_prompt_longer_than_the_models_positions_is_cut_on_its_left(
    tmp_path: Path, name: EngineName
) -> None:
    short = loaded_toy(save_toy(tmp_path, max_position_embeddings=64))
    prompts = [list(range(3, 103)), list(range(5, 25))]
    expected = [generate_batch(short, cpu(), [ids], 20)[0] for ids in prompts]
    found = answers(short, name, prompts=prompts, max_new_tokens=20)
    assert [reply.answer for reply in found] == expected


def test_rows_that_outgrow_their_room_move_to_twice_of_it_and_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphed, "MIN_POSITIONS", 64)
    loaded = loaded_toy(untrained(tmp_path, endless=True))
    prompts = some_prompts()[-4:]
    most = 128 - max(map(len, prompts))
    expected = [generate_batch(loaded, cpu(), [ids], most)[0] for ids in prompts]
    replies: list[Reply] = []
    engine = made(
        loaded, "graphed", replies.append, prompts=prompts, max_new_tokens=most, batch_size=4
    )
    engine.run()
    replies.sort(key=lambda reply: reply.number)
    assert [reply.answer for reply in replies] == expected
    assert isinstance(engine, GraphedEngine)
    assert isinstance(engine.cache, SteadyCache)
    assert engine.cache.reach() == 128


def test_a_recorded_pass_reads_nothing_but_its_own_tensors(
    toy: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a graph: its tensors keep their places, and few shapes serve all rows."""
    seen: dict[int, tuple[int, ...]] = {}
    widths: list[int] = []
    real = GraphedEngine.run_pass

    def watched(self: GraphedEngine, words: Any) -> Any:
        places = tuple(t.data_ptr() for t in (words.given, words.rows, words.offsets))
        assert seen.setdefault(id(words), places) == places
        widths.append(len(words.parts))
        return real(self, words)

    monkeypatch.setattr(GraphedEngine, "run_pass", watched)
    answers(toy, "graphed", batch_size=7)
    assert set(widths) <= {1, 2, 4, 7}
    assert len(seen) <= 4
    assert len(widths) > 3 * len(seen)


def test_a_batch_that_runs_out_of_memory_is_answered_in_halves(
    toy: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def full(loaded: Loaded, compute: Any, prompts: Any, *rest: Any, **options: Any) -> Any:
        sizes.append(len(prompts))
        if len(prompts) > 2:
            raise torch.OutOfMemoryError(FULL)
        return generate_batch(loaded, compute, prompts, *rest, **options)

    monkeypatch.setattr(batches, "generate_batch", full)
    replies: list[Reply] = []
    told: list[str] = []
    engine = made(toy, "batches", replies.append, prefill_tokens=4096)
    answer_within_memory(engine, cpu(), told.append)
    assert told == ["evaluation ran out of memory; continuing with 2 at a time"]
    assert sizes[0] == 5
    assert max(sizes[1:]) == 2
    assert [r.answer for r in sorted(replies, key=lambda r: r.number)] == alone(toy)


def test_what_ends_continuous_batching_ends_the_answering_with_its_words(
    toy: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = toy.model.base_model

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError(FULL)

    monkeypatch.setattr(base, "forward", broken)
    with pytest.raises(RuntimeError, match="out of memory"):
        answers(toy, "continuous")
    assert toy.model.config._attn_implementation == "sdpa"


def test_the_device_has_an_engine_of_its_own_and_another_can_be_asked_for(toy: Loaded) -> None:
    assert {name: kind.engine for name, kind in KINDS.items()} == {"cpu": "rows", "cuda": "rows"}
    assert chosen(None, toy, cpu()).name == "rows"
    for name in ENGINES:
        assert (chosen(name, toy, cpu()).name, chosen(name, toy, cpu()).warning) == (name, None)


def test_an_engine_that_cannot_serve_is_replaced_and_that_is_said(toy: Loaded) -> None:
    narrow = chosen("continuous", toy, cpu(Precision.BF16))
    assert narrow.name == "rows"
    assert narrow.warning == "engine continuous cannot answer for this model here; rows does"
    other: Any = GPT2LMHeadModel(GPT2Config(vocab_size=259, n_positions=64, n_embd=32, n_head=4))
    strange = Loaded(other, toy.tokenizer, toy.codec, True, toy.stop_ids)
    by_rows = registry.can_answer_by_rows(other)
    assert chosen(None, strange, cpu()).name == ("rows" if by_rows else "batches")


@pytest.mark.parametrize("name", list(ENGINES))
def test_a_job_is_answered_by_the_engine_it_names(tmp_path: Path, name: EngineName) -> None:
    model = untrained(tmp_path / "random", endless=True)
    own = job_of(model, tmp_path, max_new_tokens=20)
    generated(own)
    job = own.model_copy(update={"engine": name, "out": str(tmp_path / f"{name}.jsonl")})
    emitted = generated(job)
    assert not of_kind(emitted, events.Warned)
    assert texts(job) == texts(own)
    assert of_kind(emitted, events.Answered)[-1].new_tokens == sum(
        answer.new_tokens or 0 for answer in read_answers(Path(job.out))
    )


def test_engines_are_classes_behind_one_port(toy: Loaded) -> None:
    for name, kind in {
        "rows": RowsEngine,
        "graphed": GraphedEngine,
        "continuous": ContinuousEngine,
    }.items():
        assert type(made(toy, name, lambda _: None)) is kind  # type: ignore[arg-type]
