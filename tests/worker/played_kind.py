"""A kind of device that is said to be other than it is, for as long as a test runs."""

from dataclasses import replace
from typing import Any

import pytest

from autotune.worker.device_kinds import KINDS


def play(monkeypatch: pytest.MonkeyPatch, kind: str = "cpu", **traits: Any) -> None:
    """Have the worker's table say this of the kind."""
    monkeypatch.setitem(KINDS, kind, replace(KINDS[kind], **traits))
