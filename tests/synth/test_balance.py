"""Which chats are kept: kinds by their share of the prompts, lengths alike, none crowded out."""

from collections import Counter

import pytest

from autotune.synth.balance import balanced
from autotune.synth.chats import PracticeChat
from tests.synth.practised import chat


def kinds(chats: list[PracticeChat]) -> Counter[str]:
    return Counter(kind for each in chats for kind in each.kinds)


MANY = [chat(n, "a" if n % 10 else "b") for n in range(100)]
"""90 of one kind and 10 of another."""


@pytest.mark.parametrize("limit", [2, 4, 10, 20])
def test_kinds_are_kept_by_their_share_of_the_prompts(limit: int) -> None:
    assert kinds(balanced(MANY, {"a": 50, "b": 50}, limit)) == {"a": limit / 2, "b": limit / 2}


def test_a_lower_limit_keeps_a_beginning_of_what_a_higher_one_keeps() -> None:
    asked = {"a": 70, "b": 30}
    assert balanced(MANY, asked, 30)[:7] == balanced(MANY, asked, 7)


def test_without_a_limit_all_are_kept_but_a_kind_beyond_its_fair_share() -> None:
    assert len(balanced(MANY, {"a": 50, "b": 50})) == len(MANY)
    few = balanced(MANY, {"a": 10, "b": 90})
    assert kinds(few) == {"b": 10, "a": 3}, "two tenths of 13, rounded up"
    assert len(balanced(MANY[1:9], {"a": 1, "b": 99})) == 8, "the only kind there is"


def test_a_chat_counts_for_all_kinds_of_its_prompt() -> None:
    both = [chat(n, "a", "b") for n in range(3)]
    rest = [chat(n, "c") for n in range(3, 6)]
    assert kinds(balanced([*both, *rest], {"a": 5, "b": 5, "c": 5}, 2)) == {"a": 1, "b": 1, "c": 1}


def test_lengths_are_kept_alike_as_long_as_there_are_any() -> None:
    short = [chat(n, "a", words=30) for n in range(20)]
    long = [chat(n, "a", words=200) for n in range(20, 24)]
    kept = balanced([*short, *long], {"a": 1}, 8)
    assert Counter(each.words for each in kept) == {30: 4, 200: 4}
    assert Counter(each.words for each in balanced([*short, *long], {"a": 1}, 12))[30] == 8


def test_a_chat_whose_edit_strains_comes_last() -> None:
    strained = [chat(n, "a", words=200, strained=("a",)) for n in range(5)]
    plain = [chat(n, "a") for n in range(5, 8)]
    kept = balanced([*strained, *plain], {"a": 1}, 4)
    assert kept[:3] == plain
    assert kept[3] in strained


@pytest.mark.parametrize("limit", [5, 40, None])
def test_few_chats_are_kept_whose_edit_strains(limit: int | None) -> None:
    strained = [chat(n, "a", strained=("a",)) for n in range(60)]
    plain = [chat(n, "b") for n in range(60, 100)]
    kept = balanced([*strained, *plain], {"a": 50, "b": 50}, limit)
    few = sum(bool(each.amended.strained) for each in kept)
    assert 1 <= few <= max(1, round(0.05 * len(kept) + 0.5))
