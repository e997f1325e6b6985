"""Each instruction's edit: what it does to a text, and that what it gives passes its own check."""

import json
import zlib
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotune.score.answers import read_answers
from autotune.score.ifeval.instruction import Instruction, Stage
from autotune.score.ifeval.instructions import CLASSES, instruction_of, read_arguments
from autotune.score.ifeval.prompts import read_ifeval_prompts
from tests.asked import ARGUMENTS, PIECES

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"

TEXT = (
    "Sleep is good for the brain, and it keeps the heart healthy. Most people need eight hours.\n\n"
    "A dark room helps; a quiet room helps even more. Coffee late in the day does not, of course."
    " NASA has studied naps."
)
"""Two paragraphs, five sentences, two commas a careful reader would want."""

LIST = "Three tips:\n\n1. Sleep early.\n2. Read a book.\n3. Drink water.\n\nThat is all."


def asked(name: str, **given_arguments: Any) -> Instruction:
    return instruction_of(name, read_arguments(name, given_arguments))


def amend(text: str, name: str, **given_arguments: Any) -> str | None:
    return asked(name, **given_arguments).amend(text, Random(1))


CASES: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 1, "capital_relation": "less than"},
        "We MET at NASA.",
        "We Met at Nasa.",
    ),
    (
        "change_case:english_capital",
        {},
        "The weather is very nice today and we are in the garden.",
        "THE WEATHER IS VERY NICE TODAY AND WE ARE IN THE GARDEN.",
    ),
    (
        "change_case:english_lowercase",
        {},
        "The weather is very nice today and we are in the garden.",
        "the weather is very nice today and we are in the garden.",
    ),
    (
        "combination:repeat_prompt",
        {"prompt_to_repeat": "Name a sea."},
        "name a sea\n\nThe Black Sea.",
        "Name a sea.\n\nThe Black Sea.",
    ),
    (
        "combination:two_responses",
        {},
        "Response 1:\nGo out.\n\nResponse 2:\nStay in.",
        "Response 1:\nGo out.\n******\nResponse 2:\nStay in.",
    ),
    (
        "detectable_content:number_placeholders",
        {"num_placeholders": 1},
        "Dear <your boss>.",
        "Dear [your boss].",
    ),
    (
        "detectable_content:postscript",
        {"postscript_marker": "P.S."},
        "One went. Two went. Three went. Four went to the sea again.",
        "One went. Two went. Three went.\n\nP.S. Four went to the sea again.",
    ),
    (
        "detectable_format:constrained_response",
        {},
        "No, it is too late for that.",
        "My answer is no. It is too late for that.",
    ),
    (
        "detectable_format:json_format",
        {},
        'Here it is:\n```json\n{"a": [1]}\n```\nDone.',
        '{"a": [1]}',
    ),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "SECTION", "num_sections": 2},
        "One went. Two went.",
        "SECTION 1\nOne went.\n\nSECTION 2\nTwo went.",
    ),
    (
        "detectable_format:number_bullet_lists",
        {"num_bullets": 2},
        LIST,
        "Three tips:\n\n* Sleep early.\n* Read a book.\n\nThat is all.",
    ),
    (
        "detectable_format:number_highlighted_sections",
        {"num_highlights": 1},
        "* We saw dolphins.",
        "- We saw *dolphins*.",
    ),
    ("detectable_format:title", {}, "# One Night\nIt is dark.", "<<One Night>>\nIt is dark."),
    (
        "keywords:existence",
        {"keywords": ["sea", "C++"]},
        "At sea.",
        "At sea. The C++ side of this counts as well.",
    ),
    (
        "keywords:forbidden_words",
        {"forbidden_words": ["sea"]},
        "We went far. The Sea was cold. We came home.",
        "We went far. We came home.",
    ),
    (
        "keywords:frequency",
        {"keyword": "sea", "frequency": 2, "relation": "less than"},
        "The sea. We went far out there. The sea again.",
        "The sea. We went far out there.",
    ),
    (
        "keywords:letter_frequency",
        {"letter": "!", "let_frequency": 2, "let_relation": "at least"},
        "We won. It is over. Good.",
        "We won! It is over! Good.",
    ),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "two"},
        "One went. Three went. Two went.",
        "One went. Three went.\n\nTwo went.",
    ),
    (
        "length_constraints:number_paragraphs",
        {"num_paragraphs": 2},
        "One went.\n\nTwo went.",
        "One went.\n***\nTwo went.",
    ),
    (
        "length_constraints:number_sentences",
        {"num_sentences": 3, "relation": "at least"},
        "He came, and he saw; it was good.",
        "He came. And he saw. It was good.",
    ),
    (
        "length_constraints:number_words",
        {"num_words": 6, "relation": "less than"},
        "One went. Two went. Three went.",
        "One went. Two went.",
    ),
    (
        "punctuation:no_comma",
        {},
        "Well, there are 1,000 seas,lakes and more of that kind which we like so much in summer,"
        "\nall wet.",
        "Well there are 1000 seas lakes and more of that kind which we like so much in summer"
        "\nall wet.",
    ),
    (
        "startend:end_checker",
        {"end_phrase": "The end."},
        "So it was then and so it is now, and so it ever will be. The end. More?",
        "So it was then and so it is now, and so it ever will be. The end.",
    ),
    ("startend:end_checker", {"end_phrase": "Peace!"}, "We want peace.", "We want Peace!"),
    (
        "startend:end_checker",
        {"end_phrase": "The end."},
        "So it was. The end. Do you want more?",
        "So it was. The end. Do you want more?\n\nThe end.",
    ),
    ("startend:quotation", {}, 'He said "no".', "\"He said 'no'.\""),
]


