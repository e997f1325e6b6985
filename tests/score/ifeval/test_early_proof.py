"""Nothing that follows changes an early verdict: searched for, and replayed on real answers."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotune.score.answers import Answer, match, read_answers
from autotune.score.ifeval.early_verdict import IFEvalEarlyJudge
from autotune.score.ifeval.prompts import IFEvalPrompt, read_ifeval_prompts
from autotune.score.ifeval.scorer import MAX_CHARACTERS, judge
from autotune.score.ifeval.words import complete_sentences, sentences
from tests.asked import ARGUMENTS, PIECES, every_single_prompt, prompt_of

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"


def final(prompt: IFEvalPrompt, text: str) -> bool:
    return judge(prompt, Answer(prompt=prompt.prompt, response=text)).strict


TEXTS = st.lists(st.sampled_from(PIECES), max_size=8).map("".join) | st.text(max_size=20)
MORE = st.lists(st.sampled_from(PIECES), max_size=4).map("".join) | st.text(max_size=8)
SINGLE = tuple((prompt, IFEvalEarlyJudge(prompt)) for prompt in every_single_prompt())


@settings(max_examples=400, derandomize=True, database=None, deadline=None)
@given(TEXTS, MORE)
def test_no_text_that_follows_changes_an_early_verdict(begun: str, more: str) -> None:
    for prompt, early_judge in SINGLE:
        found = early_judge.look(begun, longest=MAX_CHARACTERS)
        if found is not None:
            for end in ("", more):
                whole = begun.rstrip("\ufffd") + end
                assert final(prompt, whole) == found.strict, (prompt.instruction_id_list, whole)


ENDS = (
    ".",
    "!",
    "?",
    ". ",
    ".\n",
    '."',
    ".)",
    ") ",
    '" ',
    "...",
    ". . .",
    " . ",
    "\u00a0",
    "\u2028",
)
WORDS = (
    "It",
    "goes",
    "Dr.",
    "e.g.",
    "I.",
    "NASA",
    "1.",
    "x.y",
    "--",
    "-",
    "(",
    "“",
    "” ",
    " ",
    "\n",
)
SENTENCES = st.lists(st.sampled_from(ENDS + WORDS), max_size=14).map("".join)


@settings(max_examples=1500, derandomize=True, database=None, deadline=None)
@given(SENTENCES, SENTENCES)
def test_settled_sentences_stay_as_they_are_but_for_the_end_of_the_last(
    begun: str, more: str
) -> None:
    part = complete_sentences(begun)
    assert begun.startswith(part)
    settled, whole = sentences(part), sentences(begun + more)
    assert len(whole) >= len(settled)
    assert whole[: len(settled[:-1])] == settled[:-1]


JSON_WANTED = prompt_of(("detectable_format:json_format", {}))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=200, derandomize=True, database=None, deadline=None)
@given(
    JSON,
    st.sampled_from([None, 1]),
    st.booleans(),
    st.sampled_from(["", "\n", "```json\n", "```JSON", "```", " ```json```"]),
    st.sampled_from(["", "\n```\n", "```"]),
)
def test_no_beginning_of_what_is_json_is_given_up(
    value: Any, indent: int | None, ascii_only: bool, before: str, after: str
) -> None:
    body = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    text = before + body + after
    assert final(JSON_WANTED, text)
    for at in range(1, len(text) + 1):
        assert IFEvalEarlyJudge(JSON_WANTED).look(text[:at], longest=MAX_CHARACTERS) is None


def test_the_instructions_with_arguments_to_try_are_all_25() -> None:
    assert len(ARGUMENTS) == 25


FIXTURES = (
    ("ifeval/input_data.jsonl", "ifeval/input_response_data_gpt4_20231107_145030.jsonl"),
    ("ifeval/sampled_input_data.jsonl", "responses/base-100.jsonl"),
    ("ifeval/sampled_input_data.jsonl", "responses/sft-100.jsonl"),
)


def replay(prompts: str, answers: str, step: int) -> tuple[int, float]:
    """How many answers were decided early, and the share of characters that came after."""
    asked = read_ifeval_prompts(DATA / prompts)
    matched, _ = match(asked, read_answers(DATA / answers))
    decided = made = saved = 0
    for prompt in asked:
        if prompt.key not in matched:
            continue
        text = matched[prompt.key].response or ""
        strict = judge(prompt, matched[prompt.key]).strict
        early_judge = IFEvalEarlyJudge(prompt)
        first: int | None = None
        for at in [*range(step, len(text), step), len(text)]:
            found = early_judge.look(text[:at], longest=MAX_CHARACTERS)
            assert found is None or found.strict == strict, (prompt.key, at)
            assert found is not None or first is None, (prompt.key, at, "taken back")
            if found is not None and first is None:
                first = at
        made += len(text)
        saved += len(text) - (first if first is not None else len(text))
        decided += first is not None and first < len(text)
    return decided, saved / made


needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="the published prompts and answers are not beside this checkout"
)


@needs_data
def test_real_answers_are_never_decided_wrongly_and_half_of_a_small_model_s_text_is_saved() -> None:
    saved = {answers: replay(prompts, answers, 64)[1] for prompts, answers in FIXTURES}
    assert saved["responses/base-100.jsonl"] > 0.5
    assert saved["responses/sft-100.jsonl"] > 0.5


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize(("prompts", "answers"), FIXTURES)
def test_no_beginning_of_a_real_answer_is_decided_wrongly(prompts: str, answers: str) -> None:
    decided, saved = replay(prompts, answers, 4)
    print(f"{answers}: {decided} decided early, {saved:.1%} of the characters saved")


def test_a_look_at_a_long_answer_takes_milliseconds() -> None:
    text = ("It goes on and on. " * 400)[:6000]
    started = time.process_time()
    for _, early_judge in SINGLE:
        early_judge.look(text, longest=MAX_CHARACTERS)
    assert time.process_time() - started < 0.1 * len(SINGLE)
