"""The `[watch]` table of a profile: what is in the shipped ones, and what is refused."""

from pathlib import Path

import pytest

from autotune.base.errors import BadInput
from autotune.config.expected import Ranges
from autotune.config.load import find_profile, profiles_folder, read_profile

SMOKE = (profiles_folder() / "cpu-smoke.toml").read_text(encoding="utf-8")
WHOLE = """
[watch]
model = "toy"
data = "demo"
supervision = "content"
learning_rate = [1e-4, 1e-2]
"""


def read(folder: Path, table: str) -> Ranges | None:
    path = folder / "my.toml"
    path.write_text(SMOKE.replace("[[strategy]]", f"{table}\n[[strategy]]", 1), encoding="utf-8")
    return read_profile(path).watch


def test_the_laptops_profile_holds_the_guides_ranges_and_the_others_none() -> None:
    ranges = find_profile("rtx4060-laptop-8gb").watch
    assert ranges is not None
    assert (ranges.final_loss, ranges.grad_norm) == ((1.3, 1.5), (0.7, 1.0))
    assert (ranges.learning_rate, ranges.most_epochs) == ((4e-5, 6e-5), 7)
    assert ranges.loss_at_20_percent == 1.6
    assert find_profile("cpu-smoke").watch is None
    assert find_profile("cpu-smollm2").watch is None


def test_a_key_that_is_left_out_is_no_range(tmp_path: Path) -> None:
    ranges = read(tmp_path, WHOLE)
    assert ranges is not None
    assert (ranges.first_loss, ranges.loss_at_20_percent, ranges.final_loss) == (None, None, None)
    assert (ranges.grad_norm, ranges.most_epochs, ranges.training_hours) == (None, None, None)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("final_loss = [1.5, 1.3]", "watch.final_loss = [1.5, 1.3]: must rise from the first"),
        ("final_loss = [1.3]", "watch.final_loss"),
        ("grad_norm = [0.0, 1.0]", "watch.grad_norm.1 = 0.0: must be greater than 0"),
        ('first_loss = "1.7"', 'watch.first_loss = "1.7"'),
        ("training_hours = 0", "watch.training_hours = 0: must be greater than 0"),
        ("most_epochs = 0", "watch.most_epochs = 0: must be greater than or equal to 1"),
        ("grad_nrom = [0.7, 1.0]", "watch.grad_nrom: no such key; did you mean grad_norm?"),
        ("loss_at_20_percent = nan", "watch.loss_at_20_percent = nan: must be a finite number"),
    ],
)
def test_a_range_that_is_none_is_refused_naming_its_key(
    tmp_path: Path, line: str, fault: str
) -> None:
    with pytest.raises(BadInput) as refused:
        read(tmp_path, WHOLE + line)
    first, told = str(refused.value).split("\n")
    assert first.endswith(": 1 fault")
    assert told.strip().startswith(fault)


def test_a_table_that_does_not_say_what_it_holds_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        read(tmp_path, "[watch]\ngrad_norm = [0.7, 1.0]")
    assert [line.strip() for line in str(refused.value).split("\n")[1:]] == [
        f"watch.{key}: is missing; add it"
        for key in ("model", "data", "supervision", "learning_rate")
    ]