def test_the_cases_are_of_all_kinds_but_another_language_which_no_edit_makes() -> None:
    assert {case[0] for case in CASES} == set(CLASSES) - {"language:response_language"}
    assert amend(TEXT, "language:response_language", language="de") is None
    assert amend(TEXT, "language:response_language", language="en") == TEXT


@pytest.mark.parametrize(("name", "arguments", "before", "after"), CASES)
def test_an_edit_changes_what_its_instruction_asks_for_and_no_more(
    name: str, arguments: dict[str, Any], before: str, after: str
) -> None:
    instruction = asked(name, **arguments)
    assert not instruction.follows(before)
    assert instruction.amend(before, Random(1)) == after
    assert instruction.follows(after)
    assert instruction.amend(after, Random(2)) == after


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("length_constraints:number_words", {"num_words": 300, "relation": "at least"}),
        ("length_constraints:number_sentences", {"num_sentences": 50, "relation": "at least"}),
        ("length_constraints:number_paragraphs", {"num_paragraphs": 9}),
        (
            "keywords:letter_frequency",
            {"letter": "e", "let_frequency": 2, "let_relation": "less than"},
        ),
        (
            "keywords:letter_frequency",
            {"letter": "q", "let_frequency": 40, "let_relation": "at least"},
        ),
        ("keywords:frequency", {"keyword": "sea", "frequency": 9, "relation": "at least"}),
        ("keywords:frequency", {"keyword": "river", "frequency": 2, "relation": "at least"}),
        ("keywords:existence", {"keywords": ["pillow", "river"]}),
        ("keywords:forbidden_words", {"forbidden_words": ["the", "room", "hours", "has"]}),
        ("detectable_content:number_placeholders", {"num_placeholders": 20}),
    ],
)
def test_where_the_edit_would_spoil_the_text_there_is_none(
    name: str, arguments: dict[str, Any]
) -> None:
    assert amend(TEXT, name, **arguments) is None


def test_an_edit_keeps_the_case_that_the_whole_text_is_in() -> None:
    small = amend(TEXT.lower(), "startend:end_checker", end_phrase="The End.")
    assert small is not None
    assert small.islower()
    wrapped = amend(TEXT.upper(), "detectable_format:json_format")
    assert wrapped is not None
    assert wrapped.isupper()


def test_a_heading_stays_with_what_it_heads_when_a_text_is_divided() -> None:
    headed = "<<Sea>>\n\nOne went. Two went.\n\nLand\n\nThree went."
    two: dict[str, Any] = {"name": "length_constraints:number_paragraphs", "num_paragraphs": 2}
    assert amend(headed, **two) == "<<Sea>>\n\nOne went. Two went.\n***\nLand\n\nThree went."
    assert amend("Sea\n\nOne. Two.", **two) == "Sea\n\nOne.\n***\nTwo."


def test_phrases_of_several_words_are_highlighted_before_single_ones() -> None:
    text = "It's what we've found that's old: the olive trees, and wood. They're happy with it."
    assert amend(text, "detectable_format:number_highlighted_sections", num_highlights=1) == (
        text.replace("olive", "*olive").replace("trees", "trees*")
    )


