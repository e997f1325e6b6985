"""Whether a checkpoint is an improvement on the untrained model."""

import pytest

from autotune.protocol.gain import Gain, Improvement
from autotune.score.gain import gain_of, improvement


def verdicts(passed: str) -> dict[int, bool]:
    return {key: letter == "x" for key, letter in enumerate(passed)}


@pytest.mark.parametrize(
    ("before", "after", "gained", "lost", "p", "said"),
    [
        (0.2, 0.1, 9, 0, 0.004, Improvement.NO_BETTER),  # counts for less, whatever passes
        (0.2, 0.2, 0, 0, 1.0, Improvement.NO_BETTER),
        (0.2, 0.3, 5, 2, 0.45, Improvement.WITHIN_NOISE),
        (0.2, 0.3, 12, 1, 0.003, Improvement.BETTER),
        (0.2, 0.3, 1, 12, 0.003, Improvement.WITHIN_NOISE),  # it counts for more, and passes less
        (0.2, 0.3, None, None, None, Improvement.WITHIN_NOISE),
    ],
)
def test_an_improvement_counts_for_more_and_passes_more_than_chance_gives(
    before: float, after: float, gained: int | None, lost: int | None, p: float | None,
    said: Improvement,
) -> None:  # fmt: skip
    gain = Gain(before=before, after=after, gained=gained, lost=lost, p_value=p)
    assert improvement(gain) is said


def test_verdicts_are_compared_prompt_by_prompt() -> None:
    gain = gain_of(0.25, 0.5, verdicts("x-------"), verdicts("-xxxxxx-"))
    assert (gain.gained, gain.lost) == (6, 1)
    assert gain.p_value == pytest.approx(2 * (1 + 7) / 2**7)


def test_verdicts_on_other_prompts_are_not_compared() -> None:
    assert gain_of(0.25, 0.5, verdicts("x-"), verdicts("xxx")).p_value is None
    assert gain_of(0.25, 0.5, {}, {}).p_value is None
