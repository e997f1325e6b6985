"""A poem has lines and a conversation has speakers, whatever an instruction adds."""

import pytest

from autotune.protocol.choices import Asked
from autotune.synth import practice
from autotune.synth.forms import forms
from autotune.synth.prompts import PracticePrompt
from autotune.synth.shape import NO_TALK, NO_VERSE, TALKS, VERSES, missed_shape
from tests.synth.practised import COMMAS, NAPS, SLEEP, Instruction, answer, prompt

VERSE = "The night is long\nand quiet is the street"
TALK = "Anna: Are you awake?\nBen: No. I sleep."


def of_form(form: str, *asked: Instruction) -> PracticePrompt:
    return prompt(0, 0, *asked).model_copy(update={"form": form})


@pytest.mark.parametrize(
    ("form", "text", "missed"),
    [
        ("poem", SLEEP, NO_VERSE),
        ("poem", VERSE, None),
        ("rap", f"{NAPS}\n******\n{SLEEP}", NO_VERSE),
        ("limerick", f"{NAPS}\n\n{SLEEP}", NO_VERSE),
        ("dialogue", SLEEP, NO_TALK),
        ("dialogue", f'"{SLEEP}"', NO_TALK),
        ("dialogue", TALK, None),
        ("dialogue", 'She said "I am awake." He did not.', None),
        ("dialogue", "- Are you awake?\n- No.", None),
        ("story", SLEEP, None),
    ],
)
def test_a_text_is_held_against_what_its_form_looks_like(
    form: str, text: str, missed: str | None
) -> None:
    assert missed_shape(of_form(form), text) == missed


def test_the_request_that_is_repeated_first_makes_no_verse() -> None:
    said = "Write a poem.\nUse no commas."
    repeat = ("combination:repeat_prompt", {"prompt_to_repeat": said})
    assert missed_shape(of_form("poem", repeat), f"{said}\n\n{SLEEP}") == NO_VERSE
    assert missed_shape(of_form("poem", repeat), f"{said}\n\n{VERSE}") is None


def test_prose_is_no_practice_of_a_poem_and_is_counted() -> None:
    asked = of_form("poem", COMMAS)
    made = practice.practise(
        [asked], [answer(asked, NAPS)], ask=Asked.VARIANT, words=None, seed=1, limit=None
    )
    assert made.chats == ()
    assert made.counts.unusable == {NO_VERSE: 1}


def test_what_is_refused_for_its_form_or_for_a_gap_is_kept_where_that_is_chosen() -> None:
    asked = of_form("poem", COMMAS)
    for text in (NAPS, f"{NAPS}\nYours [Your Name]."):
        given = {"ask": Asked.VARIANT, "words": None, "seed": 1, "limit": None}
        assert practice.practise([asked], [answer(asked, text)], **given).chats == ()
        kept = practice.practise([asked], [answer(asked, text)], **given, refuse_unasked=False)
        assert len(kept.chats) == 1


def test_the_names_are_those_of_forms() -> None:
    assert {form.name for form in forms()} >= VERSES | TALKS
