"""The demo's practice chats and prompts: true to their instructions, whole, held apart."""

import json
from collections import Counter
from functools import cache
from typing import Any

import pytest

from autotune.config.load import find_profile
from autotune.data.contamination import read_scored_prompts
from autotune.data.load import load_conversations
from autotune.demo import PRACTICE, PROMPTS
from autotune.protocol.plan import DataSpec
from autotune.run.training_record import kinds_in
from autotune.score.health import loops
from autotune.score.ifeval.instructions import instruction_of, read_arguments
from autotune.score.ifeval.pieces import is_whole
from autotune.score.ifeval.prompts import read_ifeval_prompts
from autotune.sources.prompts import ifeval_here
from autotune.synth.card_file import README, card_of
from autotune.synth.record import PracticeRecord
from autotune.synth.topics import held_out_topics, practice_topics
from benchmarks.demo_data import chosen

MAX_BYTES = 500_000


@cache
def chats() -> list[PracticeRecord]:
    lines = PRACTICE.read_text(encoding="utf-8").splitlines()
    return [PracticeRecord.model_validate_json(line) for line in lines]


def asked(chat: PracticeRecord) -> str:
    return chat.messages[0].content


def answered(chat: PracticeRecord) -> str:
    return chat.messages[1].content


def told(chat: PracticeRecord) -> tuple[str, ...]:
    return chat.practice.instruction_id_list


def holds(chat: PracticeRecord, text: str) -> bool:
    """Whether a text follows every instruction of a chat, by the scorer's strict verdict."""
    told = zip(chat.practice.instruction_id_list, chat.practice.kwargs, strict=True)
    return all(instruction_of(n, read_arguments(n, dict(a))).check(text) for n, a in told)


def card() -> dict[str, Any]:
    path = card_of(PRACTICE)
    assert path is not None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_every_answer_follows_each_instruction_of_its_prompt_by_the_scorer() -> None:
    for chat in chats():
        assert chat.practice.verdict == "strict"
        assert holds(chat, answered(chat)), (asked(chat), answered(chat))
    lower = next(c for c in chats() if "change_case:english_lowercase" in told(c))
    assert not holds(lower, answered(lower) + " And so on.")


def test_every_answer_comes_to_an_end_of_its_own() -> None:
    texts = [answered(chat) for chat in chats()]
    assert not any(loops(text) for text in texts)
    # A heading or a line of a poem may be the last one; everything else ends as a sentence does.
    assert sum(map(is_whole, texts)) / len(texts) >= 0.97


def test_no_prompt_that_scores_stands_in_them_nor_nearly() -> None:
    found = [read_scored_prompts(PROMPTS)]
    if (ifeval := ifeval_here()) is not None:  # fetched by an earlier run of this machine
        found.append(read_scored_prompts(ifeval.path))
    for scored in found:
        assert not any(scored.found_in_text(asked(chat)) for chat in chats())


def test_prompts_ask_for_the_kinds_that_chats_practise_about_topics_that_no_chat_is_about() -> None:
    held_out = {topic.name for topic in held_out_topics()}
    practised = {chat.practice.topic for chat in chats()}
    assert not practised & held_out and practised <= {topic.name for topic in practice_topics()}
    prompts = read_ifeval_prompts(PROMPTS)
    assert len({prompt.prompt for prompt in prompts}) == len(prompts) == 60
    asked_for = Counter(kind for prompt in prompts for kind in prompt.instruction_id_list)
    shown = Counter(kind for chat in chats() for kind in told(chat))
    assert [*asked_for.keys() ^ shown.keys()] == [] and sorted(shown) == card()["chosen"]["kinds"]
    assert min(asked_for.values()) >= 4 and min(shown.values()) >= 20


def test_the_card_counts_the_chats_that_are_in_the_file_and_the_page_says_so() -> None:
    own = card()["chosen"]
    assert own["prompts_by_kind"] == Counter(kind for chat in chats() for kind in told(chat))
    words = [len(answered(chat).split()) for chat in chats()]
    assert own["mean_words"] == pytest.approx(sum(words) / len(words), abs=0.1)
    page = (PRACTICE.parent / "README.md").read_text(encoding="utf-8")
    assert f"Words of an answer in this file: {own['mean_words']:.0f} on average" in page
    for kind, count in own["prompts_by_kind"].items():
        assert f"| `{kind}` | {count} |" in page


def test_they_are_read_as_chats_and_known_as_practice_with_what_was_held_out_of_it() -> None:
    assert PRACTICE.stat().st_size <= MAX_BYTES
    loaded = load_conversations(DataSpec(path=str(PRACTICE), format="auto"))
    assert 200 <= len(loaded.conversations) == len(chats()) <= 400
    assert len({asked(chat) for chat in chats()}) == len(chats())
    kinds = kinds_in(PRACTICE)
    assert kinds is not None and kinds.conversations == len(chats())
    assert kinds.held_out == tuple(sorted(card()["held_out_kinds"])) and len(kinds.held_out) == 3
    assert not set(kinds.practised) & set(kinds.held_out)


def test_their_card_says_which_chats_of_the_whole_they_are() -> None:
    chosen, counts = card()["chosen"], card()["counts"]
    assert (chosen["kept"], chosen["of"]) == (len(chats()), counts["kept"])
    assert len({chat.practice.task for chat in chats()}) == len(chats()), "none twice of a task"
    text = PRACTICE.with_name(README).read_text(encoding="utf-8")
    assert f"**{len(chats())} chats are in this file: of the {chosen['of']}" in text


def test_the_demo_trains_gently_first_then_on_more_of_them_at_a_higher_rate() -> None:
    profile = find_profile("cpu-demo")
    gentle, strong = (s for s in profile.strategies if not s.fallback)
    assert gentle.max_conversations and strong.max_conversations is None
    assert 3 * gentle.max_conversations <= len(chats())
    assert 5 * gentle.learning_rate <= strong.learning_rate
    assert profile.spot_check is not None and profile.spot_check.source == "ifeval"


def test_chats_are_chosen_one_a_task_in_equal_shares_of_the_kinds_and_without_gaps() -> None:
    def line(task: int, kind: str, answer: str = "words") -> str:
        told = {"task": task, "instruction_id_list": [kind]}
        return json.dumps({"practice": told, "messages": [{"content": "?"}, {"content": answer}]})

    lower, ending, title = (
        "change_case:english_lowercase",
        "startend:end_checker",
        "detectable_format:title",
    )
    lines = [line(task, lower) for task in range(6)]
    lines += [line(7, ending, "Dear [Your Name]"), line(0, ending), line(8, ending), line(9, title)]
    picked = [json.loads(each)["practice"] for each in chosen(lines, 4)]
    assert [(each["task"], each["instruction_id_list"][0]) for each in picked] == [
        (0, lower),
        (1, lower),
        (2, lower),
        (8, ending),
    ]
