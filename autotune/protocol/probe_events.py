"""What a probe puts on record: each trial with what it depended on, and how it ended."""

from typing import Literal

from autotune.base.model import Boundary
from autotune.protocol.plan import TrialPoint
from autotune.protocol.results import Fit, TrialOutcome


class TrialAsked(Boundary):
    """What a trial depended on beside its point: see `kept_trials`.

    `identity` is a digest, `fresh` whether it had a process of its own, `budget_bytes` the limit.
    Where it was `doubted` whether a failure was for memory, further trials had to show it. `data`
    is a digest of what the row is of, "" for the run's own data.
    """

    identity: str
    fresh: bool
    timed_conversations: int
    budget_bytes: int
    doubted: bool = False
    data: str = ""


class ProbeTrialStarted(Boundary):
    """A trial of the probe begins: the `nth` (from 1) of at most `most` of its part of the probe.

    The parts are the search for what fits (`timed_conversations` is 0) and the timing of
    micro-batch settings. `most` is None where more are needed than were planned.
    """

    kind: Literal["probe_trial_started"] = "probe_trial_started"
    point: TrialPoint
    nth: int
    most: int | None
    timed_conversations: int = 0


class ProbeTried(Boundary):
    """One trial of the probe ended; or it was `held`: an interrupted probe had tried it before.

    `asked` is None in records of a time when it was not written.
    """

    kind: Literal["probe_tried"] = "probe_tried"
    outcome: TrialOutcome
    asked: TrialAsked | None = None
    held: bool = False


class ProbeResumed(Boundary):
    """A probe takes up an interrupted one, so many of whose trials still hold."""

    kind: Literal["probe_goes_on"] = "probe_goes_on"
    trials: int


class ProbeEnded(Boundary):
    """A probe came to its end without an answer: it is over, and the next one begins again."""

    kind: Literal["probe_ended"] = "probe_ended"
    reason: str


class Fitted(Boundary):
    """The probe's answer; `reused` says whether it comes from an earlier `fit.json`.

    `note` says of a reused one why it still holds, and of a new one why the old one did not.
    """

    kind: Literal["fitted"] = "fitted"
    fit: Fit
    reused: bool = False
    note: str = ""
