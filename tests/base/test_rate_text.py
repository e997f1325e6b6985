"""Learning rates, written one way everywhere: as they are typed."""

import pytest

from autotune.base.format import rate_text


@pytest.mark.parametrize(
    ("rate", "written"),
    [
        (4e-5, "4e-5"),
        (4e-4, "4e-4"),
        (0.00015, "1.5e-4"),
        (0.000123456, "1.23e-4"),
        (0.0009999, "0.001"),
        (0.001, "0.001"),
        (0.0125, "0.0125"),
        (3e-10, "3e-10"),
        (0.0, "0"),
        (1.0, "1"),
    ],
)
def test_a_learning_rate_is_written_as_a_person_types_it(rate: float, written: str) -> None:
    assert rate_text(rate) == written
    assert float(written) == pytest.approx(rate, rel=1e-2, abs=0)
