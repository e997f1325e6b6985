"""What a run came to, read from the files that it leaves, as a stranger would read them."""

import hashlib
import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tests.faults.toyrun import Place

Event = dict[str, Any]
Key = tuple[int, int, int]
"""A checkpoint: its trial's number, its step, and how many it is the average of."""

TRAINED_BY = ("strategy", "learning_rate", "seed", "model_max_length", "micro_batch_tokens")
"""What of a trial's plan is compared; its paths are those of the case."""


@dataclass(frozen=True)
class Outcome:
    """All that must be the same, whatever happened on the way."""

    trials: tuple[tuple[Any, ...], ...]
    losses: dict[tuple[int, int], float]
    scores: dict[Key, tuple[int, int]]
    baselines: dict[str, tuple[int, int]]
    escalations: tuple[tuple[str, str], ...]
    answers: dict[str, dict[int, str]]
    best: tuple[Any, ...]
    best_weights: str
    kept_weights: dict[str, str]
    optuna: tuple[tuple[Any, ...], ...]

    def differences(self, other: "Outcome") -> list[str]:
        """The parts in which two runs are not the same."""
        return [
            f"{field.name}: {left!r} instead of {right!r}"
            for field in fields(self)
            if (left := getattr(self, field.name)) != (right := getattr(other, field.name))
        ]


def record_of(place: Place) -> list[Event]:
    """The events of the record, as they stand; a torn last line is left out."""
    path = place.run / "events.jsonl"
    data = path.read_bytes() if path.exists() else b""
    return [json.loads(line)["event"] for line in data[: data.rfind(b"\n") + 1].splitlines()]


def key_of(number: int, checkpoint: Event) -> Key:
    """The name of a checkpoint here."""
    return number, int(checkpoint["step"]), int(checkpoint["averaged"])


def outcome_of(place: Place, said: str) -> Outcome:
    """Of a run that is over; `said` is the object that the command printed."""
    record = record_of(place)
    started = [event for event in record if event["kind"] == "trial_started"]
    best = json.loads(said)["best"]
    return Outcome(
        trials=tuple(tuple(event["plan"][name] for name in TRAINED_BY) for event in started),
        losses=_losses(record),
        scores={
            key_of(event["number"], event["checkpoint"]): _passes(event["prompt_strict"])
            for event in record
            if event["kind"] == "evaluated"
        },
        baselines={
            event["name"]: _passes(event["prompt_strict"])
            for event in record
            if event["kind"] == "baseline"
        },
        escalations=tuple(
            (event["previous"], event["next"]) for event in record if event["kind"] == "escalated"
        ),
        answers=answers_of(place),
        best=(best["step"], best["averaged"], best["passes"], best["n"]),
        best_weights=digest(place.run / "best" / "model.safetensors"),
        kept_weights={
            path.parent.relative_to(place.run).as_posix(): digest(path)
            for path in sorted(place.run.glob("trials/*/checkpoints/*/model.safetensors"))
        },
        optuna=tuple(sorted(study_trials(place, finished=True))),
    )


def _losses(record: list[Event]) -> dict[tuple[int, int], float]:
    """(trial, step) -> loss. Steps after the checkpoint that a worker went back to do not count."""
    found: dict[tuple[int, int], float] = {}
    trial = -1
    for event in record:
        match event["kind"]:
            case "trial_started":
                trial = event["number"]
            case "resumed":
                gone = [at for at in found if at[0] == trial and at[1] > event["step"]]
                for at in gone:
                    del found[at]
            case "step":
                found[trial, event["step"]] = event["loss"]
    return found


def _passes(metric: Event | None) -> tuple[int, int]:
    return (-1, -1) if metric is None else (metric["passes"], metric["total"])


def answers_of(place: Place) -> dict[str, dict[int, str]]:
    """Evaluation -> key of the prompt -> answer."""
    return {
        path.parent.name: {int(row["key"]): row["response"] for row in map(json.loads, lines)}
        for path in sorted(place.run.glob("eval/*/responses.jsonl"))
        if (lines := path.read_text(encoding="utf-8").splitlines())
    }


def study_trials(place: Place, *, finished: bool) -> list[tuple[Any, ...]]:
    """Study, state and value of the trials in Optuna's database, in no order; [] without one.

    With `finished` those that were begun and never recorded are left out.
    """
    path = place.run / "study.db"
    if not path.exists():
        return []
    query = (
        "select s.study_name, t.state, v.value from trials t join studies s using (study_id)"
        " left join trial_values v using (trial_id)"
    )
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
        rows = database.execute(query).fetchall()
    return [row for row in rows if not finished or row[1] == "COMPLETE"]


def digest(path: Path) -> str:
    """The sha256 of a file, "" where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
