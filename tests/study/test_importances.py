"""Which values made the difference, as far as the trials can tell."""

import pytest

from autotune.protocol.space import Space
from autotune.run.trial_summary import TrialSummary
from autotune.study.importances import importances

SPACE: Space = {"learning_rate": (4e-5, 1e-3), "batch_size": (16, 32), "max_rounds": (4, "all")}


def trials(*values: float | None) -> list[TrialSummary]:
    """Trials whose rates rise, with the same rounds and two batches in turn."""
    return [
        TrialSummary(
            number,
            "search",
            {
                "learning_rate": 1e-4 * (number + 1),
                "batch_size": (16, 32)[number % 2],
                "max_rounds": "all",
            },
            "FAIL" if value is None else "COMPLETE",
            value=value,
            score=value,
        )
        for number, value in enumerate(values)
    ]


def test_the_value_by_which_scores_differ_is_the_most_important() -> None:
    found = importances(trials(0.30, 0.29, 0.12, 0.11, 0.10, 0.09), SPACE)
    assert next(iter(found)) == "learning_rate"
    assert sum(found.values()) == pytest.approx(1.0, abs=0.01)


def test_a_value_that_all_trials_share_has_no_importance() -> None:
    assert "max_rounds" not in importances(trials(0.3, 0.2, 0.1, 0.15), SPACE)


@pytest.mark.parametrize("values", [(0.1, 0.2, 0.3), (0.2, 0.2, 0.2, 0.2), (0.1, 0.2, 0.3, None)])
def test_too_few_or_equal_trials_say_nothing(values: tuple[float | None, ...]) -> None:
    assert importances(trials(*values), SPACE) == {}
