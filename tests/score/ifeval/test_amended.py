"""An answer made to follow its whole prompt: what is cut, in which order it is edited, why not."""

from pathlib import Path
from random import Random
from typing import Any

import pytest

from autotune.score.answers import match, read_answers
from autotune.score.genuine import without_repeats
from autotune.score.health import echoes, loops
from autotune.score.ifeval.amended import Amended, Unusable, amended
from autotune.score.ifeval.prompts import IFEvalPrompt, read_ifeval_prompts
from autotune.score.ifeval.scorer import IFEval
from autotune.score.ifeval.unasked import GAP
from autotune.score.ifeval.unasked import TITLE as TITLE_SHOWN
from tests.asked import prompt_of

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"

WHOLE = (
    "Sleep is good for the brain, and it keeps the heart healthy. Most people need eight hours.\n\n"
    "A dark room helps; a quiet room helps even more. Coffee late in the day does not, of course."
    " A short nap at noon does no harm to anybody."
)

Asked = tuple[str, dict[str, Any]]

COMMAS: Asked = ("punctuation:no_comma", {})
SMALL: Asked = ("change_case:english_lowercase", {})
QUOTED: Asked = ("startend:quotation", {})
ENDING: Asked = ("startend:end_checker", {"end_phrase": "Good night to you."})
TITLE: Asked = ("detectable_format:title", {})
JSON: Asked = ("detectable_format:json_format", {})
POSTSCRIPT: Asked = ("detectable_content:postscript", {"postscript_marker": "P.S."})


def few_words(count: int) -> Asked:
    return ("length_constraints:number_words", {"num_words": count, "relation": "less than"})


def made(
    prompt: IFEvalPrompt, answer: str, finished: bool = True, seed: int = 1, about: str = ""
) -> Amended:
    found = amended(prompt, answer, seed, finished, about)
    assert isinstance(found, Amended), found
    assert IFEval().passes(prompt, found.text)
    return found


def refused(prompt: IFEvalPrompt, answer: str, finished: bool = True) -> Unusable:
    found = amended(prompt, answer, 1, finished)
    assert isinstance(found, Unusable), found
    return found


def test_an_answer_that_follows_and_ends_by_itself_is_left_as_it_is() -> None:
    found = made(prompt_of(few_words(99)), WHOLE + "\n")
    assert found == Amended(text=WHOLE + "\n", edited=(), strained=(), cut=False)
    assert found.as_sampled


def test_one_that_was_cut_off_ends_with_its_last_whole_sentence() -> None:
    found = made(prompt_of(few_words(99)), WHOLE + " And then there", finished=False)
    assert found == Amended(text=WHOLE, edited=(), strained=(), cut=True)
    assert not found.as_sampled


@pytest.mark.parametrize(
    ("shown", "asked", "why"),
    [
        ("Yours, [Your Name]", COMMAS, "leaves a gap to fill"),
        ("Yours, [your *last* name]", SMALL, "leaves a gap to fill"),
        ("```python\nprint(1)\n```", ENDING, "is program code"),
        ("<<A Good Night>>", COMMAS, "has a title that nobody asked for"),
    ],
)
def test_what_nobody_asked_for_is_no_practice(shown: str, asked: Asked, why: str) -> None:
    said = f"{shown}\n\n{WHOLE}"
    assert refused(prompt_of(asked), said).reason == why
    placeholders: Asked = ("detectable_content:number_placeholders", {"num_placeholders": 1})
    made(prompt_of({GAP: placeholders, TITLE_SHOWN: TITLE}.get(why, JSON)), said)


@pytest.mark.parametrize(
    "mark", ["so [1] it is", "[a link](https://example.org)", "[...]", "[2, 3]"]
)
def test_brackets_that_nobody_has_to_fill_are_no_gap(mark: str) -> None:
    assert made(prompt_of(few_words(99)), f"{WHOLE} They say {mark}.").as_sampled


def test_a_loop_is_cut_after_its_first_time_and_what_is_said_again_is_left_out() -> None:
    looping = WHOLE + " It is so, they say." * 9
    assert made(prompt_of(few_words(99)), looping).text == WHOLE + " It is so, they say."
    for end in ("", "."):
        endless = WHOLE + " It is so and" + " so on and" * 30 + end
        assert made(prompt_of(few_words(500)), endless).text == WHOLE
    counting = WHOLE + "".join(
        f"\nA short nap at noon does no harm to friend {n}." for n in range(4)
    )
    again = made(prompt_of(few_words(99)), counting + "\nSo much for that.")
    first = "A short nap at noon does no harm to friend 0."
    assert again.text == f"{WHOLE}\n{first}\nSo much for that."


