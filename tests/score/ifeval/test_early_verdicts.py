"""A strict verdict given before the end of an answer is the verdict at its end."""

from pathlib import Path
from typing import Any

import pytest

from autotune.score.answers import Answer
from autotune.score.ifeval.early_verdict import IFEvalEarlyJudge
from autotune.score.ifeval.scorer import MAX_CHARACTERS, judge
from autotune.score.scorer import EarlyVerdict
from tests.asked import prompt_of

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"
AT_LEAST: dict[str, Any] = {"relation": "at least"}
LESS: dict[str, Any] = {"relation": "less than"}


def early(instruction: str, text: str, **kwargs: Any) -> bool | None:
    """The verdict so far, for an answer that cannot get too long."""
    found = IFEvalEarlyJudge(prompt_of((instruction, kwargs))).look(text, longest=MAX_CHARACTERS)
    return None if found is None else found.strict


@pytest.mark.parametrize(
    ("instruction", "kwargs", "open_so_far", "lost"),
    [
        ("punctuation:no_comma", {}, "Well", "Well,"),
        ("startend:quotation", {}, ' "No', " No"),
        ("change_case:english_capital", {}, "1. THE SEA", "1. THe"),
        ("change_case:english_lowercase", {}, "1. the sea", "1. The"),
        ("keywords:forbidden_words", {"forbidden_words": ["sea"]}, "a season. A sea", "A Sea."),
        ("keywords:frequency", {"keyword": "sea", "frequency": 2, **LESS}, "sea", "sea seas"),
        (
            "keywords:letter_frequency",
            {"letter": "a", "let_frequency": 2, "let_relation": "less than"},
            "a b",
            "aA",
        ),
        ("length_constraints:number_words", {"num_words": 3, **LESS}, "a bc", "a bc d"),
        (
            "length_constraints:number_sentences",
            {"num_sentences": 2, **LESS},
            "It goes. Dr. ",
            "It goes. So it ",
        ),
        (
            "change_case:capital_word_frequency",
            {"capital_frequency": 1, "capital_relation": "less than"},
            "It goes. It is NASA and ",
            "It is NASA. So it ",
        ),
        ("detectable_format:number_bullet_lists", {"num_bullets": 1}, "* a\n*", "* a\n- b"),
        ("length_constraints:number_paragraphs", {"num_paragraphs": 1}, "a\n***\n**", "a\n***\nb"),
        ("length_constraints:number_paragraphs", {"num_paragraphs": 9}, "a ***\n", "a *** ***"),
        ("combination:two_responses", {}, "a ****** b *****", "a****** ******"),
        ("combination:two_responses", {}, "a ****** b ****** ", "a ****** b ****** c"),
        ("combination:two_responses", {}, "a ****** a", "a ****** a ******"),
        ("combination:repeat_prompt", {"prompt_to_repeat": "Name a sea."}, " name a", "Sure"),
        (
            "length_constraints:nth_paragraph_first_word",
            {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "sea"},
            "A b\n\n'Se",
            "A b\n\nSeas",
        ),
        (
            "length_constraints:nth_paragraph_first_word",
            {"num_paragraphs": 2, "nth_paragraph": 1, "first_word": "sea"},
            "Sea, it\n\nis",
            "Sea\n\nis\n\nso",
        ),
        (
            "length_constraints:nth_paragraph_first_word",
            {"num_paragraphs": 2, "nth_paragraph": 1, "first_word": "seas"},
            "Sea",
            "Sea ",
        ),
        ("detectable_format:json_format", {}, '```json\n{"a": tr', "Here is the JSON: {}"),
        (
            "detectable_format:json_format",
            {},
            '{"a": 1}\n``',
            '{"a": 1}\n\nI hope that this helps.',
        ),
        ("detectable_format:json_format", {}, "[" * 400, "[" * 501),
    ],
)
def test_a_broken_rule_is_seen_as_soon_as_nothing_can_mend_it(
    instruction: str, kwargs: dict[str, Any], open_so_far: str, lost: str
) -> None:
    assert early(instruction, open_so_far, **kwargs) is None
    assert early(instruction, lost, **kwargs) is False


@pytest.mark.parametrize(
    ("instruction", "kwargs", "open_so_far", "won"),
    [
        ("keywords:existence", {"keywords": ["sea", "C++"]}, "sea and C+", "sea and C++"),
        ("keywords:frequency", {"keyword": "sea", "frequency": 2, **AT_LEAST}, "sea", "sea seas"),
        (
            "keywords:letter_frequency",
            {"letter": "#", "let_frequency": 2, "let_relation": "at least"},
            "#a",
            "#a #",
        ),
        ("length_constraints:number_words", {"num_words": 2, **AT_LEAST}, "one", "one t"),
        (
            "length_constraints:number_sentences",
            {"num_sentences": 2, **AT_LEAST},
            "It goes. So",
            "It goes. So ",
        ),
        (
            "change_case:capital_word_frequency",
            {"capital_frequency": 1, "capital_relation": "at least"},
            "It is NASA.",
            "It is NASA. So it ",
        ),
        ("detectable_content:number_placeholders", {"num_placeholders": 1}, "[a", "[a]"),
        ("detectable_content:postscript", {"postscript_marker": "P.S."}, "P.S", "P.S."),
        ("detectable_format:constrained_response", {}, "My answer is no", "My answer is no."),
        (
            "detectable_format:multiple_sections",
            {"section_spliter": "Section", "num_sections": 1},
            "Section ",
            "Section 1",
        ),
        ("detectable_format:number_highlighted_sections", {"num_highlights": 1}, "*a", "*a*"),
        ("detectable_format:title", {}, "<<Sea>", "<<Sea>>"),
        ("combination:repeat_prompt", {"prompt_to_repeat": "A sea."}, "a sea", "A sea. Well"),
    ],
)
def test_what_stays_once_it_is_there_passes_at_once(
    instruction: str, kwargs: dict[str, Any], open_so_far: str, won: str
) -> None:
    assert early(instruction, open_so_far, **kwargs) is None
    assert early(instruction, won, **kwargs) is True


