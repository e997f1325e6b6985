"""The commit of a checkout is read from git's own files, wherever git keeps them."""

from pathlib import Path

import pytest

from autotune.base.checkout import commit_of
from autotune.run import machine

NAME = "9f0a28b1c2d3" + "0" * 28


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def loose(root: Path) -> None:
    written(root / ".git/HEAD", "ref: refs/heads/main")
    written(root / ".git/refs/heads/main", NAME)


def packed(root: Path) -> None:
    written(root / ".git/HEAD", "ref: refs/heads/main")
    written(
        root / ".git/packed-refs", f"# pack-refs\n{'1' * 40} refs/tags/main\n{NAME} refs/heads/main"
    )


def detached(root: Path) -> None:
    written(root / ".git/HEAD", NAME)


def worktree(root: Path) -> None:
    own = root.parent / "main/.git/worktrees/here"
    written(root / ".git", f"gitdir: {own}")
    written(own / "HEAD", "ref: refs/heads/branch")
    written(own / "commondir", "../..")
    written(root.parent / "main/.git/refs/heads/branch", NAME)


@pytest.mark.parametrize("kept", [loose, packed, detached, worktree])
def test_the_commit_is_found_without_git(tmp_path: Path, kept: object) -> None:
    assert callable(kept)
    kept(tmp_path / "clone")
    assert commit_of(tmp_path / "clone") == "9f0a28b1c2d3"


def test_what_is_no_checkout_or_has_no_commit_yet_has_none(tmp_path: Path) -> None:
    assert commit_of(tmp_path) is None
    written(tmp_path / "new/.git/HEAD", "ref: refs/heads/main")
    assert commit_of(tmp_path / "new") is None
    written(tmp_path / "odd/.git/HEAD", "what is this")
    assert commit_of(tmp_path / "odd") is None


def test_the_tool_names_its_commit_where_it_runs_from_a_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loose(tmp_path)
    monkeypatch.setattr(machine, "__file__", str(tmp_path / "autotune" / "run" / "machine.py"))
    assert "commit" not in machine.program_version(), "a folder that is not the tool's source"
    written(tmp_path / "pyproject.toml", "")
    assert machine.program_version().endswith(" (commit 9f0a28b1c2d3)")
