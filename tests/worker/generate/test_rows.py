"""Answers by rows: the words of each prompt alone, whatever is answered beside it."""

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, MistralConfig, MistralForCausalLM

from autotune.protocol.choices import Precision
from autotune.protocol.oom_recovery import SLACK_BYTES
from autotune.worker.compute import Compute
from autotune.worker.generate import exact_argmax, kv_cache
from autotune.worker.generate.batches import generate_batch
from autotune.worker.generate.reply import GenerationSettings, Reply
from autotune.worker.generate.rows import LOOK_EVERY, MIN_PREFILL_TOKENS, RowsEngine
from autotune.worker.generate.rows_check import can_answer_by_rows
from autotune.worker.memory.base import MemoryReading
from autotune.worker.model import Loaded
from autotune.worker.oom import MemoryKept, answer_within_memory
from tests.fakes.memory import FakeMemory
from tests.worker.played_kind import play
from tests.worker.toys import FULL, cpu, encoded, loaded_toy, stepper_of

pytestmark = pytest.mark.torch

MOST = 150
"""Tokens of an answer: more than one look at it, and more room than is taken at first."""


@pytest.fixture(scope="module")
def random_toy(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """Loud random weights: answers that differ and seldom end."""
    loaded = loaded_toy(tmp_path_factory.mktemp("random"))
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in loaded.model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.3)
    return loaded


