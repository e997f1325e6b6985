"""Guesses at the next tokens: what followed before, as much of it as was right lately."""

from autotune.worker.generate.prompt_lookup import MATCH_TOKENS, PromptLookup


def test_what_followed_the_same_words_before_is_guessed() -> None:
    assert PromptLookup([1, 2, 3, 4, 50, 51, 52, 9, 1, 2, 3, 4]).guess(8) == [50, 51]


def test_new_words_and_short_texts_give_no_guess() -> None:
    assert PromptLookup([1, 2, 3, 4, 5, 6, 7]).guess(8) == []
    for length in range(MATCH_TOKENS + 1):
        assert PromptLookup([7] * length).guess(8) == []


def test_of_several_places_the_last_one_counts() -> None:
    text = [1, 2, 3, 4, 50, 51, 1, 2, 3, 4, 60, 61, 1, 2, 3, 4]
    assert PromptLookup(text).guess(2) == [60, 61]


def test_a_short_loop_goes_on_within_the_guess() -> None:
    prompt_lookup = PromptLookup([9, *([1, 2, 3] * 3)])
    prompt_lookup.judge(4, 4)
    assert prompt_lookup.guess(8) == [1, 2, 3, 1, 2, 3, 1, 2]


def test_guesses_grow_while_they_are_right_and_shrink_to_what_was_right() -> None:
    prompt_lookup = PromptLookup([5] * 10)
    lengths = [len(prompt_lookup.guess(100))]
    for right in (2, 4, 8, 3, 3, 0, 1):
        prompt_lookup.judge(lengths[-1], right)
        lengths.append(len(prompt_lookup.guess(100)))
    assert lengths == [2, 4, 8, 16, 3, 6, 1, 2]
    assert len(prompt_lookup.guess(1)) == 1
    assert prompt_lookup.guess(0) == []
    prompt_lookup.judge(0, 0)  # there was nothing to guess
    assert len(prompt_lookup.guess(100)) == 2


def test_tokens_that_are_added_can_be_found_again() -> None:
    prompt_lookup = PromptLookup([1, 2])
    for token in (3, 4, 5, 6, 1, 2, 3, 4):
        prompt_lookup.add(token)
    assert prompt_lookup.guess(2) == [5, 6]
    assert prompt_lookup.ids == [1, 2, 3, 4, 5, 6, 1, 2, 3, 4]
