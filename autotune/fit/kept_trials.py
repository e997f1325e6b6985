"""Trials of a probe that was interrupted, and which of them still say what a new one would.

A trial's record carries what it depended on beside its point. Where all of that is as it was, the
trial is not repeated, and the search comes to the same answer by the same way.
"""

import hashlib
import json
from dataclasses import dataclass, field
from importlib import metadata

from autotune.device.budget import Budget
from autotune.fit.verdict import FOR_MEMORY
from autotune.protocol import events
from autotune.protocol.events import ProbeEnded, ProbeTried, TrialAsked
from autotune.protocol.plan import TrialPoint
from autotune.protocol.results import TrialOutcome, Verdict
from autotune.run.session import Session
from autotune.run.setup import Setup

PROGRAM = "smolsft-autotune"

REPEATABLE_VERDICTS = FOR_MEMORY | {Verdict.FITS, Verdict.NUMERIC}
"""Verdicts that a trial of the same work gets again. A crash or a hang says nothing of the next."""


@dataclass
class HeldTrials:
    """Trials that hold, each of them good for one question of the search."""

    tried: list[ProbeTried] = field(default_factory=list)

    def take(self, point: TrialPoint, asked: TrialAsked) -> TrialOutcome | None:
        """The outcome of a trial of exactly this question; None where there is none.

        A trial that was the first of its process answers for one in a process that was used, where
        there is no other, but not the other way round. A spill counts only where it came in a fresh
        process.
        """
        same = [
            event
            for event in self.tried
            if event.outcome.point == point
            and event.asked is not None
            and event.asked.timed_conversations == asked.timed_conversations
            and event.asked.data == asked.data
            and event.asked.fresh >= (asked.fresh or event.outcome.verdict is Verdict.SPILLED)
        ]
        exact = [e for e in same if e.asked is not None and e.asked.fresh == asked.fresh]
        found = (exact or same)[-1:]
        for event in found:
            self.tried.remove(event)
        return found[0].outcome if found else None


def identity(setup: Setup) -> str:
    """A digest of all that a trial depends on beside its point, its process and its budget."""
    try:
        version = metadata.version(PROGRAM)
    except metadata.PackageNotFoundError:
        version = "source tree"
    depends = {
        "fingerprint": setup.fingerprint,
        "version": version,
        "evaluation": [setup.evaluation_rows, setup.evaluation_context, setup.prefill_tokens],
        "attention": setup.attention.value,
        "positions": setup.max_position_embeddings,
    }
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode("utf-8")).hexdigest()[:16]


def asked_now(
    setup: Setup, strategy: str, *, fresh: bool, timed_conversations: int, doubted: bool = False
) -> TrialAsked:
    """What a trial of this setup depends on, on the data of a strategy, for its record."""
    own = setup.own_data.get(strategy)
    return TrialAsked(
        identity=identity(setup),
        fresh=fresh,
        timed_conversations=timed_conversations,
        budget_bytes=setup.budget.limit_bytes,
        doubted=doubted,
        data=own.digest if own else "",
    )


def held_trials(session: Session, setup: Setup) -> HeldTrials:
    """Those of the probe that earlier starts of this run left unfinished, if they left one."""
    before: list[ProbeTried] = []
    since: list[ProbeTried] = []
    for record in session.history.without_steps:
        match record.event:
            case events.RunStarted():
                before, since = before + since, []
            case events.Fitted() | ProbeEnded():
                before, since = [], []
            case ProbeTried(held=False) as event:
                since.append(event)
            case _:
                pass
    now = identity(setup)
    return HeldTrials([event for event in before if _holds(event, now, setup.budget)])


def _holds(event: ProbeTried, now: str, budget: Budget) -> bool:
    """Whether a trial would end the same way with the budget of now.

    What `auto` comes to differs from minute to minute: what peaked within both budgets fits, and
    what was too big for one is too big for a smaller one.
    """
    asked, outcome = event.asked, event.outcome
    if asked is None or asked.identity != now or outcome.verdict not in REPEATABLE_VERDICTS:
        return False
    if asked.doubted:  # nobody may have come to ask what it was
        return False
    if outcome.verdict in FOR_MEMORY:
        return budget.limit_bytes <= asked.budget_bytes
    measured = outcome.measurement
    return measured is None or budget.holds(measured.peak_bytes)
