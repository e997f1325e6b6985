"""Makes the screens of docs/screens.md again: each block below a mark is what its command shows.

    python benchmarks/screens.py [--run RUN-DIR] [--only NAME ...] [--page docs/screens.md]

Everything is of the toy model: a demo run (unless `--run` names one that is there), the live screen
drawn from its record at some moments and widths, and what other commands print. The page's text is
written by hand; a block stands below a line `<!-- screen: NAME -->`. Takes some minutes.
"""

import argparse
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from rich.console import Console

from autotune.cli.doctor import ending, lines_of
from autotune.cli.options import Options
from autotune.cli.word_wrap import wrapped
from autotune.doctor.examine import examine
from autotune.doctor.finding import Finding
from autotune.doctor.machine import Machine
from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.run.record_file import RecordFile
from autotune.run.state import StudyState
from autotune.screen import DeviceSample, LiveView
from autotune.screen.encodable import Encodable
from autotune.screen.summary import probe_summary

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from tests.doctor.machines import SHOWN, on_card  # noqa: E402

WRONG = ("--model", "./none", "--data", "gone.jsonl", "--target", "25")
"""Typed to `init`, three faults."""

OF_A_CARD = {"card", "torch", "attention", "memory", "precision", "spilling", "clock", "power"}
"""What `doctor` looks at that is another on each made-up machine."""
MARK = re.compile(r"(<!-- screen: ([a-z0-9-]+) -->\n```\n)(.*?)(```\n)", re.DOTALL)
COLUMNS = 100
RUN = "runs/toy"


