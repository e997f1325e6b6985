"""Whether the driver's process ids are ours: not inside a container."""

from pathlib import Path

import pytest

from autotune import pidspace
from autotune.device_nvml import Nvml


def test_only_the_first_namespace_of_linux_counts_as_the_driver(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mark = tmp_path / "pid"
    mark.touch()
    monkeypatch.setattr(pidspace.sys, "platform", "linux")
    monkeypatch.setattr(pidspace, "NAMESPACE", mark)
    monkeypatch.setattr(pidspace, "INITIAL_NAMESPACE", mark.stat().st_ino)
    assert pidspace.counts_as_the_driver()
    monkeypatch.setattr(pidspace, "INITIAL_NAMESPACE", mark.stat().st_ino + 1)
    assert not pidspace.counts_as_the_driver()
    assert not Nvml()._local_pids


def test_where_it_cannot_be_read_no_name_is_guessed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pidspace, "NAMESPACE", tmp_path / "absent")
    monkeypatch.setattr(pidspace.sys, "platform", "linux")
    assert not pidspace.counts_as_the_driver()
    monkeypatch.setattr(pidspace.sys, "platform", "win32")
    assert pidspace.counts_as_the_driver()
