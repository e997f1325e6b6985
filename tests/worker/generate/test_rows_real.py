"""Real weights say the same by rows as alone: kernels meet the sizes that they are used with."""

import json
from pathlib import Path

import pytest
import torch

from autotune.protocol.choices import Supervision
from autotune.protocol.job import EngineName
from autotune.protocol.sampling import Sampling
from autotune.sources.cache import cache_folder
from autotune.sources.model import DEMO_WHEEL
from autotune.sources.model_folder import is_model_folder
from autotune.worker.generate.batches import generate_batch
from autotune.worker.generate.draws import Draws
from autotune.worker.generate.registry import chosen
from autotune.worker.generate.reply import GenerationSettings, Reply, never, nothing
from autotune.worker.generate.rows import RowsEngine
from autotune.worker.generate.rows_check import can_answer_by_rows
from autotune.worker.model import Loaded, load
from tests.worker.toys import cpu

pytestmark = [pytest.mark.torch, pytest.mark.slow]

PROMPTS = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "ifeval"
MOST = 48
SHORT = 16


@pytest.fixture(scope="module")
def real() -> Loaded:
    folder = cache_folder() / "models" / f"SmolLM2-135M-Instruct-{DEMO_WHEEL.sha256[:8]}"
    if not is_model_folder(folder):
        pytest.skip("the demo's real weights are not in the cache; the demo puts them there")
    return load(folder, torch.device("cpu"), Supervision.CONTENT)


def some_prompts(real: Loaded, every: int) -> list[list[int]]:
    """Tokens of one in so many of the first 240 reference prompts."""
    path = PROMPTS / "input_data.jsonl"
    if not path.exists():
        pytest.skip("there are no reference prompts beside the checkout")
    lines = path.read_text(encoding="utf-8").splitlines()
    return [real.prompt_ids(json.loads(line)["prompt"]) for line in lines[:240:every]]


@pytest.mark.parametrize("name", ["graphed", "continuous", "batches"])
def test_every_engine_says_the_same_with_real_weights(real: Loaded, name: EngineName) -> None:
    prompts = some_prompts(real, 60)
    expected = [generate_batch(real, cpu(), [ids], SHORT)[0] for ids in prompts]
    replies: list[Reply] = []
    choice = chosen(name, real, cpu())
    assert choice.name == name
    choice.entry.make(
        real,
        cpu(),
        GenerationSettings(SHORT, 3, 4096),
        prompts,
        replies.append,
        on_step=nothing,
        decided=never,
        begun={},
    ).run()
    replies.sort(key=lambda reply: reply.number)
    assert [reply.answer for reply in replies] == expected


def test_samples_of_real_weights_are_the_same_in_any_batch(real: Loaded) -> None:
    prompts = some_prompts(real, 60)
    sampling = Sampling(temperature=0.7, top_p=0.95, samples=1, seed=1)
    draws = Draws(sampling, [(number, 0) for number in range(len(prompts))])
    said = []
    for batch_size, guessing in ((1, False), (3, True)):
        found: dict[int, list[int]] = {}

        def done(reply: Reply, found: dict[int, list[int]] = found) -> None:
            found[reply.number] = reply.answer

        settings = GenerationSettings(SHORT, batch_size, 4096, guessing=guessing, draws=draws)
        RowsEngine(real, cpu(), settings, prompts, done).run()
        said.append(found)
    assert said[0] == said[1]


def test_texts_of_real_weights_are_those_of_one_prompt_at_a_time(real: Loaded) -> None:
    prompts = some_prompts(real, 40)
    assert can_answer_by_rows(real.model)
    expected = [generate_batch(real, cpu(), [ids], MOST)[0] for ids in prompts]
    for batch_size, guessing in ((1, True), (4, True), (6, False)):
        found: dict[int, list[int]] = {}

        def done(reply: Reply, found: dict[int, list[int]] = found) -> None:
            found[reply.number] = reply.answer

        settings = GenerationSettings(MOST, batch_size, 4096, guessing=guessing)
        RowsEngine(real, cpu(), settings, prompts, done).run()
        assert [found[at] for at in range(len(prompts))] == expected, (batch_size, guessing)
