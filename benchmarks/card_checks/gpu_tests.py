"""`pytest -m gpu`, counted while it runs: what was passed stands there even if the time ends."""

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmarks.card_checks.asked import Answer, Ask, Figures

ROOT = Path(__file__).resolve().parents[2]
_VERDICT = re.compile(r"^(?P<test>tests/\S.*?) (?P<verdict>PASSED|FAILED|SKIPPED|ERROR)\b")
_NOT_READ = re.compile(r"^ERROR (?P<file>tests/[^\s:]+\.py)(?: - .*)?$")


def check(ask: Ask, figures: Figures) -> Answer:
    """Passed where some test passed, none failed, and every file that holds one could be read."""
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-v", "-p", "no:cacheprovider"]
    # Warnings of other versions than the pinned ones are no failures of the card; a file that needs
    # a package for development, which is not here, does not keep the others from their turn.
    command += ["-W", "default", "--continue-on-collection-errors"]
    command += ["--basetemp", str(ask.folder / "pytest")]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, encoding="utf-8", errors="replace"
    )
    assert process.stdout is not None
    count(process.stdout, figures)
    figures["exit_code"] = process.wait()
    return judged(ask, figures)


def count(lines: Iterable[str], figures: Figures) -> None:
    """Count verdicts, and name what was not passed and what could not be read."""
    counts: dict[str, int] = {}
    for line in lines:
        print(line, end="", flush=True)
        if (unread := _NOT_READ.match(line.rstrip())) is not None:
            figures.add("not_read", unread["file"])
        if (found := _VERDICT.match(line)) is None:
            continue
        verdict = found["verdict"].lower()
        counts[verdict] = counts.get(verdict, 0) + 1
        figures["counts"] = counts
        if verdict in ("failed", "error"):
            figures.add("not_passed", found["test"])


def judged(ask: Ask, figures: Figures) -> Answer:
    """The counts; a file that could not be read matters where it holds a test for a card."""
    counts = figures.found.get("counts", {})
    unread = [
        name
        for name in figures.found.get("not_read", [])
        if "mark.gpu" in (ROOT / name).read_text(encoding="utf-8")
    ]
    line = ", ".join(f"{number} {verdict}" for verdict, number in counts.items()) or "no test ran"
    line += f"; could not be read: {', '.join(unread)}" if unread else ""
    clean = not unread and not figures.found.get("not_passed")
    if not ask.on_card:
        return Answer(None if clean and counts else False, line)
    return Answer(clean and counts.get("passed", 0) > 0, line)
