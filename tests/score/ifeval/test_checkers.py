"""What each of the 25 instructions accepts and refuses, whatever the answer holds."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotune.protocol.results import InstructionVerdict, PromptVerdict
from autotune.score.answers import Answer
from autotune.score.ifeval.instructions import INSTRUCTIONS, read_arguments
from autotune.score.ifeval.prompts import IFEvalPrompt
from autotune.score.ifeval.scorer import MAX_CHARACTERS, IFEval, judge, loose_variants

GERMAN = "Das Wetter ist heute sehr schön und wir gehen in den Garten."
ENGLISH = "the weather is very nice today and we are going to the garden"

CASES: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "at least"},
        "We met NASA and ESA.",
        "This Is Title",
    ),
    ("change_case:english_capital", {}, ENGLISH.upper(), "This Is Title"),
    ("change_case:english_lowercase", {}, ENGLISH, ENGLISH.title()),
    (
        "combination:repeat_prompt",
        {"prompt_to_repeat": "Name a colour."},
        "Name a colour.\n\nBlue.",
        "The quick brown fox.",
    ),
    ("combination:two_responses", {}, "One.\n******\nTwo.", "One.\n******\nOne."),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[a] [b]", "[a] and [b"),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Bye. P.S. Hi", "Bye. PS Hi"),
    ("detectable_format:constrained_response", {}, "My answer is no.", "No."),
    ("detectable_format:json_format", {}, '```json\n{"a": [1]}\n```', '{"a": [1}'),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Section", "num_sections": 2},
        "Section 1\na\nSection 2\nb",
        "Section one\na\nSection two\nb",
    ),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* a\n- b", "* a\nb"),
    (
        "detectable_format:number_highlighted_sections",
        {"num_highlights": 2},
        "*a* and *b*",
        "*a* and * *",
    ),
    ("detectable_format:title", {}, "<<Sea>>\nWaves.", "<< >>\nWaves."),
    ("keywords:existence", {"keywords": ["sea", "C++"]}, "SEA in c++", "sea in C"),
    ("keywords:forbidden_words", {"forbidden_words": ["sea"]}, "The seaside.", "The Sea."),
    (
        "keywords:frequency",
        {"keyword": "sea", "frequency": 2, "relation": "at least"},
        "sea and sea",
        "sea",
    ),
    (
        "keywords:letter_frequency",
        {"letter": "#", "let_frequency": 4, "let_relation": "at least"},
        "#a #b #c #d",
        "#a #b #c d",
    ),
    ("language:response_language", {"language": "de"}, GERMAN, ENGLISH),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "So"},
        "Well.\n\nSo, on.",
        "So.\n\nWell, on.",
    ),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "a\n***\nb", "a\n\nb"),
    (
        "length_constraints:number_sentences",
        {"num_sentences": 3, "relation": "less than"},
        "Dr. Smith went home. He was tired.",
        "One went. Two went. Three went.",
    ),
    (
        "length_constraints:number_words",
        {"num_words": 5, "relation": "less than"},
        "one two three four",
        "one two three four five six seven eight nine ten",
    ),
    ("punctuation:no_comma", {}, "No stops here.", "Well, here."),
    ("startend:end_checker", {"end_phrase": "The end."}, "So it goes. The end.", "The end. Bye."),
    ("startend:quotation", {}, '"All of it."', '"Some" of it.'),
]
SOUND = {instruction: passing for instruction, _, passing, _ in CASES}


def prompt(*instructions: str) -> IFEvalPrompt:
    """A prompt with these instructions, their arguments from CASES."""
    arguments = {instruction: kwargs for instruction, kwargs, _, _ in CASES}
    return IFEvalPrompt(
        key=1,
        prompt="p",
        instruction_id_list=instructions,
        kwargs=tuple(read_arguments(name, arguments[name]) for name in instructions),
    )


def with_arguments(instruction: str, **kwargs: Any) -> IFEvalPrompt:
    return IFEvalPrompt(
        key=1,
        prompt="p",
        instruction_id_list=(instruction,),
        kwargs=(read_arguments(instruction, kwargs),),
    )


def verdict(asked: IFEvalPrompt, response: str | None) -> InstructionVerdict:
    return all_verdicts(asked, response).instructions[0]


def all_verdicts(asked: IFEvalPrompt, response: str | None) -> PromptVerdict:
    return judge(asked, Answer(prompt=asked.prompt, response=response))


EVERY = prompt(*INSTRUCTIONS)


def test_the_cases_below_are_of_all_25_instructions() -> None:
    assert sorted(SOUND) == sorted(INSTRUCTIONS)
    assert len(SOUND) == 25


@pytest.mark.parametrize(("instruction", "kwargs", "passing", "failing"), CASES)
def test_each_instruction_has_an_answer_that_follows_it_and_one_that_does_not(
    instruction: str, kwargs: dict[str, Any], passing: str, failing: str
) -> None:
    asked = prompt(instruction)
    assert verdict(asked, passing) == InstructionVerdict(
        instruction=instruction, strict=True, loose=True
    )
    assert verdict(asked, failing) == InstructionVerdict(
        instruction=instruction, strict=False, loose=False
    )


@pytest.mark.parametrize(
    ("response", "reason"),
    [(None, "no answer"), ("", "empty answer"), ("\n" * 16_000, "empty answer")],
)
def test_no_answer_follows_nothing_not_even_to_do_without_commas(
    response: str | None, reason: str
) -> None:
    found = all_verdicts(EVERY, response)
    assert not any(each.strict or each.loose for each in found.instructions)
    assert {each.error for each in found.instructions} == {reason}
    assert found.answered == (response is not None)


def test_an_answer_beyond_the_cap_fails_with_both_lengths_said() -> None:
    found = verdict(prompt("punctuation:no_comma"), "a" * (MAX_CHARACTERS + 1))
    assert not found.loose
    assert found.error == "answer of 131073 characters; at most 131072 are checked"
    assert verdict(prompt("punctuation:no_comma"), "a" * MAX_CHARACTERS).strict


def test_json_nested_beyond_reason_fails_with_a_reason_and_the_run_goes_on() -> None:
    asked = prompt("detectable_format:json_format")
    found = verdict(asked, "[" * 5000)
    assert not found.loose
    assert found.error == "ValueError: JSON nested deeper than 500"
    assert verdict(asked, "[" * 499 + "]" * 499).strict
    assert verdict(asked, '"' + "[{" * 5000 + '\\""').strict


@pytest.mark.parametrize(
    "unit",
    ["\n", " \n", "[", "<", "<< ", "*", "* ", "-\n", "1.\n", "a. ", "p.", '"', "{", "(", "'", "\\"],
)
def test_degenerate_answers_take_under_five_seconds(unit: str) -> None:
    text = "x" + (unit * 16_000)[:16_000] + "x\nx"
    started = time.process_time()
    all_verdicts(EVERY, text)
    assert time.process_time() - started < 5


@pytest.mark.parametrize("unit", ["\n", " ", "[", "<"])
def test_patterns_that_were_quadratic_are_quick_on_the_longest_answer(unit: str) -> None:
    asked = prompt(
        "detectable_content:number_placeholders",
        "detectable_content:postscript",
        "detectable_format:number_bullet_lists",
        "detectable_format:title",
    )
    started = time.process_time()
    all_verdicts(asked, "x" + unit * (MAX_CHARACTERS - 2) + "x")
    assert time.process_time() - started < 2


def test_a_keyword_is_a_text_and_never_a_pattern() -> None:
    existence = with_arguments("keywords:existence", keywords=["(a+)+$"])
    started = time.process_time()
    assert not verdict(existence, "a" * 5000 + "b").loose
    assert time.process_time() - started < 5
    assert verdict(existence, "so (a+)+$ it is").strict


@pytest.mark.parametrize("letter", ["#", "!", "A", "ß"])
def test_a_letter_is_counted_as_written_every_time(letter: str) -> None:
    asked = with_arguments(
        "keywords:letter_frequency", letter=letter, let_frequency=4, let_relation="at least"
    )
    for _ in range(60):
        assert verdict(asked, f"{letter}a " * 4 if letter != "A" else "abab aBA").strict
        assert not verdict(asked, f"{letter} " * 3).loose


@pytest.mark.parametrize("text", ["no la casa", "ok", "Hallo hello"])
def test_one_text_has_one_verdict_in_sixty(text: str) -> None:
    languages = [with_arguments("language:response_language", language=c) for c in ("en", "it")]
    lower = prompt("change_case:english_lowercase")
    found = {tuple(verdict(asked, text).strict for asked in (*languages, lower)) for _ in range(60)}
    assert len(found) == 1


def test_the_detector_of_other_code_stays_unseeded() -> None:
    import langdetect

    verdict(prompt("language:response_language"), GERMAN)
    assert langdetect.DetectorFactory.seed is None


def test_a_checker_that_dies_fails_its_instruction_and_says_of_what() -> None:
    asked = prompt("length_constraints:number_words", "punctuation:no_comma")
    broken = asked.model_copy(
        update={"kwargs": ({"num_words": "five", "relation": "at least"}, {})}
    )
    first, second = all_verdicts(broken, "One two.").instructions
    assert (first.strict, first.loose) == (False, False)
    assert first.error is not None and first.error.startswith("TypeError: ")
    assert second.strict


def test_a_letter_with_a_mark_counts_as_python_counts_it() -> None:
    asked = with_arguments("length_constraints:number_words", num_words=4, relation="at least")
    assert verdict(asked, "हिन्दी है").strict


def test_loose_forgives_a_first_line_a_last_line_and_asterisks() -> None:
    asked = with_arguments("startend:end_checker", end_phrase="The end.")
    for text in ("So. The end.\nAnything else?", "**So. The end.**"):
        found = verdict(asked, text)
        assert (found.strict, found.loose) == (False, True)
    first = verdict(prompt("startend:quotation"), 'Sure!\n"All of it."')
    assert (first.strict, first.loose) == (False, True)


def test_loose_variants_begin_with_the_answer_and_are_neither_twice_nor_blank() -> None:
    assert loose_variants("one *line*") == ("one *line*", "one line")
    assert loose_variants("a\n*b*\nc") == (
        "a\n*b*\nc",
        "a\nb\nc",
        "*b*\nc",
        "a\n*b*",
        "*b*",
        "b\nc",
        "a\nb",
        "b",
    )


PIECES = st.sampled_from(
    [
        *SOUND.values(),
        *("\n", "\n\n", " ", "*", "[", "]", '"', "{", "}", "<<", ">>", ",", "P.S.", "Ünïcode"),
        *("\x00", "\ufeff", "\u2028", "\u0301", "\U0001f600", "ﷺ", "\r\n", "١٢٣", "ẞ", "İ"),
    ]
)


@settings(max_examples=300, derandomize=True, database=None, deadline=None)
@given(st.lists(PIECES, max_size=5).map("".join) | st.text(max_size=60))
def test_whatever_the_answer_strict_implies_loose_and_nothing_is_raised(text: str) -> None:
    found = all_verdicts(EVERY, text)
    assert all(each.loose for each in found.instructions if each.strict)
    assert found.loose or not found.strict
    assert all(each.error is None or each.error == "empty answer" for each in found.instructions)


def test_a_report_counts_prompts_without_an_answer_as_failed_and_lists_them() -> None:
    asked = [
        prompt("punctuation:no_comma", "startend:quotation").model_copy(
            update={"key": key, "prompt": f"p{key}"}
        )
        for key in (1, 2, 3)
    ]
    answers = [
        Answer(key=1, prompt="p1", response='"Yes."', finish="stop"),
        Answer(key=2, prompt="p2", response="Yes.", finish="stop"),
    ]
    report = IFEval().score(asked, answers)
    assert (report.score.passes, report.score.total) == (1, 3)
    assert (report.instruction_strict.passes, report.instruction_strict.total) == (3, 6)
    assert report.by_type["punctuation:no_comma"].passes == 2
    assert report.by_type["startend:quotation"].passes == 1
    assert report.unmatched == (3,)
    assert report.health.stop == 1
    assert report == type(report).model_validate_json(report.model_dump_json())
    assert report == IFEval().score(asked, answers)
