"""Prompts composed from topics, forms and instructions: in IFEval's format, repeatable, varied."""

import os
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from autotune.base.errors import BadInput
from autotune.score.ifeval.prompts import read_ifeval_prompts
from autotune.synth.kinds import Ask, compatible
from autotune.synth.prompts import DemoPrompt, compose_prompts
from autotune.synth.topics import held_out_topics, training_topics


@cache
def prompts() -> tuple[DemoPrompt, ...]:
    return compose_prompts(training_topics(), seed=0, count=400)


def test_prompts_are_the_same_for_a_seed_and_a_smaller_count_is_their_beginning() -> None:
    assert compose_prompts(training_topics(), 0, 40) == prompts()[:40]
    assert compose_prompts(training_topics(), 1, 40) != prompts()[:40]


def test_a_new_process_composes_the_same_whatever_its_hash_seed() -> None:
    program = (
        "from autotune.synth.prompts import compose_prompts;"
        "from autotune.synth.topics import training_topics;"
        "print(ascii([p.prompt for p in compose_prompts(training_topics(), 0, 15)]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        cwd=Path(__file__).resolve().parents[2],
    )
    assert run.stdout.strip() == ascii([p.prompt for p in prompts()[:15]])


def test_the_evaluation_reads_them_and_all_25_instructions_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(p.model_dump_json() + "\n" for p in prompts()), encoding="utf-8")
    assert [p.prompt for p in read_ifeval_prompts(path)] == [p.prompt for p in prompts()]
    for part in (prompts()[:200], prompts()[200:]):
        assert {i for p in part for i in p.instruction_id_list} == {ask.value for ask in Ask}


def test_no_prompt_comes_twice_and_they_begin_in_many_ways() -> None:
    assert len({p.prompt for p in prompts()}) == 400
    starts = Counter(" ".join(p.prompt.split()[:3]).lower() for p in prompts())
    assert len(starts) >= 100
    assert starts.most_common(1)[0][1] <= 40


def test_prompts_read_like_texts() -> None:
    for prompt in prompts():
        text = prompt.prompt
        assert text == text.strip()
        assert "  " not in re.sub(r"^ +", "", text, flags=re.MULTILINE)
        assert not re.search(r"\{[a-z]+\}", text)
        assert not re.search(r"\b(1|one) (times|words|sentences|parts|points)\b", text)
        assert "None" not in text and '""' not in text


def test_about_half_of_the_prompts_give_one_instruction_and_none_more_than_three() -> None:
    counts = Counter(len(set(p.instruction_id_list)) for p in prompts())
    assert set(counts) == {1, 2, 3}
    assert 0.45 < counts[1] / 400 < 0.7


def test_there_are_enough_topics_each_with_material() -> None:
    assert len(training_topics()) >= 40
    assert len(held_out_topics()) == 10
    for topic in (*training_topics(), *held_out_topics()):
        assert all(text.count("*") == 2 for text in topic.facts), topic.name
        assert sum(topic.keyword in fact.lower() for fact in topic.facts) >= 3, topic.name
        assert len(topic.words) >= 3, topic.name
        assert len(topic.questions) >= 2 and all(q.endswith("?") for q in topic.questions)


def test_every_instruction_goes_alone_and_compatibility_has_no_direction() -> None:
    for first in Ask:
        assert not compatible(first, first)
        for second in Ask:
            assert compatible(first, second) == compatible(second, first)


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(BadInput, match=r"-3: must be at least 0"):
        compose_prompts(training_topics(), 0, -3)
