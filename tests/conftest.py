"""The fast suite stays fast: a file whose tests all load torch is not even imported by it."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples every time, and no limit on the time of one: a busy machine is no failure.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")

# As for a worker: before torch is loaded, so that tests do not spin beside other programs.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

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
