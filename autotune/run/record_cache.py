"""Records that a command has read: none of them twice while it stays as it was.

A record of 200 000 steps takes two seconds to read, and a command asks it several things: whether a
run can be resumed, what its best is, what it has come to.
"""

from pathlib import Path

from autotune.run.folder import RunDir
from autotune.run.history import RunHistory, history_of
from autotune.run.record_file import Stamp


class RecordCache:
    """What the records of runs say, by folder."""

    def __init__(self) -> None:
        self._read: dict[Path, tuple[Stamp | None, RunHistory]] = {}

    def of(self, rundir: RunDir) -> RunHistory:
        """What a run's record says now. Whoever appends to it may fold that in as well.

        Raises:
            EnvironmentFault: a line of it is not a record.
        """
        now = rundir.record.stamp  # before it is read: what is appended meanwhile is a change
        known = self._read.get(rundir.root)
        if known is None or known[0] != now:
            known = self._read[rundir.root] = (now, history_of(rundir.records()))
        return known[1]
