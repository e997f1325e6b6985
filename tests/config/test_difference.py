"""The first setting in which two profiles differ, as a line to a person names it."""

import copy
import tomllib
from typing import Any

import pytest

from autotune.config.difference import difference_of

STOOD = tomllib.loads("""
name = "mine"
[train]
seed = 42
held_out = 200
[study]
max_hours = 8.0
[study.search.space]
batch_size = [16, 32]
[[strategy]]
name = "A"
n_trials = 1
search = {}
[[strategy]]
name = "B"
learning_rate = 3e-5
""")


def changed(table: str, **keys: Any) -> dict[str, Any]:
    """The same with other values below a table; None takes one away."""
    tree: dict[str, Any] = copy.deepcopy(STOOD)
    place: Any = tree
    for part in table.split("."):
        place = place[int(part)] if part.isdigit() else place[part]
    for key, value in keys.items():
        place.pop(key, None)
        if value is not None:
            place[key] = value
    return tree


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (changed("train", max_conversations=500), "train.max_conversations not set, now 500"),
        (changed("train", held_out=None), "train.held_out = 200, now not set"),
        (changed("train", first=1, held_out=10), "train.held_out = 200, now 10"),
        (changed("strategy.0", n_trials=3), "A.n_trials = 1, now 3"),
        (changed("strategy.1", learning_rate=1e-4), "B.learning_rate = 3e-05, now 0.0001"),
        (
            changed("strategy.0", search={"learning_rate": [4e-5, 1e-4]}),
            "A.search.learning_rate not set, now [4e-05, 0.0001]",
        ),
        (changed("study", search=None), "study.search.space.batch_size = [16, 32], now not set"),
        (changed("study", sampler="tpe"), 'study.sampler not set, now "tpe"'),
        (changed("strategy.1", name="C"), "strategies A, B, now A, C"),
        ({**STOOD, "strategy": STOOD["strategy"][:1]}, "strategies A, B, now A"),
        ({**STOOD, "watch": {}}, "a table without a key"),
    ],
)
def test_the_first_setting_that_differs_is_named_with_its_table_and_both_values(
    now: dict[str, Any], said: str
) -> None:
    assert difference_of(STOOD, now) == said