@pytest.mark.parametrize(
    ("instruction", "kwargs"),
    [
        ("language:response_language", {"language": "de"}),
        ("startend:end_checker", {"end_phrase": "x"}),
    ],
)
def test_what_only_the_whole_answer_tells_stays_open(
    instruction: str, kwargs: dict[str, Any]
) -> None:
    assert early(instruction, "no x" * 500, **kwargs) is None


def test_a_verdict_says_which_rule_failed_how_much_was_read_and_that_loose_is_unknown() -> None:
    prompt = prompt_of(
        ("keywords:existence", {"keywords": ["sea"]}), ("punctuation:no_comma", {}), key=7
    )
    found = IFEvalEarlyJudge(prompt).look("sea, and so on")
    assert found == EarlyVerdict(
        key=7, strict=False, instruction="punctuation:no_comma", characters=14, loose=None
    )
    assert found == EarlyVerdict.model_validate_json(found.model_dump_json())
    # Loosely it may pass yet: without its first line it has no comma.
    whole = Answer(prompt="p", response="sea, and so on\nThe sea.")
    assert judge(prompt, whole).loose


def test_a_prompt_passes_early_only_if_all_of_it_does_and_the_answer_stays_short() -> None:
    two = IFEvalEarlyJudge(
        prompt_of(
            ("keywords:existence", {"keywords": ["sea"]}),
            ("length_constraints:number_words", {"num_words": 3, **AT_LEAST}),
        )
    )
    assert two.look("The sea", longest=100) is None
    found = two.look("The sea is", longest=100)
    assert found is not None
    assert (found.strict, found.instruction) == (True, None)
    assert two.look("The sea is") is None
    assert two.look("The sea is", longest=MAX_CHARACTERS + 1) is None
    with_end = prompt_of(
        ("keywords:existence", {"keywords": ["sea"]}), ("startend:end_checker", {"end_phrase": "x"})
    )
    assert IFEvalEarlyJudge(with_end).look("The sea x", longest=100) is None


def test_an_answer_beyond_the_cap_is_lost_and_a_blank_one_open() -> None:
    anything = IFEvalEarlyJudge(prompt_of(("startend:end_checker", {"end_phrase": "x"})))
    assert anything.look("a" * MAX_CHARACTERS) is None
    found = anything.look("a" * (MAX_CHARACTERS + 1))
    assert found is not None
    assert not found.strict
    nothing = IFEvalEarlyJudge(
        prompt_of(("length_constraints:number_words", {"num_words": 0, **AT_LEAST}))
    )
    assert nothing.look(" \n", longest=100) is None


def test_half_a_character_at_the_end_decides_nothing() -> None:
    # A tokenizer shows bytes whose character is not whole yet as U+FFFD.
    assert early("keywords:existence", "sea\ufffd", keywords=["sea\ufffd"]) is None
    assert early("keywords:forbidden_words", "sea\ufffd", forbidden_words=["sea"]) is None
    assert early("startend:quotation", "\ufffd\ufffd") is None


def test_a_greek_capital_s_at_the_end_is_open_for_what_follows_tells_its_small_letter() -> None:
    less = {"let_frequency": 1, "let_relation": "less than"}
    assert early("keywords:letter_frequency", "ΑΣ", letter="ς", **less) is None
    assert early("detectable_content:postscript", "ΑΣ", postscript_marker="ΑΣ") is None
    assert early("combination:repeat_prompt", "ΑΣ", prompt_to_repeat="ΑΣ") is None
    assert early("combination:repeat_prompt", "ΑΣ", prompt_to_repeat="ΑΣΑ") is None
    assert early("combination:repeat_prompt", "ΑΤ", prompt_to_repeat="ΑΣΑ") is False


def test_arguments_that_no_rule_can_use_leave_the_verdict_to_the_scorer() -> None:
    prompt = prompt_of(("length_constraints:number_words", {"num_words": 5, **AT_LEAST}))
    broken = prompt.model_copy(update={"kwargs": ({"num_words": "five"},)})
    assert IFEvalEarlyJudge(broken).look("One two three four five six.", longest=100) is None
    unknown = prompt.model_copy(update={"instruction_id_list": ("no:such",)})
    assert IFEvalEarlyJudge(unknown).look("One two.", longest=100) is None