class Screens:
    """What each mark stands for, in the folder `work`, of the toy run `run`."""

    def __init__(self, work: Path, run: Path | None) -> None:
        self.work = work
        self.named = run
        self.known: list[Record] = []

    @property
    def run(self) -> Path:
        """The demo run in `work`: a copy of the one that is named, or made now."""
        found = self.work / RUN
        if not found.is_dir():
            if self.named is not None:
                shutil.copytree(self.named, found)
            else:
                self.shown("demo", "--toy", "--run-dir", RUN)
        return found

    @property
    def records(self) -> list[Record]:
        """What the run has on record."""
        self.known = self.known or list(RecordFile(self.run / "events.jsonl"))
        return self.known

    def shown(
        self, *arguments: str, columns: int = COLUMNS, code: bool = False, piped: bool = False
    ) -> str:
        """What a command prints on a terminal without colours, or into a pipe; its exit code."""
        terminal = {"TTY_COMPATIBLE": "1", "TERM": "dumb", "LINES": "60", "COLUMNS": str(columns)}
        done = subprocess.run(
            [sys.executable, "-m", "autotune", *arguments],
            cwd=self.work,
            env=os.environ | ({} if piped else terminal) | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        return done.stdout + (f"exit {done.returncode}\n" if code else "")

    def live(
        self,
        columns: int,
        until: Callable[[Record], bool],
        nth: int = 1,
        after: float = 0.0,
        lines: int = 60,
        encoding: str = "utf-8",
        running: bool = True,
    ) -> str:
        """The live screen `after` seconds from the `nth` record of a kind."""
        seen: list[Record] = []
        left = nth
        for record in self.records:
            seen.append(record)
            left -= until(record)
            if left == 0:
                break
        state = StudyState()
        file = io.TextIOWrapper(io.BytesIO(), encoding, newline="\n")
        out = Console(file=file, width=columns, height=lines, _environ={})
        peaks = [o.measurement.peak_bytes for o in self.outcomes if o.measurement]
        budget = next(r.event.budget_bytes for r in seen if isinstance(r.event, events.RunStarted))
        view = LiveView(
            out,
            lambda: seen[-1].time + after,
            lambda: state,
            lambda: DeviceSample(peaks[0] if peaks and running else None, budget),
            lambda: running,
        )
        with view:
            for record in seen:
                state.apply(record)
                view.on_record(record)
        file.seek(0)
        return file.read()

    @property
    def outcomes(self) -> Sequence[events.ProbeTried]:
        """The trials of the run's probe."""
        return [r.event.outcome for r in self.records if isinstance(r.event, events.ProbeTried)]

    def made(self) -> dict[str, Callable[[], str]]:
        """How each screen is made, by its name."""

        def is_a(kind: type) -> Callable[[Record], bool]:
            return lambda record: isinstance(record.event, kind)

        def probe_ready(record: Record) -> bool:
            return isinstance(record.event, events.ProbeTrialStarted)

        return {
            "live-probing": lambda: self.live(80, probe_ready, nth=3, after=1),
            "live-probing-40": lambda: self.live(40, probe_ready, nth=3, after=1, lines=30),
            "live-training-120": lambda: self.live(120, is_a(events.StepDone), nth=14, after=0.1),
            "live-training-80": lambda: self.live(80, is_a(events.StepDone), nth=14, after=0.1),
            "live-training-40": lambda: self.live(40, is_a(events.StepDone), nth=14, after=0.1),
            "live-scoring-80": lambda: self.live(80, is_a(events.Trained), after=9, lines=30),
            "live-scoring-40": lambda: self.live(40, is_a(events.Evaluated), nth=3, lines=34),
            "live-cp1252": lambda: self.live(
                80, is_a(events.StepDone), nth=14, after=0.1, lines=30, encoding="cp1252"
            ),
            "live-end-120": lambda: self.live(120, is_a(events.RunEnded)),
            "live-end-40": lambda: self.live(40, is_a(events.RunEnded), lines=40),
            "interrupted": lambda: (
                self.live(80, is_a(events.Trained), nth=2, lines=24, running=False).rstrip()
                + f"\n{self.standing_still()}"
            ),
            "plain": lambda: self.shown("watch", str(self.run.relative_to(self.work)), piped=True),
            "runs": self.runs,
            "probe": self.probe,
            "nothing-fits": self.nothing_fits,
            "plan": self.plan,
            "data": self.data,
            "help-40": lambda: self.shown("--help", columns=40),
            "init": lambda: self.shown("init", "--yes", *WRONG, code=True),
            "doctor": lambda: self.shown("doctor", columns=80),
            "doctor-card": lambda: self.examined(on_card()),
            "doctor-troubles": self.troubles,
        }

    def runs(self) -> str:
        """The list of a folder that holds the run, and one that is not over."""
        with tempfile.TemporaryDirectory(dir=self.work) as parent:
            self.copy(Path(parent) / "20261129-091500_toy", len(self.records))
            self.copy(Path(parent) / "20261129-100210_toy", int(len(self.records) * 0.6))
            return self.shown("runs", parent)

    def copy(self, folder: Path, count: int) -> None:
        """The run as it stood after so many of its records."""
        folder.mkdir(parents=True)
        text = "".join(record.model_dump_json() + "\n" for record in self.records[:count])
        (folder / "events.jsonl").write_text(text, encoding="utf-8", newline="\n")

    def standing_still(self) -> str:
        """The last line of `watch` for the run, were it interrupted after its second training."""
        trained = [at for at, r in enumerate(self.records) if isinstance(r.event, events.Trained)]
        self.copy(self.work / "runs" / "stopped", trained[1] + 1)
        last = self.shown("watch", "runs/stopped", piped=True).splitlines()[-1]
        return "\n".join(wrapped(last, 80)) + "\n"

    def examined(self, machine: Machine, shown: Collection[Finding] = ()) -> str:
        """What `doctor` says of a made-up machine, less what was `shown` before."""
        found = examine(machine)
        new = [f for f in found.findings if f.check in OF_A_CARD and f not in shown]
        lines = [line for each in new for line in lines_of(each, COLUMNS)]
        return "\n".join([*lines, *ending(found, Options())]) + "\n"

    def troubles(self) -> str:
        """The same of machines on which something is amiss: what differs from the good one."""
        good = examine(on_card()).findings
        parts = [f"[{name}]\n{self.examined(make(), good)}" for name, make in SHOWN.items()]
        return "\n".join(parts)

    def probe(self) -> str:
        """The closing words of the run's probe."""
        fit = next(r.event.fit for r in self.records if isinstance(r.event, events.Fitted))
        out = Console(file=io.StringIO(), width=COLUMNS, _environ={})
        out.print(Encodable(probe_summary(fit, "budget 4.00 GiB for the memory of the process")))
        assert isinstance(out.file, io.StringIO)
        return out.file.getvalue()

    def nothing_fits(self) -> str:
        """A budget below what the toy takes."""
        asked = ("--profile", "cpu-smoke", "--vram-budget", "380MiB", "--run-dir", "none")
        return self.shown("probe", *asked, code=True)

    def plan(self) -> str:
        """A plan for a card that is not here."""
        asked = ("--plan", "--model", "toy", "--data", "toy", "--model-max-length", "1024")
        return self.shown("probe", *asked, "--profile", "rtx4060-laptop-8gb")

    def data(self) -> str:
        """What the data is like."""
        asked = ("--model", "toy", "--data", "toy", "--profile", "rtx4060-laptop-8gb")
        return self.shown("inspect", *asked)


def stripped(text: str) -> str:
    """Without spaces at the ends of lines."""
    return "".join(line.rstrip() + "\n" for line in text.splitlines())


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, help="a toy run that is there")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these screens only")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "screens.md")
    asked = parser.parse_args()
    page = asked.page.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="screens-") as folder:
        screens = Screens(Path(folder), asked.run.absolute() if asked.run else None)
        made = screens.made()

        def block(found: re.Match[str]) -> str:
            head, name, before, end = found.groups()
            if asked.only and name not in asked.only:
                return head + before + end
            print(f"{name} ...", file=sys.stderr, flush=True)
            return head + stripped(made[name]()) + end

        page = MARK.sub(block, page)
    asked.page.write_text(page, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
