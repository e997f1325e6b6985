"""What is left of an answer to practice on: its own sentences, each once, with an end."""

import pytest

from autotune.score.ifeval.own_sentences import goes_on, own_sentences, repeated, speaks_aside
from autotune.score.ifeval.pieces import closed, divided, longest_beginning, renumbered, without

ASKED = "Write a story about a commando who is lost in the desert. Do not use any commas."

STORY = "The sun was high. He had walked for days and seen nobody but a fox."


@pytest.mark.parametrize(
    "beginning",
    [
        "Sure! Here is a story for you:\n\n",
        "Certainly, I can do that.\n\n",
        "I'd be happy to help you with your story. ",
        "Of course, I'd be glad to help with that. Here's a story about a commando:\n",
        "Below is a story about a commando who is lost:\n\n",
        "**Here's a story:**\n\n",
        "Write a story about a commando lost in a large desert.\n\n",
        "Write a story about a commando who is lost in the desert. Do not use any commas.\n",
    ],
)
def test_a_preamble_and_the_request_in_other_words_are_left_out(beginning: str) -> None:
    assert own_sentences(ASKED, beginning + STORY, True) == STORY


@pytest.mark.parametrize(
    "beginning",
    [
        "Here the story begins. ",
        "Sure of himself he set out at dawn. ",
        "Write to me when you are back home. ",
        "Three things to take along:\n* Water.\n* A map.\n\n",
    ],
)
def test_what_only_looks_like_one_stays(beginning: str) -> None:
    assert own_sentences(ASKED, beginning + STORY, True) == beginning + STORY


def test_that_the_text_comes_now_is_left_out_wherever_it_is_said() -> None:
    more = "He sat down in the shade of a rock and wrote home."
    said = "Here's a sad bedtime story about a lost commando:"
    assert own_sentences(ASKED, f"{STORY}\n\n{said}\n\n{more}", True) == f"{STORY}\n\n{more}"
    assert speaks_aside(ASKED, said)
    assert not speaks_aside(ASKED, "Here's the key, he said.")


def test_an_answer_that_is_nothing_but_a_preamble_is_left_to_others_to_judge() -> None:
    assert own_sentences(ASKED, "Here is a story:", True) == "Here is a story:"


@pytest.mark.parametrize(
    "said",
    [
        "As an AI language model, I have never been lost.",
        "I'm just an AI and have no legs.",
        "I am designed to answer questions.",
        "SmolLM, you're right.",
        "You're an AI assistant for text re-writing.",
        "I'm happy to help you with that, but I'm also here to help you.",
        "Bring your map, and I'd be happy to read it.",
        "I am here to help.",
        "He is glad and I am so happy helping everyone who is lost.",
        "Always happy to help!",
        "My primary function is to write about sand.",
        "I am not an AI but a real person.",
        "In reality I'm not a helpful AI.",
        "Let me know if you want another story.",
        "How can I assist you?",
        "In my previous response I was lost.",
        "It is a trademark of Hugging Face.",
        "I can provide any kind of writing that you need.",
        "I've also rephrased the original text to make it sound more polished.",
        "In the realm of art, I've been tasked with crafting a dramatic story.",
        "I've already started writing the draft.",
        "Could you please help me refine it?",
        "I can create a fun and informative talk.",
    ],
)
def test_talk_of_an_assistant_is_left_out_wherever_it_stands(said: str) -> None:
    assert speaks_aside(ASKED, said)
    more = "He sat down in the shade of a rock and wrote home."
    for told in (f"{said} {STORY} {more}", f"{STORY} {said} {more}", f"{STORY} {more} {said}"):
        assert own_sentences(ASKED, told, True) == f"{STORY} {more}"


@pytest.mark.parametrize(
    "said",
    [
        "You see, no commas are allowed.",
        "The commas are necessary to separate the two phrases.",
        "It was a desert that doesn't have the letters 'x'.",
        "*Lost in a Desert Without the Letter F*",
        "This desert with at least six sections highlighted like this is large.",
        "Below is everything in all lowercase as requested.",
        "Here is my title for the desert.",
        "There will be exactly 3 bullet points.",
        'Not using "good" in a desert:',
        "He was lost without using the word sand.",
        'Let\'s put the words "sand" and "sun" together.',
        "For example, the word hear can be heard in the desert.",
        "He tells of it in five or more sentences.",
        "Here is a desert with four paragraphs.",
        "This is what your instructions say.",
        "I have filled in every placeholder.",
        "A postscript comes next.",
        "This paragraph is about sand.",
    ],
)
def test_what_an_answer_says_of_its_rules_is_left_out(said: str) -> None:
    assert speaks_aside(ASKED, said)
    assert own_sentences("", f"{STORY} {said}", True) == STORY


@pytest.mark.parametrize(
    "said",
    [
        "The robot was an AI, as all in the city were designed to be.",
        "The commander wrote a letter to his sister.",
        "In other words he was lost.",
        "Spread the word about the well.",
        "Lisbon is the capital of Portugal.",
        "His mother was happy to see him.",
        "Sections of the wall fell.",
        "The well that you requested is dry.",
        "The light was soft, and he turned right.",
        "He was happy in two words and lost in three.",
    ],
)
def test_what_only_sounds_like_such_talk_stays(said: str) -> None:
    assert own_sentences(ASKED, f"{STORY} {said}", True) == f"{STORY} {said}"


