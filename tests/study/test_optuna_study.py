"""Points that are drawn: from the trials that there are, and from nothing else."""

import pytest

from autotune.base.errors import BadInput
from autotune.config.study import StudyChoice
from autotune.protocol.space import SEARCHABLE, Space, Value
from autotune.run.trial_summary import TrialSummary
from autotune.study.optuna_study import STUDY, draw, whole_space
from tests import setups

SPACE: Space = {
    "learning_rate": (4e-5, 1e-3),
    "batch_size": (16, 32, 64, 128),
    "num_train_epochs": (1, 6),
    "warmup_ratio": (0.03, 0.25),
    "weight_decay": (0.0, 0.1),
    "max_rounds": (2, 4, 6, 8, "all"),
    "neftune_noise_alpha": (0, 5),
    "average_checkpoints": (0, 3),
}
EXACT: dict[str, Value] = {
    "learning_rate": 4e-5,
    "batch_size": 64,
    "num_train_epochs": 5,
    "warmup_ratio": 0.2,
    "weight_decay": 0.0,
    "max_rounds": 6,
    "neftune_noise_alpha": 0.0,
    "average_checkpoints": 0,
}
TPE, RANDOM, QMC = (StudyChoice(sampler=name) for name in ("tpe", "random", "qmc"))


def trial(number: int, value: float | None, **point: Value) -> TrialSummary:
    """A trial that is over; without a value it failed."""
    outcome = "FAIL" if value is None else "COMPLETE"
    return TrialSummary(number, "search", EXACT | point, outcome, value=value, score=value)


def drawn(count: int, study: StudyChoice, seed: int = 42) -> list[dict[str, Value]]:
    """So many points, each drawn with those before it on record; later ones score better."""
    found = [trial(0, 0.1)]
    points = []
    for number in range(1, count + 1):
        points.append(draw(found, SPACE, study, seed))
        found.append(trial(number, 0.1 + number / 100, **points[-1]))
    return points


@pytest.mark.parametrize("study", [TPE, RANDOM])
def test_points_lie_in_the_space_differ_and_follow_from_the_seed(study: StudyChoice) -> None:
    points = drawn(6, study)
    assert points == drawn(6, study)
    assert points != drawn(6, study, seed=7)
    assert len({point["learning_rate"] for point in points}) == 6
    for point in points:
        assert set(point) == set(SEARCHABLE)
        assert 4e-5 <= float(point["learning_rate"]) <= 1e-3
        assert point["batch_size"] in (16, 32, 64, 128)
        assert point["num_train_epochs"] in range(1, 7)
        assert point["max_rounds"] in (2, 4, 6, 8, "all")


def test_a_quasi_random_sequence_goes_on_where_it_was() -> None:
    pytest.importorskip("scipy", reason="the sampler qmc needs scipy")
    points = drawn(4, QMC)
    assert len({point["learning_rate"] for point in points}) == 4
    assert points == drawn(4, QMC)


def test_a_sampler_whose_package_is_missing_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BadInput, match=r"^sampler qmc: needs scipy; pip install scipy, or"):
        draw([], SPACE, QMC, 42)


def test_scores_count_after_so_many_trials_at_the_start_and_not_before() -> None:
    def after(count: int, best: float) -> dict[str, Value]:
        known = [trial(n, 0.1, learning_rate=5e-5 * (n + 1)) for n in range(count - 1)]
        return draw([*known, trial(count - 1, best, learning_rate=9e-4)], SPACE, TPE, 42)

    assert after(3, 0.2) == after(3, 0.05)
    assert after(8, 0.2) != after(8, 0.05)


def test_a_trial_outside_the_space_tells_the_sampler_nothing() -> None:
    known = [trial(n, 0.1) for n in range(6)]
    outside = trial(6, 0.9, learning_rate=0.1)
    failed = trial(6, None)
    assert draw([*known, outside], SPACE, TPE, 42) == draw([*known, failed], SPACE, TPE, 42)


def test_the_space_of_a_run_holds_every_exact_point_and_every_range() -> None:
    narrow = setups.strategy("A", n_trials=2, search={"learning_rate": (1e-4, 1e-2)})
    other = setups.strategy("B", learning_rate=5e-2, batch_size=48, max_rounds="all")
    space = whole_space(setups.profile(narrow, other), [])
    assert set(space) == set(SEARCHABLE)
    assert space["learning_rate"] == (1e-4, 5e-2)
    assert space["batch_size"] == (8, 48)
    assert space["max_rounds"] == (2, "all")
    assert STUDY == "smolsft-autotune"