@pytest.fixture(scope="module")
def looping_toy(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """It has learned to say the same over and over, to one question with an end."""
    loaded = loaded_toy(tmp_path_factory.mktemp("looping"))
    stepper = stepper_of(
        loaded, micro_batch_tokens=4000, warmup_steps=0, total_steps=60, learning_rate=1e-2
    )
    said = {"x": "abcd" * 4 + ".", "y": "so it is and " * 3 + "that is all", "z": "hm " * 40}
    rows = [encoded(loaded.codec, word * 3, text) for word, text in said.items()]
    for number in range(1, 61):
        stepper.step(rows, number)
    return loaded


@pytest.fixture(params=["random", "looping"])
def toy(request: pytest.FixtureRequest, random_toy: Loaded, looping_toy: Loaded) -> Loaded:
    return random_toy if request.param == "random" else looping_toy


def some_prompts(loaded: Loaded) -> list[list[int]]:
    """Ten prompts of noise, and three that the looping toy has been asked before."""
    draw = random.Random(1)
    noise = [[draw.randrange(3, 259) for _ in range(draw.randrange(1, 40))] for _ in range(10)]
    return [loaded.codec.render_prompt(word * 3) for word in "xyz"] + noise


class AnswerSink:
    """Takes answers, and counts passes of the model."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.passes = 0
        self.words: list[str] = []

    def step(self) -> None:
        self.passes += 1

    @property
    def answers(self) -> list[list[int]]:
        return [r.answer for r in sorted(self.replies, key=lambda r: r.number)]


def answering_of(
    loaded: Loaded,
    sink: AnswerSink,
    *,
    batch_size: int = 4,
    prefill_tokens: int = 4096,
    compute: Compute | None = None,
    prompts: list[list[int]] | None = None,
    decided: Callable[[Reply], bool] | None = None,
    **settings: Any,
) -> RowsEngine:
    asked = GenerationSettings(
        **({"max_new_tokens": MOST} | settings),
        batch_size=batch_size,
        prefill_tokens=prefill_tokens,
    )
    return RowsEngine(
        loaded,
        compute or cpu(),
        asked,
        prompts if prompts is not None else some_prompts(loaded),
        sink.replies.append,
        on_step=sink.step,
        **({"decided": decided} if decided else {}),
    )


def answered(loaded: Loaded, **how: Any) -> AnswerSink:
    sink = AnswerSink()
    answering_of(loaded, sink, **how).run()
    return sink


SAID: dict[tuple[int, int], tuple[Loaded, list[list[int]]]] = {}
"""By model and cap, with the model, so that no other gets its id."""


def alone(loaded: Loaded, most: int = MOST) -> list[list[int]]:
    """What transformers says, a prompt at a time; each model is asked once."""
    if (id(loaded), most) not in SAID:
        said = [generate_batch(loaded, cpu(), [ids], most)[0] for ids in some_prompts(loaded)]
        SAID[id(loaded), most] = loaded, said
    return SAID[id(loaded), most][1]


@pytest.fixture(params=["one by one", "attend_together"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to attend, whatever the rows are like."""
    padding = math.inf if request.param == "attend_together" else 0.0
    play(monkeypatch, most_padding=padding)


def test_texts_are_those_of_one_prompt_at_a_time_by_transformers(toy: Loaded, way: None) -> None:
    expected = alone(toy)
    assert len({tuple(ids) for ids in expected}) > 3
    for batch_size in (1, 3, 8, 64):
        for guessing in (True, False):
            found = answered(toy, batch_size=batch_size, guessing=guessing)
            assert found.answers == expected, (batch_size, guessing)


def test_prompts_that_are_read_in_pieces_are_answered_the_same(toy: Loaded, way: None) -> None:
    assert answered(toy, prefill_tokens=7).answers == alone(toy)


def test_guesses_change_no_text_and_save_half_of_the_passes_where_a_model_repeats_itself(
    looping_toy: Loaded,
) -> None:
    plain, guessed = (answered(looping_toy, guessing=way) for way in (False, True))
    assert guessed.answers == plain.answers
    assert guessed.passes < plain.passes / 2
    ends = {reply.finish for reply in guessed.replies}
    assert ends == {"stop", "length"}


def test_an_answer_ends_with_its_first_stop_token_or_at_the_cap(toy: Loaded) -> None:
    stops = set(toy.stop_ids)
    for reply in answered(toy).replies:
        assert not stops & set(reply.answer[:-1])
        assert (reply.finish == "stop") == (reply.answer[-1] in stops)
        assert reply.finish == "stop" or len(reply.answer) == MOST


def test_the_first_tokens_of_an_answer_do_not_end_it_where_that_is_asked(
    looping_toy: Loaded,
) -> None:
    shortest = min(len(ids) for ids in answered(looping_toy).answers)
    assert shortest < 120
    longer = answered(looping_toy, min_new_tokens=120).answers
    assert min(len(ids) for ids in longer) > 120


def test_a_row_that_is_finished_leaves_and_the_next_prompt_takes_its_place(
    looping_toy: Loaded,
) -> None:
    sink = AnswerSink()
    rows: list[int] = []
    waiting: list[int] = []
    answering = answering_of(looping_toy, sink, batch_size=4)
    real = answering.step

    def watched() -> None:
        rows.append(len(answering.rows))
        waiting.append(len(answering.waiting))
        real()

    answering.step = watched  # type: ignore[method-assign]
    answering.run()
    assert all(now == 4 for now, left in zip(rows, waiting, strict=True) if left)
    assert rows == sorted(rows, reverse=True)
    assert rows[-1] == 1
    done = [reply.number for reply in sink.replies]
    assert sorted(done) == list(range(13))
    assert done != sorted(done)  # in the order in which they are finished


@pytest.mark.parametrize("at", [0, 1, 7, 40])
def test_an_answering_that_runs_out_of_memory_goes_on_with_half_the_rows(
    toy: Loaded, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = alone(toy)
    sink = AnswerSink()
    answering = answering_of(toy, sink, batch_size=6)
    rows: list[int] = []
    real = answering.forward

    def full(tokens: list[int], *rest: Any) -> Tensor:
        rows.append(len(answering.rows))
        if len(rows) == at + 1:
            raise torch.OutOfMemoryError(FULL)
        return real(tokens, *rest)

    monkeypatch.setattr(answering, "forward", full)
    answer_within_memory(answering, answering.compute, sink.words.append)
    assert sink.answers == expected
    assert len(sink.replies) == 13  # none twice
    before = rows[at]
    assert max(rows[at + 1 :]) == before // 2
    (words,) = sink.words
    assert words.startswith(
        f"evaluation ran out of memory; continuing with {before // 2} at a time"
    )


def test_an_answer_that_was_finished_by_a_pass_that_ran_out_of_memory_is_kept_as_it_is(
    looping_toy: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = AnswerSink()
    answering = answering_of(looping_toy, sink, batch_size=6)
    real, broken = answering.accept, []

    def full(row: Reply, *rest: Any) -> None:
        real(row, *rest)
        if row.finish is not None and not broken:
            broken.append(row.number)
            raise torch.OutOfMemoryError(FULL)

    monkeypatch.setattr(answering, "accept", full)
    answer_within_memory(answering, answering.compute, sink.words.append)
    assert broken
    assert sink.answers == alone(looping_toy)
    assert len(sink.replies) == 13


def test_one_row_that_does_not_fit_is_read_in_smaller_pieces_and_then_given_up(
    random_toy: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = AnswerSink()
    answering = answering_of(random_toy, sink, batch_size=2, prefill_tokens=4 * MIN_PREFILL_TOKENS)

    def full(*_: Any) -> Tensor:
        raise torch.OutOfMemoryError(FULL)

    monkeypatch.setattr(answering, "forward", full)
    with pytest.raises(torch.OutOfMemoryError, match="Tried to allocate"):
        answer_within_memory(answering, answering.compute, sink.words.append)
    asked = [words.split("continuing with ")[1] for words in sink.words]
    assert asked == [
        f"1 at a time, {tokens} tokens of prompts"
        for tokens in (4 * MIN_PREFILL_TOKENS, 2 * MIN_PREFILL_TOKENS, MIN_PREFILL_TOKENS)
    ]


def test_memory_that_does_not_come_back_is_left_to_a_new_process(
    random_toy: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = iter([100, 100 + SLACK_BYTES + 1])
    memory = FakeMemory(lambda _: MemoryReading(0, 0, 0, held_bytes=next(held)))
    compute = Compute(torch.device("cpu"), Precision.FP32, memory, "fake")
    answering = answering_of(random_toy, AnswerSink(), compute=compute)

    def full(*_: Any) -> Tensor:
        raise torch.OutOfMemoryError(FULL)

    monkeypatch.setattr(answering, "forward", full)
    with pytest.raises(MemoryKept, match="128 MiB of it are still held"):
        answer_within_memory(answering, answering.compute, lambda _: None)
    assert memory.released == 1


def test_an_error_that_is_not_for_memory_ends_the_answering(
    random_toy: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering = answering_of(random_toy, AnswerSink())

    def broken(*_: Any) -> Tensor:
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(answering, "forward", broken)
    with pytest.raises(RuntimeError, match="no such kernel"):
        answer_within_memory(answering, answering.compute, lambda _: None)


def test_a_choice_between_tokens_that_are_as_likely_does_not_depend_on_the_batch(
    random_toy: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every token has a twin, and rounding (louder than in life) decides between the two."""
    weights = random_toy.model.get_input_embeddings().weight
    before = weights.detach().clone()
    real = RowsEngine.forward

    def rounded(self: RowsEngine, tokens: list[int], *rest: Any) -> Tensor:
        noise = torch.Generator().manual_seed(len(tokens))
        logits = real(self, tokens, *rest)
        return logits + 1e-5 * torch.randn(logits.shape, generator=noise)

    monkeypatch.setattr(RowsEngine, "forward", rounded)
    try:
        with torch.no_grad():
            weights[4:258:2] = weights[3:257:2]
        # A twin reads the same, so texts cannot drift apart: what is compared are the tokens.
        one, five = (answered(random_toy, batch_size=size).answers for size in (1, 5))
        assert one == five
        monkeypatch.setattr(exact_argmax, "MIN_LOGIT_MARGIN", 0.0)
        one, five = (answered(random_toy, batch_size=size).answers for size in (1, 5))
        assert one != five
    finally:
        with torch.no_grad():
            weights.copy_(before)


def test_an_answer_that_is_decided_is_left_unfinished(looping_toy: Loaded) -> None:
    asked: list[tuple[int, int]] = []

    def decided(reply: Reply) -> bool:
        asked.append((reply.number, reply.new_tokens))
        return reply.number in (2, 5) or reply.new_tokens >= 2 * LOOK_EVERY

    plain = answered(looping_toy)
    sink = answered(looping_toy, decided=decided)
    assert {len(ids) for ids in plain.answers if len(ids) >= LOOK_EVERY}
    for reply, whole in zip(
        sorted(sink.replies, key=lambda r: r.number), plain.answers, strict=True
    ):
        assert reply.answer == whole[: len(reply.answer)]
        if reply.finish == "decided":
            assert len(reply.answer) >= LOOK_EVERY
        else:
            assert reply.answer == whole
    assert "decided" in {reply.finish for reply in sink.replies}
    looks = [sum(at == number for at, _ in asked) for number in range(13)]
    assert max(looks) <= MOST // LOOK_EVERY


@pytest.mark.parametrize("precision", [Precision.FP16, Precision.BF16])
def test_answers_are_made_in_16_bits_as_well(
    looping_toy: Loaded, precision: Precision, way: None
) -> None:
    found, expected = answered(looping_toy, compute=cpu(precision)).answers, alone(looping_toy)
    assert found[0] == expected[0]  # learned by heart, so that no rounding decides
    assert all(len(ids) > 10 for ids in found)


def test_a_prompt_longer_than_the_models_positions_is_cut_on_its_left(tmp_path: Path) -> None:
    loaded = loaded_toy(tmp_path)
    loaded.model.config.max_position_embeddings = 64
    long = [3 + at % 250 for at in range(200)]
    cut, whole = (answered(loaded, prompts=[ids], max_new_tokens=16) for ids in (long[-48:], long))
    assert cut.answers == whole.answers
    (answer,) = answered(loaded, prompts=[long], max_new_tokens=100, min_new_tokens=99).answers
    assert len(answer) == 63


def test_a_model_with_a_window_of_attention_is_not_answered_by_rows() -> None:
    shape: dict[str, Any] = {
        "vocab_size": 64,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
    }
    assert not can_answer_by_rows(MistralForCausalLM(MistralConfig(**shape, sliding_window=16)))
    assert can_answer_by_rows(MistralForCausalLM(MistralConfig(**shape, sliding_window=None)))


def test_a_model_that_gives_other_logits_by_rows_is_not_answered_by_rows(
    monkeypatch: pytest.MonkeyPatch, random_toy: Loaded
) -> None:
    assert can_answer_by_rows(random_toy.model)
    for way, padding in (("attend_row_by_row", 0.0), ("attend_together", math.inf)):
        real = getattr(kv_cache, way)
        play(monkeypatch, most_padding=padding)
        monkeypatch.setattr(kv_cache, way, lambda *a, real=real: real(*a) * 1.05)
        assert not can_answer_by_rows(random_toy.model)
        monkeypatch.setattr(kv_cache, way, real)


def test_a_model_of_another_family_is_tried_before_it_is_trusted() -> None:
    model = GPT2LMHeadModel(
        GPT2Config(vocab_size=64, n_positions=24, n_embd=32, n_layer=1, n_head=2)
    )
    before = model.config._attn_implementation
    can_answer_by_rows(model)
    assert model.config._attn_implementation == before


def test_rows_attend_together_unless_that_is_mostly_padding() -> None:
    def together(lengths: list[int], counts: list[int]) -> bool:
        cache = kv_cache.RowCache(len(lengths))
        cache.lengths = list(lengths)
        return kv_cache.Step(cache, counts, torch.device("cpu")).mask is not None

    assert together([50] * 8, [1] * 8)
    assert together([50] * 8, [9] * 8)
    assert together([50] * 8, [1, 2, 3, 1, 2, 3, 1, 2])
    assert not together([50] * 8, [30, 1, 1, 1, 1, 1, 1, 1])
    assert not together([900, *[50] * 7], [1] * 8)
    assert not together([0] * 8, [kv_cache.MAX_TOGETHER_TOKENS + 1] * 8)
    assert not together([50] * 8, [1] * 7 + [0])
