"""Stop, loop, echo and empty rates, and the limits on them."""

import time
from functools import cache
from pathlib import Path

import pytest

from autotune.config.load import find_profile
from autotune.protocol.results import EvalReport, Health, Requirements
from autotune.protocol.scores import Metric
from autotune.score.answers import Answer, match, read_answers
from autotune.score.health import (
    broken_limits,
    echo_answers,
    echoes,
    faultless_passes,
    health,
    is_empty,
    is_trivial,
    loops,
    unmet,
)
from autotune.score.ifeval.prompts import IFEvalPrompt, read_ifeval_prompts
from autotune.score.ifeval.scorer import IFEval

LIMITS = find_profile("rtx4060-laptop-8gb").evaluate.health
SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"

ASK = "Write a short poem about the sea at night, without commas, and give it a title."
POEM = "The dark water breathes. A lamp goes out on the pier and the tide takes what it likes."


def prompts(count: int) -> list[IFEvalPrompt]:
    return [
        IFEvalPrompt(
            key=k,
            prompt=f"Question {k}: {ASK}",
            instruction_id_list=("punctuation:no_comma",),
            kwargs=({},),
        )
        for k in range(count)
    ]


@cache
def scored(answers: str) -> tuple[tuple[IFEvalPrompt, ...], EvalReport]:
    """The prompts that a set answers, and its report on them."""
    given = read_answers(SHARED / answers)
    asked = read_ifeval_prompts(SHARED / "ifeval" / "input_data.jsonl")
    matched, _ = match(asked, given)
    chosen = tuple(p for p in asked if p.key in matched)
    return chosen, IFEval().score(chosen, given)


@pytest.mark.parametrize(
    "text",
    [
        "Sure. " + "I am not sure what to say. " * 5,
        "Sure. " + "I am not sure what to say. " * 5 + "I am not",
        "So it goes" + "\n\nSo it goes on" * 6 + "\n",
        "No" + "!" * 70,
        "Yes." + "\n" * 100,
        "海が好きです。" * 10,
    ],
)
def test_an_end_that_repeats_is_a_loop(text: str) -> None:
    assert loops(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Yes.",
        POEM,
        POEM + "\n\n" + POEM,
        "Ha ha ha ha!",
        "I am sorry. " * 10 + "But here is the answer that you asked for.",
        "}\n" * 10,
        "".join(f"{n}. Item {n}\n" for n in range(200)),
    ],
)
def test_an_end_that_does_not_repeat_or_only_briefly_is_none(text: str) -> None:
    assert not loops(text)


def test_a_loop_is_looked_for_in_linear_time() -> None:
    started = time.process_time()
    loops("ab" * 25_000 + "c")
    loops("a" * 50_000 + "b")
    assert time.process_time() - started < 2


def test_a_copied_prompt_is_an_echo_with_or_without_a_few_words_more() -> None:
    assert echoes(ASK, ASK)
    assert echoes(ASK, ASK.upper() + "\n\nLeave a reply")
    assert echoes(ASK, (ASK + "\n") * 20)
    assert echoes("???", "???")


def test_an_answer_is_no_echo_and_neither_is_an_option_chosen_from_the_prompt() -> None:
    assert not echoes(ASK, POEM)
    assert not echoes(ASK, "")
    options = "Is the sky blue? Answer with My answer is yes. or My answer is no. or a maybe."
    assert not echoes(options, "My answer is no.")


def test_the_request_repeated_and_then_answered_is_no_echo() -> None:
    rest = (
        "\nFirst repeat the request word for word without change, then give your answer (1. do not"
        " say any words or characters before repeating the request; 2. the request you need to"
        " repeat does not include this sentence)"
    )
    assert not echoes(ASK + rest, f"{ASK}\n\n{POEM}")
    assert echoes(ASK + rest, ASK + rest)


def test_white_space_and_nothing_are_empty() -> None:
    assert is_empty(None)
    assert is_empty(" \n\t\u3000")
    assert not is_empty(".")


def test_shares_are_over_the_answers_that_are_there() -> None:
    asked = prompts(5)
    answers = [
        Answer(key=0, prompt=asked[0].prompt, response=POEM, finish="stop"),
        Answer(key=1, prompt=asked[1].prompt, response="again and " * 30, finish="length"),
        Answer(key=2, prompt=asked[2].prompt, response=asked[2].prompt, finish="stop"),
        Answer(key=3, prompt=asked[3].prompt, response=None),
    ]
    assert health(asked, answers) == Health(stop=2 / 3, loop=0.25, echo=0.25, empty=0.25)


def test_stop_is_unknown_where_nobody_recorded_it_and_then_breaks_no_limit() -> None:
    asked = prompts(1)
    found = health(asked, [Answer(prompt=asked[0].prompt, response=POEM)])
    assert found.stop is None
    assert broken_limits(found, LIMITS) == ()


