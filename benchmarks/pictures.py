"""Makes the pictures of README.md from a real run: the live screen at a step, the report's head.

    python benchmarks/pictures.py RUN-DIR [--step 200] [--out docs/pictures]

The screen is drawn from the record as it stood when that step was reported, 110 columns wide, as an
SVG; the report is rendered by headless Chromium, 1280 pixels wide, where one is installed.
"""

import argparse
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from rich.console import Console

from autotune.protocol import events
from autotune.run.record_file import RecordFile
from autotune.run.state import StudyState
from autotune.screen import DeviceSample
from autotune.screen.live import draw
from autotune.screen.time_left import Pace

COLUMNS, LINES = 110, 48
WIDTH, HEIGHT = 1280, 1130


def live_screen(run: Path, step: int, out: Path) -> None:
    """The live screen as it stood at a step of the first training."""
    records = []
    for record in RecordFile(run / "events.jsonl"):
        records.append(record)
        if isinstance(record.event, events.StepDone) and record.event.step >= step:
            break
    state = StudyState()
    for record in records:
        state.apply(record)
    with tempfile.TemporaryFile("w", encoding="utf-8") as nowhere:
        console = Console(
            file=nowhere, record=True, width=COLUMNS, height=LINES, force_terminal=True
        )
        now, last = records[-1].time, records[-1].event
        used = last.memory_bytes if isinstance(last, events.StepDone) else None
        console.print(
            draw(state, DeviceSample(used, state.run.budget_bytes if state.run else 0), Pace(), now)
        )
        svg = console.export_svg(title="smolsft-autotune run")
        # Rich has a reader fetch its font; what shows the picture has one of its own.
        svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
        out.write_text(svg.replace("Fira Code, monospace", "monospace"), encoding="utf-8")


def report_head(run: Path, out: Path) -> None:
    """The first screenful of the report, where there is a Chromium."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print("no chromium here: the picture of the report stays as it is")
        return
    with tempfile.TemporaryDirectory() as profile:
        flags = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run")
        quiet = ("--disable-background-networking", "--hide-scrollbars")
        subprocess.run(
            [
                *(browser, *flags, *quiet, f"--user-data-dir={profile}"),
                *(f"--screenshot={out}", f"--window-size={WIDTH},{HEIGHT}"),
                (run / "report.html").absolute().as_uri(),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )


def main() -> None:
    """Make both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--step", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    live_screen(asked.run, asked.step, asked.out / "run.svg")
    report_head(asked.run, asked.out.absolute() / "report.png")


if __name__ == "__main__":
    main()