def test_sentences_of_the_prompt_are_left_out_of_an_answer_that_is_edited() -> None:
    prompt = prompt_of(COMMAS).model_copy(
        update={"prompt": "Write about sleep for a magazine of doctors. Do not use any commas."}
    )
    found = made(prompt, "Write about sleep for a magazine of doctors.\n\n" + WHOLE)
    assert found.text == WHOLE.replace(",", "")
    assert found.cut


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_edits_come_in_an_order_in_which_none_undoes_another(seed: int) -> None:
    asked = (QUOTED, COMMAS, SMALL, ENDING, POSTSCRIPT, TITLE, few_words(60))
    text = made(prompt_of(*asked), WHOLE, seed=seed, about="sleep").text
    assert text.startswith('"<<')
    assert text.index("p.s.") < text.index("good night to you.")
    assert text.endswith('good night to you."')


def test_what_is_added_gets_its_room_where_words_are_few() -> None:
    words = len(WHOLE.split())
    found = made(prompt_of(few_words(words + 2), ENDING), WHOLE)
    assert len(found.text.split()) < words
    assert found.text.endswith("Good night to you.")
    assert found.cut


def test_which_instructions_it_was_edited_for_is_said_in_the_order_of_the_prompt() -> None:
    keyword = ("keywords:existence", {"keywords": ["pillow"]})
    found = made(prompt_of(QUOTED, few_words(99), keyword, COMMAS), WHOLE)
    assert found.edited == (QUOTED[0], keyword[0], COMMAS[0])
    assert found.strained == (keyword[0],)
    assert not found.cut


def test_the_same_seed_makes_the_same_text_and_others_vary_it() -> None:
    prompt = prompt_of(("detectable_content:number_placeholders", {"num_placeholders": 3}))
    texts = [made(prompt, WHOLE, seed=seed).text for seed in range(6)]
    assert texts == [made(prompt, WHOLE, seed=seed).text for seed in range(6)]
    assert len(set(texts)) > 1


def test_what_cannot_be_followed_is_named_and_no_text_given() -> None:
    long = ("length_constraints:number_words", {"num_words": 300, "relation": "at least"})
    german = ("language:response_language", {"language": "de"})
    found = refused(prompt_of(COMMAS, long, german), WHOLE)
    assert found == Unusable("does not follow", (long[0], german[0]))


def test_two_instructions_whose_edits_undo_each_other_are_no_answer() -> None:
    capitals: Asked = ("change_case:english_capital", {})
    assert refused(prompt_of(SMALL, capitals), WHOLE).reason == "does not follow"


@pytest.mark.parametrize(
    "answer", ["", "  \n", "Sleep well.", "Sleep. " * 300, "Sleep is good for you. " * 40]
)
def test_an_answer_that_says_next_to_nothing_is_not_amended(answer: str) -> None:
    assert refused(prompt_of(COMMAS), answer).reason == "says too little"


def test_two_sentences_are_enough_and_one_is_not() -> None:
    first, second = WHOLE.split(". ")[0] + ".", "Most people need eight or nine hours of it a day."
    assert refused(prompt_of(COMMAS), first).reason == "says too little"
    assert made(prompt_of(COMMAS), f"{first} {second}").edited == (COMMAS[0],)


def test_the_words_of_the_prompt_do_not_count() -> None:
    asked = prompt_of(("combination:repeat_prompt", {"prompt_to_repeat": WHOLE}))
    prompt = asked.model_copy(update={"prompt": f"{WHOLE} First repeat this, then answer it."})
    believed = "Yes, yes, it is, it is so, yes, it is so, it is."
    assert refused(prompt, f"{WHOLE}\n\n{believed}").reason == "says too little"
    own = "My father slept four hours every night for fifty years without falling ill once."
    assert refused(prompt, f"{WHOLE}\n\n{own}").reason == "says too little"
    more = "He rose at five, fed nine hens and walked to town."
    assert made(prompt, f"{WHOLE}\n\n{own} {more}").as_sampled


def test_the_words_that_edits_add_do_not_count() -> None:
    little = "A dark room helps; a quiet room helps even more. Coffee late at night does not."
    tail = ("keywords:existence", {"keywords": ["pillow"]})
    found = made(prompt_of(tail, POSTSCRIPT, ENDING), WHOLE)
    assert len(found.text.split()) > len(WHOLE.split()) + 8
    assert refused(prompt_of(tail, POSTSCRIPT, ENDING), little).reason == "says too little"
    repeat = ("combination:repeat_prompt", {"prompt_to_repeat": WHOLE})
    assert refused(prompt_of(repeat, POSTSCRIPT), little).reason == "says too little"


