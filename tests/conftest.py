"""The fast suite stays fast: a file whose tests all load torch is not even imported by it."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples every time, and no limit on the time of one: a busy machine is no failure.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")

# As for a worker: before torch is loaded, so that tests do not spin beside other programs.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_SAID = "said"
"""Name of the property by which a line travels with its test's report, from whatever process."""

_ALL_LOAD_TORCH = re.compile(r"^pytestmark = (\[\s*)?pytest\.mark\.torch\b", re.MULTILINE)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave such a file out where its tests would be deselected anyway."""
    if "not torch" not in config.option.markexpr or collection_path.suffix != ".py":
        return None
    return True if _ALL_LOAD_TORCH.search(collection_path.read_text(encoding="utf-8")) else None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without a card a test that needs one is skipped; with one that is broken it is run."""
    if item.get_closest_marker("gpu") is None:
        return
    from autotune.device import find_device

    found = find_device("auto")
    if found.kind != "cuda":
        pytest.skip(f"no card: {found.note}")


@pytest.fixture
def say(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Have a line shown when all tests are over, also by a test that fails or has a neighbour."""
    return lambda line: record_property(_SAID, line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what the tests had to say."""
    lines = [
        line
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        if report.when == "call"
        for name, line in report.user_properties
        if name == _SAID
    ]
    if lines:
        terminalreporter.section("what the tests found")
        for line in lines:
            terminalreporter.line(str(line))
