"""Whether the driver's process ids are ours: not inside a container."""

from pathlib import Path

import pytest

from autotune.device import pid_space
from autotune.device.nvml import Nvml


def test_only_the_first_namespace_of_linux_counts_as_the_driver(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mark = tmp_path / "pid"
    mark.touch()
    monkeypatch.setattr(pid_space.sys, "platform", "linux")
    monkeypatch.setattr(pid_space, "NAMESPACE", mark)
    monkeypatch.setattr(pid_space, "INITIAL_NAMESPACE", mark.stat().st_ino)
    assert pid_space.counts_as_the_driver()
    monkeypatch.setattr(pid_space, "INITIAL_NAMESPACE", mark.stat().st_ino + 1)
    assert not pid_space.counts_as_the_driver()
    assert not Nvml()._local_pids


def test_where_it_cannot_be_read_no_name_is_guessed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pid_space, "NAMESPACE", tmp_path / "absent")
    monkeypatch.setattr(pid_space.sys, "platform", "linux")
    assert not pid_space.counts_as_the_driver()
    monkeypatch.setattr(pid_space.sys, "platform", "win32")
    assert pid_space.counts_as_the_driver()