def test_a_title_is_neither_highlighted_nor_put_in_capitals() -> None:
    titled = "<<Olive Trees>>\n\nThey grow in stony places."
    for name, arguments in (
        ("detectable_format:number_highlighted_sections", {"num_highlights": 1}),
        (
            "change_case:capital_word_frequency",
            {"capital_frequency": 1, "capital_relation": "at least"},
        ),
    ):
        changed = amend(titled, name, **arguments)
        assert changed is not None
        assert changed.startswith("<<Olive Trees>>\n")


def test_postscripts_and_what_is_to_fill_in_vary_from_text_to_text() -> None:
    postscript = asked("detectable_content:postscript", postscript_marker="P.S.")
    blanks = asked("detectable_content:number_placeholders", num_placeholders=3)
    ends = {kind: {kind.amend(TEXT, Random(n)) for n in range(40)} for kind in (postscript, blanks)}
    short = {postscript.amend("We went.", Random(n)) for n in range(40)}
    assert len(short) >= 8
    assert len(ends[blanks]) >= 20
    assert not any("{}" in (text or "") for text in (*short, *ends[blanks]))


def test_hashtags_are_words_without_signs() -> None:
    tagged = amend(
        "It's a well-known sea. It's deep.",
        "keywords:letter_frequency",
        letter="#",
        let_frequency=2,
        let_relation="at least",
    )
    assert tagged is not None
    assert set(tagged.split("\n\n")[1].split()) == {"#wellknown", "#deep"}


def test_a_text_without_commas_stays_so_as_json() -> None:
    wrapped = amend("One.\n\nTwo.", "detectable_format:json_format")
    assert wrapped is not None
    assert "," not in wrapped
    assert list(json.loads(wrapped).values()) == ["One.\n\nTwo."]


def test_few_enough_is_reached_before_all_that_adds() -> None:
    for relation, stage in (("less than", Stage.CUT), ("at least", Stage.ADD)):
        given_arguments = {"keyword": "sea", "frequency": 2, "relation": relation}
        assert asked("keywords:frequency", **given_arguments).stage is stage


EVERY = tuple(
    instruction_of(name, read_arguments(name, given_arguments))
    for name, choices in ARGUMENTS.items()
    for given_arguments in choices
)
TEXTS = st.lists(st.sampled_from((*PIECES, *TEXT.split(" "))), max_size=12).map(" ".join)


@settings(max_examples=12, derandomize=True, database=None, deadline=None)
@given(TEXTS, st.integers(0, 3))
def test_whatever_the_text_what_is_amended_passes_and_is_the_same_again(
    text: str, seed: int
) -> None:
    for instruction in EVERY:
        made = instruction.amend(text, Random(seed))
        if made is not None:
            assert instruction.check(made), (instruction.id, instruction.given)
            assert instruction.amend(text, Random(seed)) == made
        if instruction.follows(text) and text.strip():
            assert made == text or instruction.id == "change_case:capital_word_frequency"


@pytest.mark.skipif(
    not DATA.is_dir(), reason="the published prompts and answers are not beside this checkout"
)
def test_real_answers_can_be_amended_for_nearly_every_kind_of_instruction() -> None:
    """Each of some real answers against every kind, with the arguments of the published prompts."""
    asked_for: dict[str, list[Instruction]] = {}
    for prompt in read_ifeval_prompts(DATA / "ifeval/input_data.jsonl"):
        for name, kwargs in zip(prompt.instruction_id_list, prompt.kwargs, strict=True):
            asked_for.setdefault(name, []).append(instruction_of(name, kwargs))
    draw = Random(4)
    made_of: dict[str, list[bool]] = {}
    for answers in (
        "responses/sft-100.jsonl",
        "responses/base-100.jsonl",
        "ifeval/input_response_data_gpt4_20231107_145030.jsonl",
    ):
        texts = [each.response or "" for each in read_answers(DATA / answers)]
        for name, instructions in sorted(asked_for.items()):
            tried = [
                (instruction, instruction.amend(text[:1500], Random(zlib.crc32(text.encode()))))
                for text in draw.sample(texts, 3)
                for instruction in [draw.choice(instructions)]
            ]
            assert all(one.check(text) for one, text in tried if text is not None), name
            made_of.setdefault(name, []).extend(text is not None for _, text in tried)
    seldom = {name for name, made in made_of.items() if sum(made) < 0.6 * len(made)}
    assert seldom <= {
        "combination:two_responses",
        "detectable_format:constrained_response",
        "keywords:existence",
        "keywords:frequency",
        "keywords:letter_frequency",
        "length_constraints:nth_paragraph_first_word",
        "language:response_language",
        "length_constraints:number_sentences",
        "length_constraints:number_words",
    }
