"""The command that `export --to lm-eval` prints writes the very texts that `eval` writes."""

import json
import shutil
from pathlib import Path

import pytest

from benchmarks.lm_eval_texts import compared
from tests.worker.toys import checkpoint

pytestmark = [
    pytest.mark.torch,
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("lm_eval") is None, reason="no lm_eval on the PATH (docs/export.md)"
    ),
]

QUESTIONS = (
    "river clock",
    "Write about a garden.",
    "Gr\u00fc\u00dfe? \u4f60\u597d",
    "paper\n\nstone",
    "a",
)


def test_lm_eval_writes_the_greedy_answers_of_eval(tmp_path: Path) -> None:
    asked = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
    lines = (json.dumps({"key": at, "prompt": q} | asked) for at, q in enumerate(QUESTIONS))
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    model, work = checkpoint(tmp_path / "best"), tmp_path / "work"
    work.mkdir()
    pairs = compared(model, prompts, 200, work)
    assert len(pairs) == len(QUESTIONS)
    assert "stop" in {pair.finish for pair in pairs}
    for pair in pairs:
        assert pair.theirs == pair.ours, pair.prompt
