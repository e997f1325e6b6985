"""Guesses at the next tokens: what followed before, as much of it as was right lately."""

from autotune.worker.generate.prompt_lookup import WORDS, Drafts


def test_what_followed_the_same_words_before_is_guessed() -> None:
    assert Drafts([1, 2, 3, 4, 50, 51, 52, 9, 1, 2, 3, 4]).guess(8) == [50, 51]


def test_new_words_and_short_texts_give_no_guess() -> None:
    assert Drafts([1, 2, 3, 4, 5, 6, 7]).guess(8) == []
    for length in range(WORDS + 1):
        assert Drafts([7] * length).guess(8) == []


def test_of_several_places_the_last_one_counts() -> None:
    text = [1, 2, 3, 4, 50, 51, 1, 2, 3, 4, 60, 61, 1, 2, 3, 4]
    assert Drafts(text).guess(2) == [60, 61]


def test_a_short_loop_goes_on_within_the_guess() -> None:
    drafts = Drafts([9, *([1, 2, 3] * 3)])
    drafts.judge(4, 4)
    assert drafts.guess(8) == [1, 2, 3, 1, 2, 3, 1, 2]


def test_guesses_grow_while_they_are_right_and_shrink_to_what_was_right() -> None:
    drafts = Drafts([5] * 10)
    lengths = [len(drafts.guess(100))]
    for right in (2, 4, 8, 3, 3, 0, 1):
        drafts.judge(lengths[-1], right)
        lengths.append(len(drafts.guess(100)))
    assert lengths == [2, 4, 8, 16, 3, 6, 1, 2]
    assert len(drafts.guess(1)) == 1
    assert drafts.guess(0) == []
    drafts.judge(0, 0)  # there was nothing to guess
    assert len(drafts.guess(100)) == 2


def test_tokens_that_are_added_can_be_found_again() -> None:
    drafts = Drafts([1, 2])
    for token in (3, 4, 5, 6, 1, 2, 3, 4):
        drafts.add(token)
    assert drafts.guess(2) == [5, 6]
    assert drafts.ids == [1, 2, 3, 4, 5, 6, 1, 2, 3, 4]