def test_the_prompt_given_back_is_no_answer() -> None:
    prompt = prompt_of(COMMAS).model_copy(update={"prompt": WHOLE.replace(",", "")})
    assert refused(prompt, WHOLE.replace(",", "")).reason == "says too little"
    repeat = prompt_of(("combination:repeat_prompt", {"prompt_to_repeat": WHOLE}))
    asked = repeat.model_copy(update={"prompt": WHOLE + "\nRepeat this and then answer."})
    assert refused(asked, WHOLE).reason == "echo"


def test_a_refrain_may_come_again_but_not_every_sentence() -> None:
    said = [f"Verse {n} is about the {what}." for n, what in enumerate(("sea", "sun", "sky"))]
    more = "Nothing else in the whole wide world was ever half as bright or cold or calm or far."
    song = " ".join([*said, WHOLE, more, said[0]])
    assert made(prompt_of(few_words(99)), song).as_sampled
    twice = made(prompt_of(few_words(199)), f"{song} {' '.join(said)}")
    assert twice.text == song.removesuffix(said[0]).rstrip()


def test_an_answer_that_repeats_itself_is_cut_to_where_it_does_not() -> None:
    again = " Then we spoke of the night and of {0} and {0} was what {0} had ever heard of."
    said = [again.format(who) for who in ("Ann", "Bob", "Eve", "Tom", "Kim", "Max", "Joe", "Sue")]
    found = made(prompt_of(COMMAS), WHOLE + "".join(said))
    assert found.cut
    assert found.text.startswith(WHOLE.replace(",", ""))
    assert "Sue" not in found.text


@pytest.mark.parametrize("talk", ["As an AI I never sleep.", "Remember that no commas count."])
def test_an_answer_that_speaks_of_itself_or_its_rules_is_not_left_as_it_is(talk: str) -> None:
    found = made(prompt_of(few_words(99)), f"{WHOLE} {talk}")
    assert found == Amended(text=WHOLE, edited=(), strained=(), cut=True)


def test_an_answer_that_speaks_of_little_else_is_not_amended() -> None:
    talk = "I'm here to help you with sleep. I'd be happy to tell you of rooms. How can I help you?"
    found = refused(prompt_of(COMMAS), f"{talk} Most people need eight hours.")
    assert found.reason == "speaks of rules or itself"


def test_each_of_two_responses_says_something() -> None:
    two = prompt_of(("combination:two_responses", {}))
    more = (
        "My father slept four hours every night for fifty years without falling ill once. He rose"
        " at five, fed nine hens and walked to town."
    )
    assert made(two, f"{WHOLE}\n******\n{more}").as_sampled
    second = f"Response 2: {more}"
    assert made(two, f"{WHOLE}\n\n{second}").edited == ("combination:two_responses",)
    count = " ".join(f"{n} Rooms." for n in range(12))
    for little in (
        "No, no!",
        count,
        more.split(" He")[0],
        "Not long after noon he slept; he slept, he slept.",
    ):
        assert refused(two, f"{WHOLE}\n******\n{little}").reason == "says too little"
        assert refused(two, f"{WHOLE}\n\nResponse 2: {little}").reason == "says too little"


def test_no_list_is_made_of_what_another_instruction_adds() -> None:
    bullets: Asked = ("detectable_format:number_bullet_lists", {"num_bullets": 7})
    blanks: Asked = ("detectable_content:number_placeholders", {"num_placeholders": 4})
    assert refused(prompt_of(bullets, blanks), WHOLE).reason == "does not follow"


@pytest.mark.skipif(
    not DATA.is_dir(), reason="the published prompts and answers are not beside this checkout"
)
def test_most_real_answers_that_say_something_can_be_made_to_follow_a_real_prompt() -> None:
    prompts = read_ifeval_prompts(DATA / "ifeval/input_data.jsonl")
    answers = read_answers(DATA / "ifeval/input_response_data_gpt4_20231107_145030.jsonl")
    matched, _ = match(prompts, answers)
    draw = Random(2)
    usable = as_sampled = 0
    for prompt in draw.sample(prompts, 25):
        answer = matched[draw.choice(sorted(matched))].response or ""
        found = amended(prompt, answer, prompt.key, finished=True)
        if isinstance(found, Amended):
            usable += 1
            as_sampled += found.as_sampled
            assert IFEval().passes(prompt, found.text)
            assert not loops(found.text)
            assert not echoes(prompt.prompt, found.text)
            assert without_repeats(found.text) == found.text
    assert usable >= 11
    assert as_sampled <= 3
