"""`pytest -m gpu`, counted while it runs: what was passed stands there even if the time ends."""

import re
import subprocess
import sys
from pathlib import Path

from benchmarks.card_checks.asked import Answer, Ask, Figures

ROOT = Path(__file__).resolve().parents[2]
_VERDICT = re.compile(r"^(?P<test>tests/\S.*?) (?P<verdict>PASSED|FAILED|SKIPPED|ERROR|XFAIL)\b")


def check(ask: Ask, figures: Figures) -> Answer:
    """Passed where some test passed and none failed."""
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-v", "-p", "no:cacheprovider"]
    # Warnings of other versions than the pinned ones are no failures of the card.
    command += [
        "-W",
        "default",
        "--continue-on-collection-errors",
        "--basetemp",
        str(ask.folder / "pytest"),
    ]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, encoding="utf-8", errors="replace"
    )
    counts: dict[str, int] = {}
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="", flush=True)
        if (found := _VERDICT.match(line)) is None:
            continue
        verdict = found["verdict"].lower()
        counts[verdict] = counts.get(verdict, 0) + 1
        figures["counts"] = counts
        if verdict in ("failed", "error"):
            figures.add("not_passed", found["test"])
    figures["exit_code"] = process.wait()
    line = ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) or "no test was run"
    if not ask.on_card:
        return Answer(None if figures["exit_code"] in (0, 5) else False, line)
    return Answer(figures["exit_code"] == 0 and counts.get("passed", 0) > 0, line)
