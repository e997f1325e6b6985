"""transformers' pipeline writes the very texts that `eval` writes, with real weights."""

from pathlib import Path

import pytest

import autotune.demo
from autotune.sources.model import demo_model
from benchmarks.pipeline_texts import compared

pytestmark = [pytest.mark.torch, pytest.mark.slow]

PROMPTS = Path(autotune.demo.__file__).with_name("prompts.jsonl")


def test_transformers_pipeline_writes_the_greedy_answers_of_eval(tmp_path: Path) -> None:
    source = demo_model()
    if not source.is_prepared:
        pytest.skip("the demo model is not converted on this machine")
    few, work = tmp_path / "few.jsonl", tmp_path / "work"
    lines = PROMPTS.read_text(encoding="utf-8").splitlines(keepends=True)
    few.write_text("".join(lines[:5]), encoding="utf-8")
    work.mkdir()
    pairs = compared(source.folder, few, 64, work)
    assert len(pairs) == 5
    assert "stop" in {pair.finish for pair in pairs}
    for pair in pairs:
        assert pair.theirs == pair.ours, pair.prompt
