"""Prompts of practice: in IFEval's format, repeatable, all different, put as people put them."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from autotune.base.errors import BadInput
from autotune.data.contamination import read_scored_prompts, words_of
from autotune.data.conversation import Conversation, Message
from autotune.score.ifeval.instructions import instruction_of, read_arguments
from autotune.synth.conflicts import clash
from autotune.synth.kinds import LANGUAGE_PARTNERS, PUBLIC_COUNTS, RESHAPES, Ask, Rule, compatible
from autotune.synth.prompts import PracticePrompt, compose
from autotune.synth.topics import Sort, held_out_topics, practice_topics

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "ifeval"
PUBLIC = SHARED / "input_data.jsonl"
RUN = 9
"""Words in a row that no prompt has in common with a scored one."""

NONE: frozenset[str] = frozenset()
TASKS, VARIANTS = 700, 3


@cache
def prompts() -> tuple[PracticePrompt, ...]:
    return compose(0, TASKS, VARIANTS, NONE)


def tasks() -> list[tuple[PracticePrompt, ...]]:
    return [prompts()[at : at + VARIANTS] for at in range(0, len(prompts()), VARIANTS)]


def asked(some: tuple[PracticePrompt, ...]) -> Counter[str]:
    return Counter(name for prompt in some for name in prompt.instruction_id_list)


def test_prompts_are_the_same_for_a_seed_and_fewer_tasks_are_their_beginning() -> None:
    assert compose(0, 40, VARIANTS, NONE) == prompts()[: 40 * VARIANTS]
    assert compose(1, 40, VARIANTS, NONE) != prompts()[: 40 * VARIANTS]


def test_a_new_process_composes_the_same_whatever_its_hash_seed() -> None:
    program = (
        "from autotune.synth.prompts import compose;"
        "print(ascii([p.prompt for p in compose(0, 30, 3, frozenset())]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        cwd=Path(__file__).resolve().parents[2],
    )
    assert run.stdout.strip() == ascii([p.prompt for p in prompts()[: 30 * VARIANTS]])


def test_a_prompt_that_is_written_is_read_as_itself() -> None:
    for prompt in prompts()[:100]:
        assert PracticePrompt.model_validate_json(prompt.model_dump_json()) == prompt


def test_all_are_different_and_each_has_a_key_of_its_own() -> None:
    assert len({p.prompt for p in prompts()}) == TASKS * VARIANTS
    assert len({p.key for p in prompts()}) == TASKS * VARIANTS
    assert [(p.task, p.variant) for p in prompts()] == [
        (task, variant) for task in range(TASKS) for variant in range(VARIANTS)
    ]


def test_they_are_all_different_where_there_is_little_to_compose_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    two = {Ask.NO_COMMA, Ask.QUOTATION}
    others = frozenset(ask.value for ask in Ask if ask not in two)
    topic = [topic for topic in practice_topics() if topic.sort is Sort.YES_OR_NO][:1]
    some = compose(0, 100, 2, others, topic)
    assert len({p.prompt for p in some}) == len(some) == 200
    monkeypatch.setattr("autotune.synth.prompts.MAX_ATTEMPTS", 2)
    with pytest.raises(BadInput, match=r"no new prompt about .* was found in 2 draws"):
        compose(0, 100, 2, others, topic)


def test_variants_of_a_task_share_topic_and_form_and_lead_with_different_kinds() -> None:
    for variants in tasks():
        assert len({(p.topic, p.form) for p in variants}) == 1
        assert len({p.instruction_id_list[0] for p in variants}) == VARIANTS


def test_no_variant_asks_for_what_leads_another() -> None:
    for variants in tasks():
        leads = [p.instruction_id_list[0] for p in variants]
        for prompt in variants:
            others = set(prompt.instruction_id_list[1:]) - {Ask.LANGUAGE.value}
            assert not others & set(leads)


@pytest.mark.parametrize(
    ("ask", "forms"),
    [
        (Ask.CONSTRAINED, {"email", "poem", "story", "list", "question", "tweet"}),
        (Ask.JSON, {"email", "letter", "poem", "song", "rap", "dialogue", "story"}),
        (Ask.PLACEHOLDERS, {"poem", "riddle", "dialogue", "question", "yes or no"}),
        (Ask.NTH_PARAGRAPH, {"tweet", "haiku", "limerick", "poem", "list", "resume"}),
        (Ask.LANGUAGE, {"email", "essay", "blog post", "resume"}),
    ],
)
def test_a_kind_is_not_asked_of_texts_that_it_does_not_suit(ask: Ask, forms: set[str]) -> None:
    found = {p.form for p in prompts() if ask in p.instruction_id_list}
    assert found and not found & forms


def test_what_is_wanted_stands_in_every_variant_of_a_task() -> None:
    for variants in tasks():
        found = [_runs(p.prompt, 3) for p in variants]
        assert set.intersection(*found), [p.prompt for p in variants]


def test_an_answer_to_variant_0_is_rarely_recast_or_cut_short() -> None:
    # The others are made of it: capitals or JSON would have to be undone.
    reshaped = {ask.value for ask in RESHAPES}
    shares = [
        sum(bool(reshaped & set(v[at].instruction_id_list)) for v in tasks()) / TASKS
        for at in range(VARIANTS)
    ]
    assert shares[0] < 0.1 < 0.5 < shares[-1]


def test_in_a_task_in_another_language_every_variant_asks_for_that_language() -> None:
    found = 0
    for variants in tasks():
        wanted = [
            kwargs
            for p in variants
            for name, kwargs in zip(p.instruction_id_list, p.kwargs, strict=True)
            if name == Ask.LANGUAGE
        ]
        if wanted:
            found += 1
            assert len(wanted) == VARIANTS and all(each == wanted[0] for each in wanted)
            names = {name for p in variants for name in p.instruction_id_list}
            assert names <= {Ask.LANGUAGE.value, *(a.value for a in LANGUAGE_PARTNERS)}
    assert found > 5


def test_every_instruction_has_arguments_that_its_checker_takes() -> None:
    for prompt in prompts():
        for name, kwargs in zip(prompt.instruction_id_list, prompt.kwargs, strict=True):
            assert read_arguments(name, kwargs) == kwargs
            instruction_of(name, kwargs)


@pytest.mark.parametrize("ask", list(Ask))
def test_each_of_the_25_kinds_has_about_the_share_of_the_public_prompts(ask: Ask) -> None:
    counts = asked(prompts())
    share = counts[ask.value] / counts.total()
    public = PUBLIC_COUNTS[ask] / sum(PUBLIC_COUNTS.values())
    assert len(counts) == 25
    assert 0.65 * public < share < 1.6 * public


def test_as_many_instructions_a_prompt_as_the_public_prompts_have() -> None:
    counts = Counter(len(p.instruction_id_list) for p in prompts())
    shares = [counts[n] / counts.total() for n in (1, 2, 3)]
    assert shares == pytest.approx([305 / 541, 179 / 541, 57 / 541], abs=0.04)


def test_lengths_are_asked_for_as_the_public_prompts_do_within_reach() -> None:
    at_least = [
        kwargs["num_words"]
        for p in prompts()
        for name, kwargs in zip(p.instruction_id_list, p.kwargs, strict=True)
        if name == Ask.WORDS and kwargs["relation"] == "at least"
    ]
    numbers = sorted(int(str(number)) for number in at_least)
    assert numbers[-1] == 300
    assert 120 <= numbers[len(numbers) // 2] <= 200


def test_no_prompt_asks_for_a_kind_that_is_held_out_and_all_others_are_asked_for() -> None:
    held_out = frozenset({"change_case:english_lowercase", "startend:quotation"})
    found = asked(compose(0, 400, VARIANTS, held_out))
    assert found.keys() == {ask.value for ask in Ask} - held_out


def test_every_instruction_goes_alone_and_compatibility_has_no_direction() -> None:
    for first in Ask:
        assert not compatible(first, first)
        for second in Ask:
            assert compatible(first, second) == compatible(second, first)


def test_no_two_instructions_of_a_prompt_exclude_each_other() -> None:
    for prompt in prompts():
        asks = [Ask(name) for name in prompt.instruction_id_list]
        assert len(set(asks)) == len(asks)
        assert all(compatible(a, b) for at, a in enumerate(asks) for b in asks[:at])
        rules = [Rule(a, k) for a, k in zip(asks, prompt.kwargs, strict=True)]
        assert not clash(rules), prompt.prompt


@pytest.mark.parametrize(
    "rules",
    [
        [
            Rule(Ask.FORBIDDEN, {"forbidden_words": ("tea",)}),
            Rule(Ask.ENDING, {"end_phrase": "Tea is ready."}),
        ],
        [
            Rule(Ask.LETTER, {"letter": "q", "let_frequency": 1, "let_relation": "less than"}),
            Rule(Ask.EXISTENCE, {"keywords": ("quiet",)}),
        ],
        [
            Rule(Ask.WORDS, {"num_words": 40, "relation": "less than"}),
            Rule(Ask.BULLETS, {"num_bullets": 10}),
        ],
        [
            Rule(Ask.REPEAT, {"prompt_to_repeat": "Write, please."}),
            Rule(Ask.NO_COMMA, {}),
        ],
        [
            Rule(Ask.REPEAT, {"prompt_to_repeat": "Say tea and tea."}),
            Rule(Ask.FREQUENCY, {"keyword": "tea", "frequency": 2, "relation": "less than"}),
        ],
    ],
)
def test_instructions_that_cannot_be_followed_together_clash(rules: list[Rule]) -> None:
    assert clash(rules) and clash(rules[::-1])
    assert not any(clash([rule]) for rule in rules)


def test_a_request_to_repeat_names_the_request_that_stands_there() -> None:
    repeats = [p for p in prompts() if p.instruction_id_list[0] == Ask.REPEAT]
    assert len(repeats) > 50
    for prompt in repeats:
        text = str(prompt.kwargs[0]["prompt_to_repeat"])
        assert text in prompt.prompt
        assert len(text) < len(prompt.prompt) - 20


def test_they_are_asked_in_many_ways() -> None:
    starts = Counter(" ".join(p.prompt.split()[:3]).lower() for p in prompts())
    assert len(starts) >= 240
    assert starts.most_common(1)[0][1] <= 0.05 * len(prompts())
    assert len({p.form for p in prompts()}) >= 45
    assert len({p.topic for p in prompts()}) >= 300


def test_prompts_read_like_texts() -> None:
    for prompt in prompts():
        text = prompt.prompt
        assert text == text.strip()
        assert "  " not in text and "\n\n\n" not in text
        assert not re.search(r"\{[a-z]*\}", text), text
        assert not re.search(r"\b(1|one) (times|words|sentences|parts|points|sections)\b", text)
        text = re.sub(r"letter .?[a-z]\b", "", text)
        assert not re.search(r"\b([Aa] [aeio][a-z]|[Aa]n [bcdfgjklmnpqrstvwxz])", text), text
        assert not re.search(r"\.\.(?!\.)|\?\.|None|\"\"", text), text


@pytest.mark.skipif(not PUBLIC.is_file(), reason="no IFEval prompts here")
def test_no_prompt_repeats_nine_words_in_a_row_of_a_scored_one() -> None:
    lines = PUBLIC.read_text(encoding="utf-8").splitlines()
    public = {run for line in lines for run in _runs(json.loads(line)["prompt"])}
    assert len(public) > 5_000
    shared = {run: p.prompt for p in prompts() for run in _runs(p.prompt) if run in public}
    assert not shared, shared


def _runs(text: str, size: int = RUN) -> set[tuple[str, ...]]:
    """Without the three replies and the markers, which the checkers prescribe."""
    text = re.sub(r"My answer is \w+\.?|P\.P\.S|P\.S\.", "|", text)
    parts = [words_of(part) for part in re.split(r"\|", text)]
    return {p[at : at + size] for p in parts for at in range(len(p) - size + 1)}


@pytest.mark.skipif(not PUBLIC.is_file(), reason="no IFEval prompts here")
def test_no_scored_prompt_nor_a_near_copy_stands_among_2_000() -> None:
    scored = read_scored_prompts(PUBLIC)
    for prompt in prompts()[:2_000]:
        assert not scored.found_in(_chat(prompt.prompt)), prompt.prompt
    first = json.loads(PUBLIC.read_text(encoding="utf-8").splitlines()[0])
    assert scored.found_in(_chat(first["prompt"])) == {first["key"]: True}


@pytest.mark.skipif(not PUBLIC.is_file(), reason="no IFEval prompts here")
def test_the_public_counts_are_those_of_the_public_prompts() -> None:
    rows = [json.loads(line) for line in PUBLIC.read_text(encoding="utf-8").splitlines()]
    counts = Counter(name for row in rows for name in set(row["instruction_id_list"]))
    assert counts == {ask.value: count for ask, count in PUBLIC_COUNTS.items()}


def _chat(text: str) -> Conversation:
    return Conversation(messages=(Message("user", text), Message("assistant", "Yes.")))


def test_no_prompt_is_about_a_topic_of_the_demos_scored_prompts() -> None:
    names = {topic.name for topic in held_out_topics()}
    assert not names & {p.topic for p in prompts()}
    assert {p.topic for p in compose(0, 24, 1, NONE, held_out_topics())} <= names


@pytest.mark.parametrize(
    ("tasks", "variants", "rule"),
    [
        (0, 3, "tasks 0: must be at least 1"),
        (3, -1, "variants -1: must be at least 1"),
        (40, 25, "variants 25: no more than"),
    ],
)
def test_what_cannot_be_composed_is_refused(tasks: int, variants: int, rule: str) -> None:
    with pytest.raises(BadInput, match=rule):
        compose(0, tasks, variants, NONE)
