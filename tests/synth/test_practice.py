"""Practice chats: which answer serves which prompt, that all of them pass, and what is counted."""

from random import Random

from autotune.protocol.choices import Asked
from autotune.score.ifeval.scorer import IFEval
from autotune.synth import practice
from autotune.synth.practice import ELSEWHERE, asked_prompts
from autotune.synth.topics import noun_phrase
from tests.synth.practised import (
    COMMAS,
    NAPS,
    PILLOW,
    QUOTED,
    SLEEP,
    SMALL,
    TITLE,
    answer,
    practise,
    prompt,
)

LONG = (
    "Many offices have a quiet room by now where anybody may lie down after lunch. People who use"
    " it say that they make fewer mistakes before the evening comes. their bosses have nothing"
    " against it since the work gets done. In hot countries whole towns close their shops at noon"
    " and open again when it is cooler outside. Children need such a rest much more than we do."
)

PROMPTS = (
    prompt(0, 0, COMMAS),
    prompt(0, 1, SMALL),
    prompt(0, 2, PILLOW, QUOTED),
    prompt(1, 0, TITLE),
    prompt(1, 1, COMMAS, SMALL),
)
ANSWERS = (
    answer(PROMPTS[0], SLEEP),
    answer(PROMPTS[0], NAPS, 1),
    answer(PROMPTS[0], "Sleep well.", 2),
    answer(PROMPTS[3], SLEEP + " And then there", whole=False),
)


def test_the_model_is_asked_the_first_variant_of_each_task_that_is_left() -> None:
    assert asked_prompts(PROMPTS, Asked.VARIANT) == (PROMPTS[0], PROMPTS[3])
    assert asked_prompts(PROMPTS[::-1], Asked.VARIANT) == (PROMPTS[0], PROMPTS[3])
    assert asked_prompts(PROMPTS[1:], Asked.VARIANT) == (PROMPTS[1], PROMPTS[3])


def test_the_model_may_be_asked_each_task_without_instructions() -> None:
    first, second = asked_prompts(PROMPTS, Asked.TASK)
    assert (first.key, second.key) == (PROMPTS[0].key, PROMPTS[3].key)
    assert first.prompt == PROMPTS[0].request != PROMPTS[0].prompt
    assert first.instruction_id_list == ()


def test_every_prompt_gets_one_chat_that_passes_and_ends() -> None:
    practice = practise(PROMPTS, ANSWERS, seed=1, limit=None)
    assert [chat.prompt for chat in practice.chats] == list(PROMPTS)
    for chat in practice.chats:
        assert IFEval().passes(chat.prompt, chat.amended.text)
        assert "And then there" not in chat.amended.text


def test_an_answer_that_passes_as_it_is_comes_before_one_that_is_amended() -> None:
    first, *_ = practise(PROMPTS, ANSWERS, seed=1, limit=None).chats
    assert first.amended.as_sampled
    assert first.amended.text == NAPS
    twice = (prompt(0, 0, COMMAS), prompt(0, 1, COMMAS))
    answers = [answer(twice[0], SLEEP), answer(twice[0], NAPS, 1)]
    chats = practise(twice, answers, seed=1, limit=None).chats
    assert [chat.amended.text for chat in chats] == [NAPS, NAPS]


def test_an_answer_that_has_the_keyword_comes_before_one_to_which_it_is_added() -> None:
    asked = prompt(0, 0, PILLOW, QUOTED, COMMAS)
    near = answer(asked, '"' + SLEEP.replace(",", "") + '"')
    far = answer(asked, NAPS.replace("noon ", "noon, they say, "), 1)
    (chosen,) = practise([asked], [near, far], seed=1, limit=None).chats
    assert chosen.answer == far
    assert len(chosen.amended.edited) == 2
    (alone,) = (
        chat
        for chat in practise(PROMPTS[:3], ANSWERS[:1], seed=1, limit=None).chats
        if chat.prompt == PROMPTS[2]
    )
    assert alone.amended.strained == (PILLOW[0],)


def test_samples_take_turns_where_none_is_better() -> None:
    asked = tuple(prompt(0, variant, QUOTED) for variant in range(4))
    answers = [answer(asked[0], SLEEP), answer(asked[0], NAPS, 1)]
    for seed in range(4):
        served = [c.answer.sample for c in practise(asked, answers, seed=seed, limit=None).chats]
        assert sorted(served, key=str) == [0, 0, 1, 1]


def test_an_answer_that_shows_another_prompts_instruction_is_not_lent() -> None:
    asked = (prompt(0, 0, SMALL), prompt(0, 1, QUOTED), prompt(0, 2, SMALL, QUOTED))
    practice = practise(asked, [answer(asked[0], SLEEP.lower())], seed=1, limit=None)
    assert [chat.prompt for chat in practice.chats] == [asked[0], asked[2]]
    assert practice.counts.unusable == {ELSEWHERE: 1}


