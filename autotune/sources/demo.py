"""The demo's conversations and prompts: composed once by this version of the tool, then kept."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from autotune.sources.cache import cache_folder

DEMO_CONVERSATIONS = 600
DEMO_PROMPTS = 48
"""Rates in steps of two points, answered in a minute."""
DEMO_SEED = 0

_COMPOSERS = ("democorpus", "evaluate")
"""Packages of the tool that decide what is composed and which answers are kept."""


def demo_data() -> Path:
    """The file of demo conversations in the cache; composing it takes some seconds."""
    from autotune.democorpus import write_demo_data

    return _kept(
        f"conversations-{DEMO_CONVERSATIONS}",
        lambda path: write_demo_data(path, seed=DEMO_SEED, count=DEMO_CONVERSATIONS),
    )


def demo_prompts() -> Path:
    """The file of demo prompts in the cache; none of their topics is in the conversations."""
    from autotune.democorpus import write_demo_prompts

    return _kept(
        f"prompts-{DEMO_PROMPTS}",
        lambda path: write_demo_prompts(path, seed=DEMO_SEED, count=DEMO_PROMPTS),
    )


def composed_prompts() -> Path | None:
    """The file of demo prompts where it has been composed already."""
    path = _place(f"prompts-{DEMO_PROMPTS}")
    return path if path.is_file() else None


def _place(name: str) -> Path:
    return cache_folder() / "demo" / f"{name}-{_fingerprint()}.jsonl"


def _kept(name: str, write: Callable[[Path], None]) -> Path:
    path = _place(name)
    if not path.is_file():  # files are written whole, so one that is there is complete
        write(path)
    return path


def _fingerprint() -> str:
    """Hash of the composing code and its texts: after an update the cache composes anew."""
    package = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for folder in _COMPOSERS:
        for path in sorted((package / folder).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                digest.update(path.relative_to(package).as_posix().encode("utf-8") + b"\0")
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
