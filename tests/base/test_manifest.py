"""A sealed folder on a disk that fails for a moment, and on one that has lost something."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autotune.base.manifest import fault_of, seal

WEIGHTS = "model.safetensors"


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Has the next so many readings of the weights fail with EIO."""

    def fail(times: int) -> None:
        left = [times]
        whole = Path.open

        def read(path: Path, *given: Any, **named: Any) -> Any:
            if path.name == WEIGHTS and left[0]:
                left[0] -= 1
                raise OSError(errno.EIO, "Input/output error", str(path))
            return whole(path, *given, **named)

        monkeypatch.setattr(Path, "open", read)

    return fail


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    (tmp_path / WEIGHTS).write_bytes(b"weights" * 99)
    seal(tmp_path)
    return tmp_path


def test_a_folder_is_whole_where_its_disk_fails_once(
    sealed: Path, failing: Callable[[int], None]
) -> None:
    failing(1)
    assert fault_of(sealed) is None


def test_a_file_that_cannot_be_read_is_named(sealed: Path, failing: Callable[[int], None]) -> None:
    failing(2)
    assert fault_of(sealed) == f"{WEIGHTS} is missing or cannot be read"


def test_a_file_that_is_gone_is_named(sealed: Path) -> None:
    (sealed / WEIGHTS).unlink()
    assert fault_of(sealed) == f"{WEIGHTS} is missing or cannot be read"
