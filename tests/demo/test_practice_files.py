"""The demo's practice chats and prompts: true to their instructions, whole, held apart."""

import json
from collections import Counter
from functools import cache
from typing import Any

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

MAX_BYTES = 500_000


@cache
def chats() -> list[PracticeRecord]:
    lines = PRACTICE.read_text(encoding="utf-8").splitlines()
    return [PracticeRecord.model_validate_json(line) for line in lines]


def asked(chat: PracticeRecord) -> str:
    return chat.messages[0].content


def answered(chat: PracticeRecord) -> str:
    return chat.messages[1].content


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
    broken = next(c for c in chats() if "punctuation:no_comma" in c.practice.instruction_id_list)
    assert not holds(broken, answered(broken) + ", and so on")


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


def test_prompts_are_about_topics_that_no_chat_is_about_and_ask_for_every_kind_of_rule() -> None:
    held_out = {topic.name for topic in held_out_topics()}
    practised = {chat.practice.topic for chat in chats()}
    assert not practised & held_out and practised <= {topic.name for topic in practice_topics()}
    prompts = read_ifeval_prompts(PROMPTS)
    assert len({prompt.prompt for prompt in prompts}) == len(prompts) == 60
    kinds = Counter(kind for prompt in prompts for kind in prompt.instruction_id_list)
    assert len(kinds) == 25 and kinds.most_common(1)[0][1] <= 12


def test_they_are_read_as_chats_and_known_as_practice_with_what_was_held_out_of_it() -> None:
    assert PRACTICE.stat().st_size <= MAX_BYTES
    loaded = load_conversations(DataSpec(path=str(PRACTICE), format="auto"))
    assert 250 <= len(loaded.conversations) == len(chats()) <= 400
    assert len({asked(chat) for chat in chats()}) == len(chats())
    kinds = kinds_in(PRACTICE)
    assert kinds is not None and kinds.conversations == len(chats())
    assert kinds.held_out == tuple(sorted(card()["held_out_kinds"])) and len(kinds.held_out) == 3
    assert not set(kinds.practised) & set(kinds.held_out) and len(kinds.practised) >= 20


def test_their_card_says_which_chats_of_the_whole_they_are() -> None:
    chosen, counts = card()["chosen"], card()["counts"]
    assert (chosen["kept"], chosen["of"]) == (len(chats()), counts["kept"])
    assert len(range(0, chosen["of"], chosen["every"])) == len(chats())
    assert len({chat.practice.task for chat in chats()}) == len(chats()), "none twice of a task"
    text = PRACTICE.with_name(README).read_text(encoding="utf-8")
    assert f"**{len(chats())} chats are in this file: of the {chosen['of']}" in text


def test_the_demo_trains_gently_first_then_on_more_of_them_at_a_higher_rate() -> None:
    profile = find_profile("cpu-demo")
    gentle, strong = (s for s in profile.strategies if not s.fallback)
    most = profile.train.max_conversations
    assert gentle.max_conversations and most and strong.max_conversations is None
    assert 3 * gentle.max_conversations <= most <= len(chats())
    assert 5 * gentle.learning_rate <= strong.learning_rate
    assert profile.spot_check is not None and profile.spot_check.source == "ifeval"
