"""What an edit makes reads as if it had been written so; where it would not there is none."""

from random import Random
from typing import Any

import pytest

from autotune.score.ifeval.instructions import instruction_of, read_arguments

BULLETS = "detectable_format:number_bullet_lists"
CAPITALS = "change_case:capital_word_frequency"
COMMAS = "punctuation:no_comma"
CONSTRAINED = "detectable_format:constrained_response"
EXISTENCE = "keywords:existence"
FREQUENCY = "keywords:frequency"
NTH = "length_constraints:nth_paragraph_first_word"
POSTSCRIPT = "detectable_content:postscript"
TITLE = "detectable_format:title"
TWO = "combination:two_responses"


def amend(text: str, name: str, prompt: str = "", about: str = "", **given: Any) -> str | None:
    return instruction_of(name, read_arguments(name, given), prompt, about).amend(text, Random(1))


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("**A Night Out**\n\nIt is dark.", "A Night Out"),
        ("Subject: Good news!\n\nIt is over.", "Good news"),
        ("A night out\n\nIt is dark.", "A night out"),
        ("Olive trees are old. We prune olive trees in autumn.", "Olive Trees"),
        ("SECTION 1\nOlive trees are old. We prune olive trees in autumn.", "Olive Trees"),
        ("SECTION 1\n\nOlive trees are old. We prune olive trees in autumn.", "Olive Trees"),
        ("Here is how:\n\nOlive trees are old. We prune olive trees in autumn.", "Olive Trees"),
        ("Green leaves of old\nolive trees and olive trees again.", "Olive Trees"),
    ],
)
def test_a_title_is_the_one_that_is_there_or_what_the_text_speaks_of(text: str, title: str) -> None:
    kind = instruction_of(TITLE, {})
    made = {kind.amend(text, Random(n)) or "" for n in range(8)}
    assert all(title.lower() in each.splitlines()[0].lower() for each in made)
    assert all(each.endswith(text.splitlines()[-1]) for each in made)


@pytest.mark.parametrize(
    ("prompt", "about", "title"),
    [
        ("Write an email about soap.", "handmade soap", "Handmade Soap"),
        ("Why do cats purr? Give it a title.", "", "Why Do Cats Purr"),
        ("Say something about water.", "the water of a lake", "The Water of a Lake"),
    ],
)
def test_a_title_names_what_the_prompt_is_about(prompt: str, about: str, title: str) -> None:
    kind = instruction_of(TITLE, {}, prompt, about)
    for n in range(8):
        first = (kind.amend("Dear Sir\n\nWater is water. It is wet.", Random(n)) or "").split("\n")
        assert title.lower() in first[0].lower()
        assert first[2] == "Dear Sir"


def test_a_title_that_the_prompt_has_nothing_to_do_with_is_none() -> None:
    assert amend("Budget plans help. A budget is a plan.", TITLE, "Plan a weekend.") is None


@pytest.mark.parametrize(
    ("text", "prompt", "says"),
    [
        ("Well, I think the answer is no. It rains.", "Is it dry?", "no"),
        ("A classic. No, it does not.", "Does it snow?", "no"),
        ("No one knows. It rains.", "Is it dry?", None),
        ("Glass is made from sand. It is old.", "Is glass made from sand?", "yes"),
        ("The Moon does not make its own light.", "Does the Moon make its own light?", "no"),
        ("The Moon may make its own light.", "Does the Moon make its own light?", None),
        ("Sand is old. Glass is new.", "Is glass made from sand?", None),
        ("Cats like dinner. They eat.", "Should we let cats decide?", "maybe"),
        ("It depends on the soil.", "Can a plant grow there?", "maybe"),
    ],
)
def test_the_answer_is_the_one_that_the_text_gives(
    text: str, prompt: str, says: str | None
) -> None:
    made = amend(text, CONSTRAINED, prompt)
    assert made == (f"My answer is {says}. {text}" if says else None)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("We went. It was so: Let us see. He ran.\n", None),
        ("We went. However he ran. He fell. She came.", "We went. However he ran.\n\n* F.\n* S."),
        ("We went. He ran. He fell. But she came.", "We went.\n\n* R.\n* F.\n\nBut she came."),
        ("Dear Ann. We went. Tom: I ran.", None),
        ("We went. He ran. He fell. Then came:\n1. Ann.", None),
    ],
)
def test_a_list_is_made_of_sentences_that_can_stand_alone(text: str, made: str | None) -> None:
    for short, item in (("R.", "He ran."), ("F.", "He fell."), ("S.", "She came.")):
        made = made and made.replace(f"* {short}", f"* {item}")
    assert amend(text, BULLETS, num_bullets=2) == made


