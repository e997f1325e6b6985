"""What must hold of a run that was disturbed: each breach is a sentence."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from autotune.base.manifest import entries_of, verified
from tests.faults.outcome import Event, digest, key_of, outcome_of, record_of, study_trials
from tests.faults.outcome import Outcome as Outcome
from tests.faults.toyrun import Ended, Place

BELOW_TARGET, ENVIRONMENT = 1, 4
"""Of README's table of exit codes: how the undisturbed run ends, and a disk that is in the way."""

CAUSES = {
    "ENOSPC": ("no space left on device", "disk is full", "disk full"),
    "EIO": ("input/output error", "disk i/o error", "i/o error"),
}
"""How the cause may be called in the line that a person reads: by the system, or by SQLite."""

LEFTOVERS = ("*.tmp", ".gone-*", "*-journal", "lock.txt")
"""Names of what is only there while something is being written."""


@dataclass
class Kept:
    """What was finished when a command was cut off; none of it may be lost or done again."""

    lines: dict[str, list[bytes]] = field(default_factory=dict)
    events: list[bytes] = field(default_factory=list)

    @classmethod
    def of(cls, place: Place) -> "Kept":
        """Whole lines of the answers, and of the record, as they are now."""
        answers = place.run.glob("eval/*/responses.jsonl")
        lines = {path.parent.name: _whole(path.read_bytes()) for path in answers}
        record = place.run / "events.jsonl"
        return cls(lines, _whole(record.read_bytes()) if record.exists() else [])

    def lost(self, place: Place) -> Iterator[str]:
        """What is not there any more, or not as it was."""
        now = Kept.of(place)
        if now.events[: len(self.events)] != self.events:
            yield "records that were whole are gone or changed"
        for name, lines in self.lines.items():
            if now.lines.get(name, [])[: len(lines)] != lines:
                yield f"answers of {name} that were whole are gone or changed"


def _whole(data: bytes) -> list[bytes]:
    return data[: data.rfind(b"\n") + 1].splitlines()


def wrong_end(ended: Ended, kind: str) -> Iterator[str]:
    """What is wrong with how a command ended that met an error of this kind, and was not killed."""
    if ended.code == BELOW_TARGET:
        return  # it went on in spite of it, and its result is looked at
    if ended.code != ENVIRONMENT:
        yield f"exit {ended.code} after {kind}: {ended.last_line!r}"
    elif not any(words in ended.last_line.lower() for words in CAUSES[kind]):
        yield f"the last line does not name the cause, {kind}: {ended.last_line!r}"
    if "Traceback" in ended.human:
        yield "a traceback is shown"


def wrong_end_after_kill(ended: Ended) -> Iterator[str]:
    """The same where a worker was killed: another one goes on, or the line says who did that."""
    if ended.code == ENVIRONMENT and "killed from outside" in ended.last_line:
        return
    if ended.code != BELOW_TARGET:
        yield f"exit {ended.code} after a worker was killed: {ended.last_line!r}"


def breaches(place: Place, ended: Ended, undisturbed: Outcome | None) -> Iterator[str]:
    """What does not hold of a run that is over."""
    try:
        yield from _breaches(place, ended, undisturbed)
    except (OSError, ValueError, KeyError, sqlite3.Error) as error:
        yield f"what it leaves cannot be read: {error!r}"


def _breaches(place: Place, ended: Ended, undisturbed: Outcome | None) -> Iterator[str]:
    if ended.code != BELOW_TARGET:
        yield f"exit {ended.code} at the end: {ended.last_line!r}"
        return
    found = outcome_of(place, ended.said)
    if undisturbed is not None:
        yield from found.differences(undisturbed)
    record = record_of(place)
    yield from _repeated(record)
    yield from _study(place)
    yield from _best(place, record)
    yield from _report(place, ended, record)
    yield from _leftovers(place)


