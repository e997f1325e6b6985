"""The benchmark of first outputs: what it times, and what it says of it."""

import os
from pathlib import Path

from benchmarks.first_output import COMMANDS, Taken, line, timed


def test_the_first_byte_of_either_stream_counts(tmp_path: Path) -> None:
    taken = timed(COMMANDS["a mistake"], tmp_path / "each", dict(os.environ), whole=True)
    assert taken.end is not None and 0 < taken.first <= taken.end


def test_a_command_that_works_for_long_is_ended_at_its_first_output(tmp_path: Path) -> None:
    taken = timed(("doctor",), tmp_path / "each", dict(os.environ), whole=False)
    assert taken.end is None and taken.first > 0
    assert line("doctor", [taken]).split()[2] == "-"


def test_the_medians_are_shown_and_a_late_one_is_marked() -> None:
    quick, slow = Taken(0.25, 0.5, 0.375), Taken(9.0, 9.0, 9.0)
    assert line("help", [quick, quick, slow]).split() == ["help", "0.25", "0.50", "0.38"]
    assert line("doctor", [slow]).endswith("late")
