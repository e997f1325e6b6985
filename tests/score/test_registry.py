"""The scorers by name, and whose prompts a file holds that one of them cannot read."""

import json
from pathlib import Path

import pytest

from autotune.base.errors import BadInput
from autotune.score.registry import SCORERS, find_scorer, read_prompts
from autotune.sources.named import PROMPTS

MATH = {"prompt": "What is 6 times 7?", "answer": "42"}
RULES = {"key": 1, "prompt": "Say it.", "instruction_id_list": ["a:b"], "kwargs": [{}]}


def written(path: Path, record: object) -> Path:
    path.write_text(json.dumps(record) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("name", SCORERS)
def test_a_row_opens_the_scorer_of_that_name(name: str) -> None:
    scorer = find_scorer(name)
    assert scorer.name == name
    assert scorer.full_set is None or scorer.full_set.source in PROMPTS
    assert all(scorer.judges_by) and scorer.fields()[0] == "prompt"


@pytest.mark.parametrize(
    ("scorer", "record", "said"),
    [
        ("ifeval", MATH, "has an answer; prompts with answers are for --scorer exact"),
        ("exact", RULES, "has instructions; prompts with instructions are for --scorer ifeval"),
        ("ifeval", {**RULES, "answer": "42"}, "unknown key 'answer'"),  # what is wrong is its own
        ("exact", {**MATH, "answer": " "}, "answer is blank"),
        ("exact", {"question": "?"}, "lacks 'prompt'"),  # nobody's
    ],
)
def test_prompts_of_another_scorer_are_named_as_such(
    scorer: str, record: object, said: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "prompts.jsonl", record)
    with pytest.raises(BadInput) as caught:
        read_prompts(find_scorer(scorer), path)
    assert str(caught.value).startswith(f"{path}:1: {said}")


def test_a_file_of_its_own_prompts_is_read(tmp_path: Path) -> None:
    (prompt,) = read_prompts(find_scorer("exact"), written(tmp_path / "math.jsonl", MATH))
    assert prompt.prompt == MATH["prompt"]