def test_no_answer_at_all_is_not_healthy() -> None:
    found = health(prompts(3), [])
    assert broken_limits(found, LIMITS) == ("empty 100 % is above 5 %",)


def test_the_parrot_breaks_the_limit_on_echoes_and_no_other() -> None:
    asked = prompts(3)
    found = health(asked, echo_answers(asked))
    assert broken_limits(found, LIMITS) == ("echo 100 % is above 10 %",)


def test_each_broken_limit_is_a_sentence_and_a_limit_just_met_is_not_broken() -> None:
    limit = LIMITS
    met = Health(
        stop=limit.min_stop,
        loop=limit.max_loop,
        echo=limit.max_echo,
        empty=limit.max_empty,
        vacuous=limit.max_vacuous,
    )
    assert broken_limits(met, limit) == ()
    bad = Health(stop=0.125, loop=1, echo=0.102, empty=0.5, vacuous=0.75)
    assert broken_limits(bad, limit) == (
        "stop 12.5 % is below 80 %",
        "loop 100 % is above 20 %",
        "echo 10.2 % is above 10 %",
        "empty 50 % is above 5 %",
        "vacuous 75 % is above 10 %",
    )


@pytest.mark.parametrize("text", ["OK", "Yes, yes! YES?", "a" * 500, "!!!", "26", "はい。"])
def test_an_answer_of_fewer_than_four_different_words_says_little(text: str) -> None:
    assert is_trivial(text)


@pytest.mark.parametrize("text", ["My answer is no.", "海が好きです。", POEM])
def test_a_short_answer_is_not_a_trivial_one(text: str) -> None:
    assert not is_trivial(text)


def test_trivial_is_a_share_of_the_passes_and_what_is_left_of_them_is_sound() -> None:
    asked = prompts(5)
    texts = ["OK", POEM, "No, no, no", asked[3].prompt, "so it goes on " * 30]
    answers = [Answer(prompt=p.prompt, response=t) for p, t in zip(asked, texts, strict=True)]
    found = health(asked, answers, passed={0, 1, 3, 4})
    assert found.vacuous == 0.25
    assert health(asked, answers).vacuous == 0
    assert faultless_passes(asked, answers, {0, 1, 3, 4}) == Metric.of(1, 5)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the answer sets in ../shared")
@pytest.mark.parametrize(
    ("answers", "passes", "sound", "broken"),
    [
        ("ifeval/input_response_data_gpt4_20231107_145030.jsonl", 417, 412, ()),
        ("responses/base-100.jsonl", 15, 0, ("loop 87 % is above 20 %",)),
        (
            "responses/sft-100.jsonl",
            23,
            2,
            ("loop 84 % is above 20 %", "echo 34 % is above 10 %"),
        ),
    ],
)
@pytest.mark.parametrize(
    "profile", ["cpu-demo", "cpu-proof", "cpu-smoke", "cpu-smollm2", "nvidia", "rtx4060-laptop-8gb"]
)
def test_the_limits_pass_gpt4_and_fail_a_base_model_and_a_poor_fine_tuning(
    answers: str, passes: int, sound: int, broken: tuple[str, ...], profile: str
) -> None:
    asked, report = scored(answers)
    assert (report.score.passes, report.sound) == (passes, Metric.of(sound, len(asked)))
    limits = find_profile(profile).evaluate.health
    found = broken_limits(report.health, limits)
    assert [line.split()[0] for line in found] == [line.split()[0] for line in broken]
    if limits == LIMITS:
        assert found == broken


@pytest.mark.parametrize(
    ("required", "missed"),
    [
        ({"min_stop": 0.8}, ("7 of 24 stop, 20 needed",)),
        ({"min_stop": 7 / 24}, ()),
        ({"max_loop": 0.1}, ("3 of 24 loop, at most 2 may",)),
        ({"max_loop": 0.125}, ()),
        ({"max_vacuous": 0.4}, ("3 of 6 are trivial, at most 2 may",)),
        ({}, ()),
    ],
)
def test_a_requirement_that_is_not_met_is_reported_in_answers(
    required: dict[str, float], missed: tuple[str, ...]
) -> None:
    found = Health(stop=7 / 24, loop=3 / 24, echo=0.0, empty=0.0, vacuous=0.5)
    assert unmet(found, Requirements(**required), answers=24, passes=6) == missed


def test_a_required_stop_rate_that_nobody_recorded_is_not_met_and_that_is_said() -> None:
    found = Health(stop=None, loop=0.0, echo=0.0, empty=0.0)
    assert unmet(found, Requirements(min_stop=0.8), answers=24, passes=6) == (
        "how answers ended is not recorded, so min_stop cannot be checked",
    )
    assert unmet(found, Requirements(max_loop=0.1), answers=24, passes=6) == ()
