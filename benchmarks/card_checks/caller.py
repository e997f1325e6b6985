"""Asks steps one after another, each in a process of its own, within the time of their part."""

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.card_checks.asked import Ask, Outcome
from benchmarks.card_checks.missing import last_line
from benchmarks.card_checks.processes import TimeIsUp, run_limited
from benchmarks.card_checks.record import Record
from benchmarks.card_checks.steps import PART_MINUTES, PREPARE_SECONDS, Step

ROOT = Path(__file__).resolve().parents[2]

LEAST_SECONDS = 60.0
"""To make what the steps work on, however short the part: without it there is no step."""

TOO_SHORT = 0.25
"""Less than this share of a step's time is no try: it stays open for a later call."""


class Caller:
    """Asks steps, each in a process of its own, within the time of their part."""

    def __init__(
        self,
        asked: argparse.Namespace,
        record: Record,
        work: Path,
        site: Path,
        command: Sequence[str] = (sys.executable, str(ROOT / "benchmarks" / "card.py")),
    ) -> None:
        """`command` is what does a step: it is followed by `--step NAME ASK` and the sources."""
        self.asked = asked
        self.command = command
        self.record = record
        self.work = work
        self.scale = asked.minutes / PART_MINUTES
        path = [str(site), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.environ = os.environ | {
            "PYTHONPATH": os.pathsep.join(path),
            "PYTHONUTF8": "1",
            # The person's own cache is neither needed nor touched.
            "SMOLSFT_CACHE": str(work / "cache"),
            "HF_HUB_OFFLINE": "1",
            # As for workers: a step that asks torch itself counts cards as `--device cuda:N` does.
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        }
        self.given: dict[str, str] = {}

    def do_part(self, chosen: Sequence[Step]) -> bool:
        """Ask what is open of one part, for as long as its time lasts.

        Returns:
            Whether there is a machine to ask: a card, and what the steps work on.
        """
        part = self.record.open_steps(chosen, again=self.asked.again)
        if not part:
            return True
        end = time.monotonic() + self.asked.minutes * 60
        tree = self.asked_of("inputs", max(LEAST_SECONDS, 2 * PREPARE_SECONDS * self.scale))
        if tree["outcome"] != Outcome.PASSED:
            print(tree["line"], file=sys.stderr)
            return False
        self.given = tree["figures"].pop("given")
        self.record.describe(rehearsal=self.asked.rehearse, **tree["figures"])
        for at, step in enumerate(part):
            later = sum(s.seconds for s in part[at + 1 :]) * self.scale
            own = step.seconds * self.scale
            left = end - time.monotonic()
            # What earlier steps did not use is this one's, the later ones' shares are not.
            limit = min(left, max(own, left - later))
            if limit < TOO_SHORT * own:
                print(f"{step.name}: no time left; the same command goes on", file=sys.stderr)
                continue
            begin = time.monotonic()
            try:
                tree = self.asked_of(step.name, limit)
            except KeyboardInterrupt:
                ended = {"outcome": Outcome.INTERRUPTED, "line": "interrupted"}
                tree = self.result(step.name) | ended
                self.record.keep(step, tree, time.monotonic() - begin, limit)
                raise
            seconds = time.monotonic() - begin
            self.record.keep(step, tree, seconds, limit)
            print(
                f"{tree['outcome']:10}  {step.name:15} {seconds:5.0f} s  {tree.get('line', '')}",
                flush=True,
            )
        return True

    def asked_of(self, name: str, seconds: float) -> dict[str, Any]:
        """One step's end, whatever becomes of its process."""
        folder = self.work / "steps" / name
        result = folder / "result.json"
        result.unlink(missing_ok=True)
        ask = Ask(
            rehearse=self.asked.rehearse,
            device="cpu" if self.asked.rehearse else self.asked.device,
            seconds=seconds,
            work=str(self.work),
            again=self.asked.again,
            **(
                {"model": "", "weights": "", "data": self.asked.data, "prompts": self.asked.prompts}
                | self.given
            ),
        )
        ask.write(folder / "ask.json")
        command = [*self.command, "--step", name, str(folder / "ask.json")]
        for option in ("pack", "model"):
            if (value := getattr(self.asked, option)) is not None:
                command += [f"--{option}", str(value)]
        log = folder / "log.txt"
        log.unlink(missing_ok=True)
        try:
            code = run_limited(
                command, seconds=seconds, log=log, cwd=ROOT, environ=dict(self.environ)
            )
        except TimeIsUp:
            ended = {"outcome": Outcome.TIMED_OUT, "line": f"not at its end after {seconds:.0f} s"}
            return self.result(name) | ended
        tree = self.result(name)
        if "outcome" not in tree:
            why = last_line(log.read_text(encoding="utf-8", errors="replace"))
            tree |= {"outcome": Outcome.CRASHED, "line": f"exit code {code}: {why}"}
        return tree

    def result(self, name: str) -> dict[str, Any]:
        """What a step has written so far."""
        path = self.work / "steps" / name / "result.json"
        with contextlib.suppress(OSError):
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return found
        return {"figures": {}}