def test_the_order_of_prompts_and_answers_does_not_matter_and_the_seed_does() -> None:
    practice = practise(PROMPTS, ANSWERS, seed=1, limit=3)
    shuffle = Random(3).sample
    again = practise(shuffle(PROMPTS, 5), shuffle(ANSWERS, 4), seed=1, limit=3)
    assert again == practice
    asked = [prompt(0, 0, QUOTED)]
    alike = [answer(asked[0], SLEEP), answer(asked[0], NAPS)]
    one, other = (practise(asked, some, seed=1, limit=None) for some in (alike, alike[::-1]))
    assert one == other
    assert any(practise(PROMPTS, ANSWERS, seed=s, limit=3) != practice for s in range(2, 6))


def test_a_limit_keeps_some_of_what_is_kept_without_one() -> None:
    whole = practise(PROMPTS, ANSWERS, seed=1, limit=None)
    some = practise(PROMPTS, ANSWERS, seed=1, limit=2)
    assert len(some.chats) == some.counts.kept == 2
    assert all(chat in whole.chats for chat in some.chats)


def test_what_became_of_prompts_and_samples_is_counted() -> None:
    stranger = answer(prompt(9, 0, COMMAS), SLEEP)
    reworded = ANSWERS[0].model_copy(update={"prompt": "Another question."})
    unanswered = answer(PROMPTS[3], None, 1)
    given = (*ANSWERS, stranger, reworded, unanswered)
    counts = practise(PROMPTS, given, seed=1, limit=None).counts
    assert (counts.tasks, counts.prompts, counts.samples, counts.unknown) == (2, 5, 5, 2)
    assert counts.texts == 3 * 3 + 2 * 2
    assert counts.usable + sum(counts.unusable.values()) == counts.texts
    assert counts.unusable == {"says too little": 5}
    assert (counts.as_sampled, counts.kept, counts.kept_as_sampled) == (1, 5, 1)
    commas = next(each for each in counts.kinds if each.kind == COMMAS[0])
    assert (commas.asked, commas.usable, commas.kept, commas.as_sampled) == (2, 2, 2, 1)
    assert sum(each.kept for each in counts.lengths) == 5
    assert counts.words is not None
    assert counts.words.first_quartile <= counts.words.median <= counts.words.third_quartile


def test_of_no_answers_nothing_is_made() -> None:
    practice = practise(PROMPTS, (), seed=1, limit=None)
    assert practice.chats == ()
    assert practice.counts.words is None
    assert [each.usable for each in practice.counts.kinds] == [0] * len(practice.counts.kinds)


def test_answers_to_the_task_alone_serve_all_of_its_prompts() -> None:
    bare = asked_prompts(PROMPTS[:3], Asked.TASK)[0]
    answers = [answer(bare, SLEEP), answer(PROMPTS[0], NAPS, 1)]
    made = practice.practise(PROMPTS[:3], answers, ask=Asked.TASK, words=None, seed=1, limit=None)
    assert [chat.prompt for chat in made.chats] == list(PROMPTS[:3])
    assert {chat.answer.prompt for chat in made.chats} == {bare.prompt}
    assert made.counts.unknown == 1


def test_an_answer_is_cut_to_a_beginning_of_a_drawn_length_where_that_can_follow() -> None:
    long = f"{NAPS} {LONG}"
    many = ("length_constraints:number_words", {"num_words": 60, "relation": "at least"})
    asked = (*(prompt(0, n, COMMAS) for n in range(8)), prompt(0, 8, many))
    made = practice.practise(
        asked, [answer(asked[0], long)], ask=Asked.VARIANT, words=(25, 50), seed=1, limit=None
    )
    *short, whole = made.chats
    lengths = {chat.words for chat in short}
    assert len(lengths) > 1
    assert all(25 <= words < 70 for words in lengths)
    assert all(chat.amended.cut and long.startswith(chat.amended.text[:20]) for chat in short)
    assert whole.words >= 60


def test_two_samples_of_a_task_become_the_two_responses_that_a_prompt_asks_for() -> None:
    asked = prompt(0, 0, ("combination:two_responses", {}))
    two = [answer(asked, NAPS), answer(asked, LONG + " And then", 1, whole=False)]
    (made,) = practise([asked], two, seed=1, limit=None).chats
    assert made.amended.text == f"{NAPS}\n******\n{LONG}"
    assert practise([asked], two[:1], seed=1, limit=None).chats == ()


def test_what_a_prompt_is_about_is_named_so_that_about_can_stand_before_it() -> None:
    assert noun_phrase("green tea") == "green tea"
    assert noun_phrase("to my landlord about a broken heater") == "a broken heater"
    assert noun_phrase("to a gym to cancel a membership") == "a membership"
    assert noun_phrase("Is water wet?") == ""
