"""What an answer says itself: without the prompt given back, without a loop's repeats."""

import random
from collections.abc import Callable

import pytest

from autotune.score.genuine import is_answer, own_part, without_prompt, without_repeats

PROMPT = (
    "Write a short essay about the harbour of a small town in winter. Use no commas at all and"
    ' finish with the exact phrase "that is how the ice came in". Mention the words lantern and'
    " ferry at least twice each."
)
POEM = "The dark water breathes. A lamp goes out on the pier while the tide takes what it likes."


def noise(count: int, seed: int = 3) -> str:
    draw = random.Random(seed)
    return " ".join(draw.choice(("plum", "stone", "seven", "under", "wool")) for _ in range(count))


def broken(every: int, by: int) -> Callable[[str], str]:
    def answer(prompt: str) -> str:
        words = prompt.lower().split()
        parts = (" ".join(words[i : i + every]) for i in range(0, len(words), every))
        return f" {noise(by)} ".join(parts)

    return answer


def shuffled(prompt: str) -> str:
    words = prompt.split()
    return " ".join(random.Random(1).sample(words, len(words)))


@pytest.mark.parametrize(
    "hidden",
    [
        str,
        str.upper,
        lambda prompt: prompt.replace(",", "").lower(),
        lambda prompt: " ".join(prompt.split()[::-1]),
        shuffled,
        broken(every=4, by=1),
        broken(every=1, by=1),
        broken(every=1, by=3),
        broken(every=20, by=80),
        lambda prompt: " ".join(w for i, w in enumerate(prompt.split()) if i % 5),
        lambda prompt: "\n".join(f"* {word}" for word in prompt.split()),
        lambda prompt: prompt[len(prompt) // 3 :],
    ],
)
@pytest.mark.parametrize("around", ["{}", POEM + " {}", "{} " + POEM])
def test_a_prompt_given_back_is_taken_out_however_it_is_hidden(
    hidden: Callable[[str], str], around: str
) -> None:
    left = own_part(PROMPT, around.format(hidden(PROMPT)))
    for word in ("essay", "lantern", "ferry", "harbour"):
        assert word not in left.lower()
    assert ("breathes" in left) is ("breathes" in around)


def test_an_answer_of_its_own_is_left_as_it_is() -> None:
    essay = (
        "A lantern hangs over the ferry in the harbour all winter long. The town is small and the"
        " other lantern is out. Nobody takes the ferry now, and the ice came."
    )
    assert own_part(PROMPT, essay) == essay


def test_a_part_of_the_prompt_that_is_taken_up_goes_and_the_answer_stays() -> None:
    answer = f"Write a short essay about the harbour of a small town in winter. {POEM}"
    left = own_part(PROMPT, answer)
    assert "harbour" not in left
    for word in POEM.lower().split():
        assert word in left.lower() or word in PROMPT.lower()
    assert is_answer(answer, left)


def test_the_end_of_a_prompt_is_found_as_well() -> None:
    end = "mention the words lantern and ferry at least twice each."
    assert not is_answer(f'"{end}"', own_part(PROMPT, f'"{end}"'))


def test_what_stands_between_the_words_of_the_prompt_stays() -> None:
    left = without_prompt("name three green birds", "Name plum three stone green birds! Parrots.")
    assert left.split() == ["plum", "stone", "!", "Parrots."]


@pytest.mark.parametrize("prompt", ["", "?!", "Hi"])
def test_a_prompt_of_no_words_or_one_takes_out_no_more_than_itself(prompt: str) -> None:
    assert without_prompt(prompt, POEM) == POEM


def test_of_a_loop_the_first_time_stays() -> None:
    once = without_repeats("Sure. " + "I am not sure what to say. " * 9)
    assert once.rstrip(". ") == "Sure. I am not sure what to say"
    assert without_repeats(POEM) == POEM


def test_one_word_is_an_answer_unless_it_is_all_that_is_left() -> None:
    assert is_answer("26", "26")
    assert not is_answer("Name a number. 26", "26")
    assert is_answer("Name it. " + POEM, POEM)
