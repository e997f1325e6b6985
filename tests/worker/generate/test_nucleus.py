"""What is drawn: as often as it is probable, from the nucleus only, and known to be in doubt."""

import numpy as np
import pytest

from autotune.protocol.sampling import Sampling
from autotune.worker.generate.draws import Draws, Place
from autotune.worker.generate.nucleus import Candidates, Drawn, draw, gumbel

LOGITS = np.array([2.5, 1.9, 1.4, 0.2, 0.1, -0.7, -1.0, -3.0])
TEMPERATURE = 0.7
DRAWS = 40_000
CHI_SQUARE = {1: 10.8, 2: 13.8, 7: 24.3}
"""By degrees of freedom, what one in a thousand fair samples exceeds."""


def words(count: int, seed: int = 1) -> np.ndarray:
    draws = Draws(Sampling(temperature=1.0, top_p=1.0, samples=1, seed=seed), [(5, 0)])
    return np.array([draws.word(Place(0, at)) for at in range(count)], dtype=np.uint64)


def shares(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits / TEMPERATURE)
    return powers / powers.sum()


def drawn(
    logits: np.ndarray, top_p: float, *, count: int = 1, kept: int | None = None, error: float = 0
) -> Drawn:
    """Draw from one distribution again and again, of which the likeliest are looked at."""
    alike = [np.tile(each[:kept], (count, 1)) for each in (logits, shares(logits))]
    ids = np.tile(np.arange(len(logits))[:kept], (count, 1))
    candidates = Candidates(alike[0], ids, alike[1], whole=kept is None)
    return draw(candidates, words(count), temperature=TEMPERATURE, top_p=top_p, error=error)


@pytest.mark.parametrize(("top_p", "size"), [(1.0, 8), (0.9, 3), (0.7, 2), (1e-9, 1)])
def test_tokens_of_the_nucleus_come_as_often_as_they_are_probable_and_no_others(
    top_p: float, size: int
) -> None:
    found = np.bincount(drawn(LOGITS, top_p, count=DRAWS).tokens, minlength=8)
    assert (found[size:] == 0).all()
    expected = DRAWS * shares(LOGITS)[:size] / shares(LOGITS)[:size].sum()
    if size > 1:
        assert ((found[:size] - expected) ** 2 / expected).sum() < CHI_SQUARE[size - 1]


def test_few_draws_hang_on_the_last_bits_and_only_those_change_with_them() -> None:
    error = 1e-2
    before = drawn(LOGITS, 0.9, count=DRAWS, error=error)
    off = LOGITS + error * np.array([-0.5, 0.5, -0.5, 0.5, -0.5, 0.5, -0.5, 0.5])
    after = drawn(off, 0.9, count=DRAWS)
    changed = before.tokens != after.tokens
    narrow = before.margins < error
    assert changed.any()
    assert not (changed & ~narrow).any()
    assert narrow.mean() < 1.1 * error / TEMPERATURE


def test_a_token_that_may_or_may_not_belong_to_the_nucleus_is_never_drawn_for_certain() -> None:
    top_p = float(shares(LOGITS)[:2].sum()) - 1e-6  # the third begins beyond it, by very little
    found = drawn(LOGITS, top_p, count=2_000, error=1e-4)
    assert set(found.tokens.tolist()) == {0, 1}
    doubtful = drawn(LOGITS, top_p + 2e-6, count=2_000, error=1e-4)
    third = doubtful.tokens == 2
    assert third.any()
    assert (doubtful.margins[third] == 0).all()
    assert (found.margins[third] == 0).all()
    assert (found.tokens == doubtful.tokens)[~third].all()


def test_two_at_the_edge_of_the_nucleus_in_an_order_that_is_not_sure_are_both_in_doubt() -> None:
    logits = np.array([2.0, 1.0, 1.0 - 1e-5, -1.0])
    top_p = float(shares(logits)[:2].sum()) - 0.1
    found = drawn(logits, top_p, count=500, error=1e-4)
    assert set(found.tokens.tolist()) == {0, 1}
    assert (found.margins[found.tokens == 1] == 0).all()
    assert (found.margins[found.tokens == 0] > 0).any()


def test_candidates_that_may_lack_a_part_of_the_nucleus_are_not_enough() -> None:
    assert [bool(drawn(LOGITS, 0.9, kept=kept).enough[0]) for kept in (2, 3, 4, None)] == [
        False,
        False,
        True,
        True,
    ]
    assert not drawn(LOGITS, 1.0, kept=7).enough[0]


def test_the_noise_is_the_same_on_every_machine_and_for_every_version() -> None:
    """Else a synthesis that goes on elsewhere would give other texts."""
    first = 0xE220A8397B1DCDAF  # the first of SplitMix64 that begins with 0
    uniform = ((first >> 11) + 0.5) / 2**53
    noise = gumbel(np.array([0], dtype=np.uint64), np.array([[0]]))
    assert noise[0, 0] == pytest.approx(-np.log(-np.log(uniform)), rel=1e-12)
    draws = Draws(Sampling(temperature=1.0, top_p=1.0, samples=2, seed=3), [(7, 0), (7, 1)])
    assert draws.word(Place(1, 12)) == 0x74996A4C47C09AC1


def test_chance_is_another_for_each_seed_prompt_sample_and_token() -> None:
    found = {
        Draws(Sampling(temperature=1.0, top_p=1.0, samples=2, seed=seed), [(key, sample)]).word(
            Place(0, before)
        )
        for seed in (1, 2)
        for key in (1, 11)
        for sample in (0, 1)
        for before in (0, 1)
    }
    assert len(found) == 16
