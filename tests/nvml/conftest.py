"""One build of the library for all tests of this folder."""

import pytest

from tests.nvml.driver import Driver, built


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    """The made-up driver; skips where there is no C compiler to build it."""
    return built(tmp_path_factory.mktemp("nvml"))
