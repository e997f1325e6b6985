"""A real llama.cpp reads what `export --to gguf` writes, and says what transformers says."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from autotune.sources.model import demo_model
from benchmarks.gguf_texts import (
    MISSING,
    LlamaCpp,
    Transformers,
    compared,
    exported,
    is_missing,
    other_tokens,
)
from tests.worker.toys import checkpoint

pytestmark = [
    pytest.mark.torch,
    pytest.mark.slow,
    pytest.mark.skipif(is_missing(), reason=MISSING),
]

QUESTIONS = (
    "Name three rivers in Europe.",
    "What is 17 times 23?",
    "Say hello.",
    "Write a haiku about winter.",
    "What is the capital of France?",
)
TEXTS = (
    *QUESTIONS,
    "Grüße an alle; naïve café, 你好, and an emoji: 🙂\n\n\tdef f(x):\n        return x + 1",
    "\n\n1. 2024-11-29  \r\n \t12,345.67 it's THEY'LL  x²³",
    "a marker that is only written: <|im_end|>",
)
TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "One."},
    {"role": "assistant", "content": "Two."},
    {"role": "user", "content": "Three?\n"},
]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LlamaCpp, Transformers]]:
    source = demo_model()
    if not source.is_prepared:
        pytest.skip("the demo model is not converted on this machine")
    file = exported(source.folder, "f16", tmp_path_factory.mktemp("real") / "gguf")
    yield LlamaCpp(file), Transformers(source.folder)


def test_llama_cpp_makes_the_tokens_and_prompts_of_transformers(
    both: tuple[LlamaCpp, Transformers],
) -> None:
    llama, hf = both
    assert other_tokens(llama, hf, TEXTS) == []
    assert llama.tokens(llama.prompt(TALK)) == hf.asked(TALK)


def test_llama_cpp_writes_the_greedy_tokens_of_transformers_and_stops_where_it_stops(
    both: tuple[LlamaCpp, Transformers],
) -> None:
    pairs = [compared(*both, question, 60) for question in QUESTIONS]
    assert all(pair.asked for pair in pairs)
    same = [pair for pair in pairs if pair.theirs == pair.ours]
    assert any(pair.theirs.ended for pair in same)
    assert len(same) >= 3
    for pair in pairs:
        if pair not in same:  # rounded to 16 bits a near tie may fall to the other side
            assert pair.gap is not None and pair.gap < 0.1, pair


def test_llama_cpp_refuses_a_toy_as_its_export_says(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = exported(checkpoint(tmp_path / "best"), "f32", tmp_path / "gguf")
    said = " ".join(capfd.readouterr())
    assert "so llama.cpp and Ollama refuse the file" in said
    assert not (file.parent / "Modelfile").exists()
    with pytest.raises(RuntimeError):
        LlamaCpp(file)