def _repeated(record: list[Event]) -> Iterator[str]:
    """Whatever is finished on record is not done again."""
    once = Counter(
        (event["kind"], event.get("number"), event.get("name"), event.get("previous"))
        for event in record
        if event["kind"] in ("trial_started", "trial_ended", "baseline", "escalated", "surveyed")
    )
    once.update(
        ("evaluated", *key_of(event["number"], event["checkpoint"]))
        for event in record
        if event["kind"] == "evaluated" and not event.get("partial")
    )
    once.update(
        ("probe_tried", json.dumps(event["outcome"]["point"], sort_keys=True))
        for event in record
        if event["kind"] == "probe_tried"
        and event["outcome"]["verdict"] == "FITS"
        and not event["held"]  # one of before, told again and not made again
    )
    yield from (f"{what} stands {count} times" for what, count in once.items() if count > 1)
    if record[-1]["kind"] != "run_ended":
        yield f"the record ends with {record[-1]['kind']}"
    saved, trial = 0, -1
    for event in record:
        match event["kind"]:
            case "trial_started":
                saved, trial = 0, event["number"]
            case "checkpoint" if not event["checkpoint"]["averaged"]:
                saved = max(saved, event["checkpoint"]["step"])
            case "resumed" if event["step"] < saved:
                yield f"trial {trial} went back to step {event['step']}, {saved} was saved"
            case "step" if event["step"] <= saved:
                yield f"trial {trial} trained step {event['step']} again, {saved} was saved"


def _study(place: Place) -> Iterator[str]:
    rows = study_trials(place, finished=False)
    yield from (f"study.db holds {row}" for row in rows if row[1] in ("RUNNING", "WAITING"))
    with closing(sqlite3.connect(place.run / "study.db")) as database:
        (sound,) = database.execute("pragma integrity_check").fetchone()
    if sound != "ok":
        yield f"study.db: {sound}"


def _best(place: Place, record: list[Event]) -> Iterator[str]:
    """`best/` is the first of the best that has weights, and holds those."""
    lost = {key_of(e["number"], e["checkpoint"]) for e in record if e["kind"] == "best_lost"}
    removed = {
        (e["number"], name)
        for e in record
        if e["kind"] == "checkpoints_removed"
        for name in e["names"]
    }
    scored = [
        e
        for e in record
        if e["kind"] == "evaluated"
        and e["prompt_strict"] is not None
        and key_of(e["number"], e["checkpoint"]) not in lost
        and (e["number"], Path(e["checkpoint"]["folder"]).name) not in removed
    ]
    top = max(scored, key=lambda e: e["counts"] - bool(e["unmet"]))
    _, step, averaged = key_of(top["number"], top["checkpoint"])
    name = f"average-{averaged}" if averaged else f"step-{step:06d}"
    folder = place.run / "trials" / f"{top['number']:04d}" / "checkpoints" / name
    best = place.run / "best"
    if not verified(folder):
        yield f"the best checkpoint, {folder.name}, does not verify"
    if entries_of(best) is not None and not verified(best):
        yield "best/ does not verify"
    if digest(best / "model.safetensors") != digest(folder / "model.safetensors"):
        yield f"best/ does not hold the weights of {folder.name} of trial {top['number']}"
    for other in place.run.glob("trials/*/checkpoints/*"):
        if not verified(other):
            yield f"{other.relative_to(place.run)} is kept and does not verify"


def _report(place: Place, ended: Ended, record: list[Event]) -> Iterator[str]:
    """The report's file is that of the record's end; its paths are from the run's folder."""
    report = json.loads((place.run / "report.json").read_text(encoding="utf-8"))
    said = json.loads(ended.said.replace(f'"{place.run.name}/', '"'))
    # The best was not chosen among those whose weights are lost.
    lost = {_checkpoint_of(event) for event in record if event["kind"] == "best_lost"}
    scored = (_checkpoint_of(event) for event in record if event["kind"] == "evaluated")
    scores = sum(checkpoint not in lost for checkpoint in scored)
    for name in ("met", "status", "best", "baselines", "trials"):
        if name in said and report.get(name, said[name]) != said[name]:
            yield f"report.json and --json differ in {name}"
    if said["chosen_among"] != scores:
        yield f"the report counts {said['chosen_among']} scored checkpoints, the record {scores}"


def _checkpoint_of(event: Event) -> tuple[int, int, int]:
    checkpoint = event["checkpoint"]
    return event["number"], checkpoint["step"], checkpoint.get("averaged", 0)


def _leftovers(place: Place) -> Iterator[str]:
    for root in (place.run, place.root / "cache"):
        for pattern in LEFTOVERS:
            for path in root.rglob(pattern):
                yield f"left behind: {path.relative_to(place.root)}"
