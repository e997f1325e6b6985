"""Cards are dealt fairly, and one that did not fit is not lost."""

from autotune.synth.deck import Deck


def test_every_card_comes_once_before_one_comes_again() -> None:
    deck = Deck("abcde", "seed")
    dealt = [deck.take(lambda _: True) for _ in range(15)]
    assert all(set(dealt[at : at + 5]) == set("abcde") for at in (0, 5, 10))


def test_a_card_that_did_not_fit_comes_the_next_time_that_it_does() -> None:
    for seed in "1234":
        deck = Deck("abcde", seed)
        assert deck.take(lambda card: card == "e") == "e"
        assert {deck.take(lambda _: True) for _ in range(4)} == set("abcd")


def test_none_is_dealt_where_none_fits() -> None:
    assert Deck("ab", "seed").take(lambda card: card == "c") is None