@pytest.mark.parametrize(
    ("second", "divides"),
    [
        ("Naps are for everybody.", True),
        ("They are for everybody.", False),
        ("Naps are also for children.", False),
        ("However naps are short.", False),
        ("Rain is good for plants.", False),
        ("Ann: Naps are good.", False),
    ],
)
def test_half_of_a_text_is_a_second_response_only_where_it_begins_anew(
    second: str, divides: bool
) -> None:
    text = f"A nap does no harm.\n\n{second} And so on."
    made = amend(text, TWO, about="naps")
    assert made == (text.replace("\n\n", "\n******\n") if divides else None)
    assert amend(f"Dear Ann,\n\n{text}", TWO, about="naps") is None


@pytest.mark.parametrize(
    ("word", "paragraph", "made"),
    [
        ("today", "The sea is cold.", "Today, the sea is cold."),
        ("imagine", "The sea is cold.", "Imagine that the sea is cold."),
        ("imagine", "The sea is cold?", None),
        ("today", "Lisbon is cold.", None),
        ("perhaps", "I'm cold.", "Perhaps, I'm cold."),
        ("stories", "The stories are old.", "Stories are old."),
        ("patience", "The sea is cold.", None),
        ("sea", "We swim. Sea and sun.", "Sea and sun."),
        ("listen", "Dear Ann.", None),
    ],
)
def test_a_paragraph_begins_with_a_word_only_as_a_sentence_can(
    word: str, paragraph: str, made: str | None
) -> None:
    asked = {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": word}
    before = "One went.\n\n"
    expected = f"One went. We swim.\n\n{made}" if word == "sea" else f"{before}{made}"
    assert amend(f"{before}{paragraph}", NTH, **asked) == (made and expected)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("It is the best, the best, of all that we have ever seen in our lives so far.", None),
        ("Go, she said, and look.", None),
        ("We took bread, old cheese, and wine with us to the house by the sea that day.",) * 2,
        ("We took bread, cheese, nuts or wine with us to the house by the sea on that day.",) * 2,
        (
            "At noon, we sang, and all of the others who were in the house by the sea at that time"
            " were quiet.",
        )
        * 2,
    ],
)
def test_commas_go_only_where_the_words_then_read_well(text: str, made: str | None) -> None:
    written = (
        ("bread, old cheese, and", "bread and old cheese and"),
        ("bread, cheese, nuts or", "bread or cheese or nuts or"),
        (",", ""),
    )
    for before, after in written:
        made = made and made.replace(before, after)
    assert amend(text, COMMAS) == made


@pytest.mark.parametrize(
    ("last", "moves"),
    [
        ("Four of us went to the sea again.", True),
        ("However four of us went to the sea.", False),
        ("Ann: Four of us went to the sea.", False),
        ('"Four of us went to the sea.', False),
    ],
)
def test_a_last_sentence_is_a_postscript_if_it_is_no_part_of_what_is_before(
    last: str, moves: bool
) -> None:
    made = amend(f"One went. Two went. {last}", POSTSCRIPT, postscript_marker="P.S.") or ""
    assert (made == f"One went. Two went.\n\nP.S. {last}") is moves
    assert moves or made.startswith(f"One went. Two went. {last}\n\nP.S. ")


def test_the_words_i_and_a_are_not_what_stands_out_in_capitals() -> None:
    asked: dict[str, Any] = {"capital_frequency": 2, "capital_relation": "at least"}
    text = "I saw what I like: olive trees near stony places and deep water."
    made = amend(text, CAPITALS, **asked)
    assert made != text
    assert made is not None
    assert sum(word.isupper() and len(word) > 1 for word in made.split()) == 2
    assert amend("I did what I did.", CAPITALS, **asked) == "I did what I did."


@pytest.mark.parametrize(
    ("text", "about", "added"),
    [
        ("We saw it. It is far.", "Lisbon", " The tram side of Lisbon counts as well."),
        (
            "We saw it. It is far.",
            "a red tram",
            " There is always more to say about a red tram.",
        ),
        ("We saw two:\n* a ship", "Lisbon", "\n\nThe tram side of Lisbon counts as well."),
    ],
)
def test_a_keyword_comes_in_a_sentence_about_the_subject(text: str, about: str, added: str) -> None:
    many = {"keyword": "tram", "frequency": 1, "relation": "at least"}
    for name, given in ((EXISTENCE, {"keywords": ["tram"]}), (FREQUENCY, many)):
        assert (amend(text, name, "", about, **given) or "").startswith(text + added)
