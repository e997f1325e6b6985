"""Failed rules in words: a sentence for each kind of instruction, with the checker's numbers."""

import re

import pytest

from autotune.protocol.results import InstructionVerdict
from autotune.score.answers import Answer
from autotune.score.ifeval.instructions import INSTRUCTIONS
from autotune.score.ifeval.scorer import failing, judge
from tests.asked import ARGUMENTS, fuzzed, prompt_of

CASES: list[tuple[str, dict[str, object], str, str]] = [
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 3, "capital_relation": "at least"},
        "NASA went UP.",
        "2 all-capital words, at least 3 are required",
    ),
    ("change_case:english_capital", {}, "NO way", "3 letters not capital, all must be"),
    ("change_case:english_lowercase", {}, "No way", "1 letter not lower case, all must be"),
    (
        "change_case:english_lowercase",
        {},
        "das ist ein sehr schönes haus und ich mag es",
        'in the language "de", must be English',
    ),
    ("change_case:english_capital", {}, "1 + 1", "no letters, must be English in capital letters"),
    (
        "combination:repeat_prompt",
        {"prompt_to_repeat": "Name a sea."},
        "The Baltic.",
        "does not begin with the request, word for word",
    ),
    (
        "combination:two_responses",
        {},
        "One.",
        "1 response, exactly 2 divided by ****** are required",
    ),
    (
        "detectable_content:number_placeholders",
        {"num_placeholders": 3},
        "Dear [name], at [place]",
        "2 [placeholder]s, at least 3 are required",
    ),
    (
        "detectable_content:postscript",
        {"postscript_marker": "P.S."},
        "Bye.",
        'no postscript that begins with "P.S."',
    ),
    (
        "detectable_format:constrained_response",
        {},
        "Yes.",
        'holds none of "My answer is yes.", "My answer is no." and "My answer is maybe."',
    ),
    ("detectable_format:json_format", {}, "{a: 1}", "not valid JSON as a whole"),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Part", "num_sections": 3},
        "Part 1\nx\nPart 2\ny",
        '2 headed "Part 1", "Part 2" and so on, at least 3 are required',
    ),
    (
        "detectable_format:number_bullet_lists",
        {"num_bullets": 3},
        "* a\n* b",
        "2 bullets, exactly 3 are required",
    ),
    (
        "detectable_format:number_highlighted_sections",
        {"num_highlights": 2},
        "so *nice*",
        "1 *highlighted* part, at least 2 are required",
    ),
    (
        "detectable_format:title",
        {},
        "Sea",
        "no title in double angle brackets, as in <<title>>",
    ),
    ("keywords:existence", {"keywords": ["sea", "C++"]}, "The sea.", 'lacks "C++"'),
    (
        "keywords:forbidden_words",
        {"forbidden_words": ["sea", "bay", "gulf"]},
        "Sea and bay.",
        'uses "sea", "bay", which are not allowed',
    ),
    (
        "keywords:frequency",
        {"keyword": "sea", "frequency": 3, "relation": "at least"},
        "Sea, sea.",
        '"sea" 2 times, at least 3 required',
    ),
    (
        "keywords:letter_frequency",
        {"letter": "#", "let_frequency": 4, "let_relation": "at least"},
        "#a",
        'the letter "#" 1 time, at least 4 required',
    ),
    (
        "language:response_language",
        {"language": "de"},
        "This is plain English text about the sea.",
        'in the language "en", must be "de"',
    ),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "sea"},
        "One.\n\nTwo.",
        'paragraph 2 begins with "Two.", must begin with "sea"',
    ),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "sea"},
        "One.",
        "1 paragraph, exactly 2 are required",
    ),
    (
        "length_constraints:number_paragraphs",
        {"num_paragraphs": 3},
        "One.\n***\nTwo.",
        "2 paragraphs, exactly 3 divided by *** are required",
    ),
    (
        "length_constraints:number_sentences",
        {"num_sentences": 5, "relation": "at least"},
        "One. Two. Three.",
        "3 sentences, at least 5 are required",
    ),
    (
        "length_constraints:number_words",
        {"num_words": 2, "relation": "less than"},
        "One two.",
        "2 words, less than 2 are required",
    ),
    ("punctuation:no_comma", {}, "a, b", "1 comma, none is allowed"),
    ("startend:end_checker", {"end_phrase": "The end."}, "So.", 'does not end with "The end."'),
    ("startend:quotation", {}, "So.", "not wrapped in double quotation marks as a whole"),
]


@pytest.mark.parametrize(("instruction", "kwargs", "text", "said"), CASES)
def test_a_failed_rule_is_said_with_its_numbers(
    instruction: str, kwargs: dict[str, object], text: str, said: str
) -> None:
    prompt = prompt_of((instruction, kwargs))
    (verdict,) = judge(prompt, Answer(prompt="p", response=text)).instructions
    assert not verdict.strict
    assert failing(verdict, prompt.kwargs[0], text) == said


def test_every_kind_of_instruction_has_a_failing_answer_and_a_sentence_for_it() -> None:
    assert {case[0] for case in CASES} == set(INSTRUCTIONS) == set(ARGUMENTS)


def test_whatever_fails_has_a_sentence_on_one_line_whose_count_does_break_the_rule() -> None:
    for prompt, text in fuzzed(1500, seed=11):
        judged = judge(prompt, Answer(prompt="p", response=text))
        for verdict, kwargs in zip(judged.instructions, prompt.kwargs, strict=True):
            if verdict.strict:
                continue
            said = failing(verdict, kwargs, text)
            assert said
            assert "does not follow" not in said
            if found := re.search(r"^(\d+) .*, (at least|less than|exactly) (\d+) ", said):
                count, relation, limit = int(found[1]), found[2], int(found[3])
                if relation == "at least":
                    assert count < limit
                elif relation == "less than":
                    assert count >= limit
                else:
                    assert count != limit


def test_no_answer_and_a_checker_that_died_are_named() -> None:
    died = InstructionVerdict(
        instruction="punctuation:no_comma", strict=False, loose=False, error="ValueError: x"
    )
    assert failing(died, {}, "a") == "ValueError: x"
    assert failing(died, {}, None) == "no answer"
    other = died.model_copy(update={"instruction": "own:rule", "error": None})
    assert failing(other, {}, "a") == "does not follow own:rule"
