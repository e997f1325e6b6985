"""Points of a file that a run is to try: read, put into its settings, or refused in one line."""

from pathlib import Path

import pytest

from autotune.base.errors import BadInput
from autotune.cli.options import Options
from autotune.config.load import find_profile

TWO = ({"learning_rate": 3e-4}, {"batch_size": 128, "max_rounds": "all"})


@pytest.mark.parametrize(
    "text",
    [
        '[{"learning_rate": 3e-4}, {"batch_size": 128, "max_rounds": "all"}]',
        '{"learning_rate": 3e-4}\n\n{"batch_size": 128, "max_rounds": "all"}\n',
        '\ufeff[{"learning_rate": 0.0003}, {"batch_size": 128, "max_rounds": "all"}]',
    ],
)
def test_points_are_a_list_or_one_a_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "points.json"
    path.write_text(text, encoding="utf-8")
    assert Options.of({"enqueue": path}).adjust(find_profile("cpu-smoke")).study.enqueue == TWO


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no points; must be objects such as"),
        ("[]", "holds no points"),
        ("[3e-4]", "holds no points"),
        ('{"learning_rate": 3e-4}\nlr 3', "line 2 is no JSON"),
        ('[{"batch_size": 4}, {"lr": 3e-4}]', "point 2: lr must be one of learning_rate, batch_"),
        ('{"batch_size": "many"}', 'point 1: batch_size = "many" is no value that batch_size can'),
        ('{"learning_rate": NaN}', "point 1: learning_rate = NaN is no value"),
    ],
)
def test_a_file_without_points_is_refused_in_one_line(
    tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "points.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=words) as refused:
        Options.of({"enqueue": path}).adjust(find_profile("cpu-smoke"))
    assert str(refused.value).startswith(f"--enqueue {path}: ")
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        Options.of({"enqueue": tmp_path / "none"}).adjust(find_profile("cpu-smoke"))
