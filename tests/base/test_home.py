"""A home that nobody but us reads out of a path."""

from pathlib import Path

import pytest

from autotune.base.home import from_home


def test_the_home_stands_where_a_tilde_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert from_home("~") == tmp_path
    assert from_home(Path("~", "runs", "a")) == tmp_path / "runs" / "a"
    for path in ("runs/~a", "a", "", ".", "/"):
        assert from_home(path) == Path(path)


@pytest.mark.parametrize("path", ["~nobodys-chats.jsonl", "~nobodys/chats.jsonl"])
def test_a_name_of_no_user_is_a_name(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert from_home(path) == Path(path)
    # As Windows answers, which knows of no other users.
    monkeypatch.setattr(Path, "expanduser", lambda first: tmp_path / first.name.lstrip("~"))
    assert from_home(path) == Path(path)
    (tmp_path / "colleague").mkdir()
    assert from_home("~colleague/chats.jsonl") == tmp_path / "colleague" / "chats.jsonl"


def test_where_nobody_knows_a_home_a_tilde_is_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", unknown)
    assert from_home("~/runs") == Path("~/runs")
