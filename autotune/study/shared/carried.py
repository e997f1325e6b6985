"""What a trial carries in the shared study, and how it is read there by the others.

Everything that the choice of the next trial, the report and the comparison of checkpoints need: no
file of another host is ever read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autotune.run.folder import RunDir
from autotune.run.trial_state import TrialState
from autotune.run.trial_summary import Outcome, TrialSummary, summary_of
from autotune.score.prompts import Prompt
from autotune.score.stopping.stop_rule import read_verdicts
from autotune.study.shared.verdicts import pack

HOST, CARD, RUN, LOCAL = "host", "card", "run_folder", "local_number"
"""Attributes: who works at a trial, and which of its run's trials it is there."""

SECONDS_AN_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Worker:
    """Who works at trials: a card of a host, with a run folder of its own."""

    host: str
    card: str
    run_folder: str

    @property
    def attributes(self) -> dict[str, str]:
        """As a trial carries them."""
        return {HOST: self.host, CARD: self.card, RUN: self.run_folder}

    def works_at(self, trial: Any) -> bool:
        """Whether one of Optuna's trials is this worker's."""
        found = trial.user_attrs
        return {name: found.get(name) for name in self.attributes} == self.attributes


def carried_by(
    trial: TrialState, rundir: RunDir, order: Sequence[Prompt], now: float
) -> dict[str, Any]:
    """The attributes of a recorded trial: its figures, where its best lies, all its verdicts.

    `order` is the run's random order of its prompts, `now` in seconds since the epoch.
    """
    found = dict(summary_of(trial).attributes)
    best = trial.best
    if best is not None:
        path = rundir.checkpoint(trial.number, best.checkpoint)
        found |= {
            "checkpoint": str(path.absolute()),
            "lacks": list(best.lacks),
            "met": best.met,
        }
    verdicts = {
        e.checkpoint.name: pack(order, strict)
        for e in trial.evaluations.values()
        if (strict := read_verdicts(rundir.checkpoint_eval(trial.number, e.checkpoint)))
    }
    return found | {
        LOCAL: trial.number,
        "hours": round(trial.clock.worked_seconds(now) / SECONDS_AN_HOUR, 4),
        "verdicts": verdicts,
    }


def shared_summary(trial: Any) -> TrialSummary:
    """One of Optuna's trials as the choice of the next one sees it.

    One that waits, since its worker died, counts as running: somebody will be at it.
    """
    attributes: Mapping[str, Any] = trial.user_attrs
    passes, n = attributes.get("passes"), attributes.get("n")
    outcome: Outcome = "RUNNING" if trial.state.name == "WAITING" else trial.state.name
    return TrialSummary(
        number=trial.number,
        stage=attributes.get("strategy", ""),
        point=trial.params,
        outcome=outcome,
        value=trial.value if outcome != "FAIL" else None,
        met=outcome == "COMPLETE" and attributes.get("met") is True,
        score=passes / n if passes is not None and n else None,
        counts=attributes.get("counts"),
        lacks=tuple(attributes.get("lacks", ())),
        reports=dict(trial.intermediate_values),
        attributes=attributes,
    )
