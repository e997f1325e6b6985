"""`smolsft.toml` over a profile: what a table means that is empty, or stands below a list."""

from pathlib import Path

import pytest

from autotune.base.errors import BadInput
from autotune.config.load import find_profile
from autotune.config.profile import Profile
from autotune.config.project import PROJECT_FILE, Project, read_project

CARD = "nvidia"


def read(text: str, folder: Path) -> Project:
    (folder / PROJECT_FILE).write_text(text, encoding="utf-8")
    found = read_project(folder)
    assert found is not None
    return found


def over(text: str, folder: Path) -> Profile:
    return read(text, folder).over(find_profile(CARD))


EMPTY = ("machine", "train", "study", "study.search", "evaluate.health", "strategy", "strategy.A")


@pytest.mark.parametrize("table", EMPTY)
def test_a_table_whose_keys_are_all_in_comments_changes_nothing(table: str, tmp_path: Path) -> None:
    found = read(f"[{table}]\n# max_hours = 2\n", tmp_path)
    assert found.over(find_profile(CARD)) == find_profile(CARD)
    assert not found.sets(("study", "search", "space", "batch_size"), find_profile(CARD))


def test_an_empty_table_of_ranges_takes_a_strategys_ranges_away(tmp_path: Path) -> None:
    assert find_profile(CARD).strategies[0].search
    found = over("[strategy.A]\nsearch = {}\nlearning_rate = 3e-4\n", tmp_path)
    assert not found.strategies[0].search
    assert found.strategies[1] == find_profile(CARD).strategies[1]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[train]\ncheckpoint_fractions.x = 3\n", "train.checkpoint_fractions"),
        ("[train]\ncheckpoint_fractions.x.y = 3\n", "train.checkpoint_fractions"),
        ("[strategy.A]\nsearch.learning_rate.low = 1e-4\n", "strategy.A.search.learning_rate"),
        ("[train]\nseed.x = 3\n", "train.seed"),
    ],
)
def test_a_key_below_a_list_or_a_number_is_a_fault_of_one_line(
    text: str, place: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput) as refused:
        over(text, tmp_path)
    first, fault = str(refused.value).splitlines()
    assert first == f"{PROJECT_FILE}: 1 fault"
    assert fault.startswith(f"  {place} = {{") and ": must be a valid " in fault
