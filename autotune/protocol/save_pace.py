"""When a training saves what it can be resumed from: often, but for a small share of its time."""

ASSUMED_BYTES_PER_SECOND = 200e6
"""What a save is expected to write before one was measured: 1.6 GB took 6.3 s on two quiet cores,
most of it for the sha256, and three times that on busy ones (docs/LOG.md)."""

MOST_UNSAVED_SECONDS = 1200.0
"""After so long it is saved whatever it costs. A save of 24 s or less then still takes no more than
2 % of the time; where a disk is slower, work is dearer than time."""


class SavePace:
    """Of one training in one process; all times in seconds of the same clock."""

    def __init__(self, now: float, *, every: float, share: float, expected_bytes: int) -> None:
        """It saves no sooner than `every` seconds after the save before, for a `share` of the time.

        `share` is 0..1 of the time since `now`, of which what was spent on checkpoints to score is
        a part; with 1 only `every` counts. `expected_bytes` are those of a whole checkpoint.
        """
        self._began = self._last = now
        self._every = every
        self._share = share
        self._cost = expected_bytes / ASSUMED_BYTES_PER_SECOND
        self.spent = 0.0

    def affords(self, now: float) -> bool:
        """Whether there is time for what the training can be resumed from, beside the weights."""
        if self._share >= 1 or now - self._last >= MOST_UNSAVED_SECONDS:
            return True
        return self.spent + self._cost <= self._share * (now - self._began)

    def is_due(self, now: float) -> bool:
        """Whether to save after this step, which has no checkpoint to score."""
        return now - self._last >= self._every and self.affords(now)

    def saved(self, began: float, now: float, *, resumable: bool) -> None:
        """A save took from `began` to `now`."""
        self.spent += now - began
        if resumable:
            self._cost, self._last = now - began, now
