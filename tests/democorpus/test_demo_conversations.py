"""The demo's training conversations: true to their constraints, repeatable, varied."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from autotune.democorpus import DemoConversation, compose, write_demo_data
from autotune.democorpus.check import all_hold, holds
from autotune.democorpus.constraints import Ask, compatible
from autotune.democorpus.topics import held_out_topics, training_topics
from autotune.errors import BadInput

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


@cache
def conversations() -> tuple[DemoConversation, ...]:
    return compose(0, 600)


def digest(composed: tuple[DemoConversation, ...]) -> str:
    text = "\n".join(c.model_dump_json() for c in composed)
    return hashlib.sha256(text.encode()).hexdigest()


def test_every_answer_satisfies_each_of_its_constraints_by_the_scorer() -> None:
    for conversation in conversations():
        assert len(conversation.answers) == len(conversation.constraints)
        for answer, constraints in zip(conversation.answers, conversation.constraints, strict=True):
            assert 1 <= len(constraints) <= 4
            assert all_hold(constraints, answer), (answer, constraints)


def test_an_answer_that_breaks_its_constraint_is_noticed() -> None:
    assert not holds("punctuation:no_comma", {}, "Tea, honey and bread.")
    assert not holds(
        "detectable_format:number_bullet_lists", {"num_bullets": 2}, "* One\n* Two\n*3"
    )
    assert not holds("punctuation:no_comma", {}, " ")


def test_all_25_instructions_of_ifeval_are_asked_for_and_any_250_conversations_hold_them() -> None:
    known = {ask.value for ask in Ask}
    assert len(known) == 25
    for start in (0, 350):
        part = conversations()[start : start + 250]
        assert {c.instruction_id for p in part for turn in p.constraints for c in turn} == known


def test_the_same_seed_gives_the_same_texts_and_a_smaller_count_is_their_beginning() -> None:
    assert compose(7, 40) == compose(7, 60)[:40]


def test_another_seed_gives_other_texts() -> None:
    first = {c.messages for c in compose(1, 50)}
    second = {c.messages for c in compose(2, 50)}
    assert len(first & second) <= 2


def test_a_new_process_composes_the_same_whatever_its_hash_seed() -> None:
    program = (
        "from autotune.democorpus import compose; import hashlib;"
        "t='\\n'.join(c.model_dump_json() for c in compose(3, 15));"
        "print(hashlib.sha256(t.encode()).hexdigest())"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        cwd=Path(__file__).resolve().parents[2],
    )
    assert run.stdout.strip() == digest(compose(3, 15))


def test_no_conversation_no_answer_and_no_first_request_comes_twice() -> None:
    everything = conversations()
    assert len({c.messages for c in everything}) == len(everything)
    assert len({c.messages[0].content for c in everything}) == len(everything)
    counts = Counter(answer for c in everything for answer in c.answers)
    assert counts.most_common(1)[0][1] == 1


def test_users_and_assistants_alternate_and_every_fifth_conversation_has_more_rounds() -> None:
    rounds = Counter()
    for index, conversation in enumerate(conversations()):
        roles = [message.role for message in conversation.messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        rounds[len(roles) // 2] += 1
        assert (len(roles) > 2) == (index % 5 == 4)
    assert rounds[1] == 480
    assert all(rounds[n] >= 10 for n in (2, 3, 4))
    assert set(rounds) == {1, 2, 3, 4}


def test_texts_read_like_texts() -> None:
    for conversation in conversations():
        for message in conversation.messages:
            text = message.content
            assert text == text.strip()
            assert "  " not in re.sub(r"^ +", "", text, flags=re.MULTILINE)
            assert not re.search(r"\{(topic|items|fact|question|reply|n|word|words)\}", text)
            assert not re.search(r"\b(1|one) (times|words|sentences|parts|points)\b", text)
            assert "None" not in text and "\n\n\n" not in text


def test_answers_are_short_so_that_a_small_model_sees_many_ends() -> None:
    words = sorted(len(answer.split()) for c in conversations() for answer in c.answers)
    assert words[-1] <= 160
    assert 35 <= words[len(words) // 2] <= 60


def test_requests_differ_in_their_beginnings() -> None:
    starts = Counter(" ".join(c.messages[0].content.split()[:3]).lower() for c in conversations())
    assert len(starts) >= 100
    assert starts.most_common(1)[0][1] <= 60


def test_there_are_enough_topics_each_with_facts_that_need_no_commas() -> None:
    assert len(training_topics()) >= 40
    assert len(held_out_topics()) == 10
    for topic in (*training_topics(), *held_out_topics()):
        assert all(text.count("*") == 2 for text in (*topic.facts, *topic.tips)), topic.name
        assert sum("," not in fact for fact in topic.facts) >= 5, topic.name
        assert sum(topic.keyword in fact.lower() for fact in topic.facts) >= 3, topic.name
        assert {answer for _, answer, _ in topic.yes_no} == {"yes", "no"}
        assert len(topic.verse) == 4 and not any("," in line for line in topic.verse)


def test_every_instruction_goes_alone_and_compatibility_has_no_direction() -> None:
    for first in Ask:
        assert not compatible(first, first)
        for second in Ask:
            assert compatible(first, second) == compatible(second, first)


def test_the_file_holds_one_conversation_a_line_in_the_messages_format(tmp_path: Path) -> None:
    path = tmp_path / "new" / "demo.jsonl"
    write_demo_data(path, seed=5, count=12)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 12
    first = json.loads(lines[0])
    assert set(first) == {"messages"}
    assert [set(m) for m in first["messages"]] == [{"role", "content"}] * len(first["messages"])
    assert first["messages"][0]["content"] == compose(5, 1)[0].messages[0].content
    before = path.read_bytes()
    write_demo_data(path, seed=5, count=12)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["demo.jsonl"]


def test_a_negative_count_is_refused_with_the_value_and_the_bound() -> None:
    with pytest.raises(BadInput, match=r"-1: must be at least 0"):
        compose(0, -1)


@pytest.mark.skipif(not (SHARED / "data" / "ifeval").is_dir(), reason="no IFEval prompts here")
def test_requests_share_no_prompt_and_next_to_no_eight_words_in_a_row_with_ifeval() -> None:
    lines = (SHARED / "data" / "ifeval" / "input_data.jsonl").read_text(encoding="utf-8")
    prompts = [json.loads(line)["prompt"] for line in lines.splitlines()]
    published = {gram for prompt in prompts for gram in _grams(prompt)}
    requests = [m.content for c in conversations() for m in c.messages if m.role == "user"]
    for request in requests:
        assert not any(prompt in request for prompt in prompts)
    shared = {gram for request in requests for gram in _grams(request) if gram in published}
    # What remains are the three fixed replies, which the checker itself prescribes.
    assert all(gram.count("my answer is") + gram.count("answer is") for gram in shared), shared
    total = sum(len(_grams(request)) for request in requests)
    hits = sum(gram in published for request in requests for gram in _grams(request))
    assert hits / total < 0.01


def _grams(text: str) -> set[str]:
    words = text.lower().split()
    return {" ".join(words[i : i + 8]) for i in range(len(words) - 7)}


@pytest.mark.skipif(
    not (SHARED / "data" / "smollm2-135m").is_dir(), reason="no SmolLM2 tokenizer here"
)
def test_no_conversation_is_longer_than_420_tokens_of_smollm2() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer.from_file(
        str(SHARED / "data" / "smollm2-135m" / "tokenizer.json")
    )
    texts = [
        "".join(f"<|im_start|>{m.role}\n{m.content}<|im_end|>\n" for m in c.messages)
        for c in conversations()
    ]
    lengths = sorted(len(e.ids) for e in tokenizer.encode_batch(texts))
    assert 110 <= lengths[len(lengths) // 2] <= 160
    assert lengths[-1] <= 420
