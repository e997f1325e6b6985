"""The toy's conversations and prompts: true to their instructions, held apart, varied."""

import hashlib
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from autotune.data.load import load_conversations
from autotune.demo import TOY_CONVERSATIONS as CONVERSATIONS
from autotune.demo import TOY_PROMPTS as PROMPTS
from autotune.protocol.plan import DataSpec
from autotune.score.ifeval.instructions import instruction_of, read_arguments
from autotune.score.ifeval.prompts import read_ifeval_prompts
from autotune.synth.kinds import Ask
from autotune.synth.topics import held_out_topics, practice_topics

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
CONSTRAINTS = Path(__file__).resolve().with_name("constraints.jsonl")
"""What each answer has to satisfy: a line a conversation, `[[id, arguments], ...]` an answer."""

Message = dict[str, str]


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@cache
def conversations() -> list[list[Message]]:
    return [row["messages"] for row in lines(CONVERSATIONS)]


def answers(conversation: list[Message]) -> list[str]:
    return [m["content"] for m in conversation if m["role"] == "assistant"]


def requests() -> list[str]:
    return [m["content"] for c in conversations() for m in c if m["role"] == "user"]


def holds(instruction: str, arguments: dict[str, Any], text: str) -> bool:
    return instruction_of(instruction, read_arguments(instruction, arguments)).check(text)


def test_a_run_that_began_with_these_files_goes_on_with_them() -> None:
    # A run folder keeps these digests: another byte, and it is refused.
    assert [hashlib.sha256(p.read_bytes()).hexdigest() for p in (CONVERSATIONS, PROMPTS)] == [
        "be0d159dfe02e306ff3369eb984307ce2de14e9d6185c6efa1dc857eadb9b009",
        "68e466d97095769799a44a3d69f565a55241c00b21abfef4be59b332c0c0e898",
    ]


def test_every_answer_satisfies_each_of_its_instructions_by_the_scorer() -> None:
    asked = lines(CONSTRAINTS)
    assert len(conversations()) == len(asked) == 600
    for conversation, turns in zip(conversations(), asked, strict=True):
        for answer, turn in zip(answers(conversation), turns, strict=True):
            assert 1 <= len(turn) <= 4
            assert answer.strip()
            for instruction, arguments in turn:
                assert holds(instruction, arguments, answer), (instruction, arguments, answer)


def test_an_answer_that_breaks_its_instruction_is_noticed() -> None:
    assert not holds("punctuation:no_comma", {}, "Tea, honey and bread.")
    assert not holds(
        "detectable_format:number_bullet_lists", {"num_bullets": 2}, "* One\n* Two\n*3"
    )


def test_all_25_instructions_of_ifeval_are_asked_for_and_any_250_conversations_hold_them() -> None:
    known = {ask.value for ask in Ask}
    assert len(known) == 25
    for start in (0, 350):
        part = lines(CONSTRAINTS)[start : start + 250]
        assert {name for turns in part for turn in turns for name, _ in turn} == known


def test_the_prompts_are_read_by_the_evaluation_and_ask_for_much() -> None:
    prompts = read_ifeval_prompts(PROMPTS)
    assert [prompt.key for prompt in prompts] == list(range(1, 49))
    assert len({prompt.prompt for prompt in prompts}) == 48
    asked = {i for row in lines(PROMPTS) for i in row["instruction_id_list"]}
    # The conversations hold every text of ours in another language, so no prompt asks for one.
    assert asked < {ask.value for ask in Ask} - {Ask.LANGUAGE.value}
    assert len(asked) >= 20


def test_prompts_and_conversations_share_no_topic() -> None:
    held_out = [topic.name for topic in held_out_topics()]
    trained = [topic.name for topic in practice_topics()]
    assert not set(held_out) & set(trained)
    for request in requests():
        assert not any(f"about {name}" in request for name in held_out)
    for row in lines(PROMPTS):
        assert not any(f"about {name}" in row["prompt"] for name in trained)


def test_the_conversations_are_read_as_chats_each_of_them() -> None:
    loaded = load_conversations(DataSpec(path=str(CONVERSATIONS), format="auto"))
    assert len(loaded.conversations) == 600


def test_no_conversation_no_answer_and_no_first_request_comes_twice() -> None:
    everything = conversations()
    assert len({c[0]["content"] for c in everything}) == len(everything)
    counts = Counter(answer for c in everything for answer in answers(c))
    assert counts.most_common(1)[0][1] == 1


def test_users_and_assistants_alternate_and_every_fifth_conversation_has_more_rounds() -> None:
    rounds = Counter()
    for index, conversation in enumerate(conversations()):
        roles = [message["role"] for message in conversation]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        rounds[len(roles) // 2] += 1
        assert (len(roles) > 2) == (index % 5 == 4)
    assert rounds[1] == 480
    assert all(rounds[n] >= 10 for n in (2, 3, 4))
    assert set(rounds) == {1, 2, 3, 4}


def test_texts_read_like_texts() -> None:
    texts = [m["content"] for c in conversations() for m in c]
    for text in texts + [row["prompt"] for row in lines(PROMPTS)]:
        assert text == text.strip()
        assert "  " not in re.sub(r"^ +", "", text, flags=re.MULTILINE)
        assert not re.search(r"\{(topic|items|fact|question|reply|n|word|words)\}", text)
        assert not re.search(r"\b(1|one) (times|words|sentences|parts|points)\b", text)
        assert "None" not in text and "\n\n\n" not in text


def test_answers_are_short_so_that_a_small_model_sees_many_ends() -> None:
    words = sorted(len(answer.split()) for c in conversations() for answer in answers(c))
    assert words[-1] <= 160
    assert 35 <= words[len(words) // 2] <= 60


def test_requests_differ_in_their_beginnings() -> None:
    starts = Counter(" ".join(c[0]["content"].split()[:3]).lower() for c in conversations())
    assert len(starts) >= 100
    assert starts.most_common(1)[0][1] <= 60


@pytest.mark.skipif(not (SHARED / "data" / "ifeval").is_dir(), reason="no IFEval prompts here")
def test_requests_share_no_prompt_and_next_to_no_eight_words_in_a_row_with_ifeval() -> None:
    prompts = [row["prompt"] for row in lines(SHARED / "data" / "ifeval" / "input_data.jsonl")]
    published = {gram for prompt in prompts for gram in _grams(prompt)}
    for request in requests():
        assert not any(prompt in request for prompt in prompts)
    shared = {gram for request in requests() for gram in _grams(request) if gram in published}
    # What remains are the three fixed replies, which the checker itself prescribes.
    assert all(gram.count("my answer is") + gram.count("answer is") for gram in shared), shared
    total = sum(len(_grams(request)) for request in requests())
    hits = sum(gram in published for request in requests() for gram in _grams(request))
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
        "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in c)
        for c in conversations()
    ]
    lengths = sorted(len(e.ids) for e in tokenizer.encode_batch(texts))
    assert 110 <= lengths[len(lengths) // 2] <= 160
    assert lengths[-1] <= 420