def test_an_ending_that_is_asked_for_may_be_such_talk() -> None:
    ending = "Let me know if you want more."
    assert speaks_aside(ASKED, f"{STORY} {ending}")
    assert not speaks_aside(f'{ASKED} End with "{ending}"', f"{STORY} {ending}")
    rule = "Do not use any commas."
    assert speaks_aside(ASKED, f"{STORY} {rule}")


def test_of_an_answer_that_is_mostly_such_talk_nothing_is_left() -> None:
    talk = "I'm here to help you with your story about a commando who is lost in the desert."
    assert own_sentences(ASKED, f"{talk} {STORY}", True) == ""


def test_a_sentence_that_goes_on_and_on_in_itself_is_left_out() -> None:
    goes = (
        "He went to the well again, and then to the well again, and to the well again, and so on."
    )
    assert goes_on(goes)
    assert own_sentences(ASKED, f"{STORY} {goes}", True) == STORY


def test_what_is_announced_and_does_not_come_is_left_out() -> None:
    assert closed(f"{STORY}\n\nHere is a better one:") == STORY
    assert closed(f"{STORY} He had two rules:\n\n1. Drink little.") == STORY
    both = f"{STORY} He had two rules:\n\n1. Drink little.\n2. Sleep by day."
    assert closed(both) == both
    assert longest_beginning(both, lambda text: len(text.split()) < 24) == STORY
    assert closed("One line:") == "One line:"


@pytest.mark.parametrize(
    ("cut", "left"),
    [
        ('"The sun was high. He had walked for days.', "The sun was high. He had walked for days."),
        ('"We sing. "Never," he said.', 'We sing. "Never," he said.'),
        ('"No," he said. "I am lost.', '"No," he said. "I am lost."'),
        ('He read:\n"Sand is\nhot sand.', 'He read:\n"Sand is\nhot sand."'),
        ('A board of 5" is\nshort.', 'A board of 5" is\nshort.'),
        ("**Sand: it is hot.\n**Sun** is hotter.", "Sand: it is hot.\n**Sun** is hotter."),
        ("1. Who are you?\nA fox.\n\n2. Where from?", "1. Who are you?\nA fox."),
        ("1. Who are you?\n2. Where from?", "1. Who are you?\n2. Where from?"),
        ("He sat.\n\n## The Well", "He sat."),
        ("He sat.\n\n**The Well**", "He sat."),
        ("He sat. Two rules:\n\n1. Drink.\n\nThat is all.", "He sat.\n\nThat is all."),
        ("Two rules:\n\n1. Drink.\n\n2. Sleep.\n\nSo.",) * 2,
        ("1. He sat and wrote home.", "He sat and wrote home."),
    ],
)
def test_a_cut_does_not_show_in_marks_headings_and_lists(cut: str, left: str) -> None:
    assert closed(cut) == left


def test_quotation_marks_that_were_cut_open_close() -> None:
    assert closed('He said "no." Then: "I am lost. I am alone.') == (
        'He said "no." Then: "I am lost. I am alone."'
    )
    assert closed('He said "no."') == 'He said "no."'


def test_a_list_from_which_items_are_gone_counts_on() -> None:
    assert renumbered("1. a\n3. b\n7. c\n\n1) d\n2) e") == "1. a\n2. b\n3. c\n\n1) d\n2) e"
    assert renumbered("1. a\n1. b\n1999. c") == "1. a\n1. b\n1999. c"
    left = without("1. We sing.\n2. We swim.\n3. We run.", lambda piece: "swim" in piece)
    assert left == "1. We sing.\n2. We run."


def test_items_that_differ_in_their_number_only_are_said_once() -> None:
    asked = "1. What is the desert like?\n2. Who lives there?\n3. What is the desert like?"
    assert own_sentences("", asked, True) == asked[: asked.index("\n3")]
    speakers = "Ann\nWe are lost here.\nBob\nSo it seems.\nAnn\nThen sing with me."
    assert own_sentences("", speakers, True) == speakers


def test_what_leads_to_a_list_stays_with_it_when_a_text_is_divided() -> None:
    parts = divided("We took these:\n\nWater and bread.\n\nWe left at dawn.", 2)
    assert parts == ["We took these:\n\nWater and bread.", "We left at dawn."]
    long = "All that we took with us into the desert that morning at dawn is here:"
    assert divided(f"{long}\n* Water.\n* Bread.\n* A map.", 3) == [
        f"{long}\n* Water.",
        "* Bread.",
        "* A map.",
    ]
    assert divided("We took these: water. We left at dawn.", 2) == [
        "We took these: water.",
        "We left at dawn.",
    ]


def test_the_share_of_what_was_said_before_is_counted_in_runs_of_words() -> None:
    assert repeated("one two three four five") == 0
    assert repeated("One two three four. One two three four!") == pytest.approx(1 / 5)
    assert repeated("one two") == 0
