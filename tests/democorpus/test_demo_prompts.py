"""The demo's evaluation prompts: held out, in IFEval's format, answerable."""

from functools import cache
from pathlib import Path

import pytest

from autotune.democorpus import compose, demo_prompts, write_demo_prompts
from autotune.democorpus.constraints import Ask
from autotune.democorpus.conversation import DemoPrompt
from autotune.democorpus.topics import held_out_topics, training_topics
from autotune.errors import BadInput
from autotune.evaluate.prompts import read_prompts


@cache
def many_prompts() -> tuple[DemoPrompt, ...]:
    return demo_prompts(0, 150)


def test_prompts_and_training_share_no_topic() -> None:
    held_out = [topic.name for topic in held_out_topics()]
    assert not set(held_out) & {topic.name for topic in training_topics()}
    requests = [m.content for c in compose(0, 100) for m in c.messages if m.role == "user"]
    for request in requests:
        assert not any(f"about {name}" in request for name in held_out)
    for prompt in many_prompts():
        assert not any(f"about {topic.name}" in prompt.prompt for topic in training_topics())


def test_the_written_prompts_are_read_back_by_the_evaluation(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    write_demo_prompts(path, seed=0)
    prompts = read_prompts(path)
    assert [prompt.key for prompt in prompts] == list(range(1, 49))
    assert [prompt.prompt for prompt in prompts] == [p.prompt for p in many_prompts()[:48]]


def test_prompts_are_the_same_for_a_seed_and_none_comes_twice() -> None:
    assert demo_prompts(4, 15) == demo_prompts(4, 30)[:15]
    assert demo_prompts(4, 15) != demo_prompts(5, 15)
    texts = [prompt.prompt for prompt in many_prompts()]
    assert len(set(texts)) == 150


def test_prompts_ask_for_everything_but_another_language() -> None:
    asked = {i for prompt in many_prompts() for i in prompt.instruction_id_list}
    assert asked == {ask.value for ask in Ask} - {Ask.LANGUAGE.value}


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(BadInput, match=r"-3: must be at least 0"):
        demo_prompts(0, -3)
