"""The page of the house is true: every path that it names is there, and every room is drawn."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([a-z_]+/[a-z_/]*(?:\.py)?)`", PAGE)))


@pytest.mark.parametrize("named", NAMED)
def test_every_path_on_the_page_is_there(named: str) -> None:
    assert (ROOT / "autotune" / named).exists() or (ROOT / named).exists()


def test_every_room_is_drawn() -> None:
    rooms = {path.parent.name for path in (ROOT / "autotune").glob("*/__init__.py")}
    assert rooms == set(re.findall(r"<b>([a-z]+)</b>", PAGE))
    assert not [p.name for p in (ROOT / "autotune").glob("*.py") if not p.name.startswith("__")]
