"""What a CUDA process takes of a card outside torch's allocator: driver, kernels, cuBLAS.

Nothing reports it, so it is derived: what the driver counts for this process, or by how much the
card's use has grown since before there was a context, less what the allocator holds. The driver
loads kernels when they are first needed (CUDA 12.2 and later), so it is worked out again whenever
the allocator has reached a new peak, and only ever rises.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from autotune.base.sizes import CONTEXT_BYTES, MIB
from autotune.device.nvml_port import NvmlPort, NvmlUnavailable
from autotune.worker.memory.windows import dedicated_usage_bytes

MIN_CONTEXT_BYTES = 100 * MIB
MAX_CONTEXT_BYTES = 1000 * MIB
"""Between these a context may be. CUDA 12's alone takes from 150 (laptop) to 500 MiB (H100), and a
step's kernels add to it; what lies outside was measured wrong, or is another program's."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a card held in all at one moment, and what each process of it (None: not reported)."""

    used_bytes: int | None
    users: Mapping[int, int | None] = field(default_factory=dict)


class ContextMeter:
    """The context of this process on one card, in `context_bytes`.

    Before the first figure that can be believed it is `CONTEXT_BYTES`. `used_bytes` is what all
    programs together held on the card when it was last measured, None where that is unknown.
    """

    def __init__(
        self,
        nvml: NvmlPort,
        pid: int | None = None,
        dedicated: Callable[[], int | None] = dedicated_usage_bytes,
    ) -> None:
        """Ask nothing yet; `dedicated` reports what Windows counts for this process on cards."""
        self.nvml = nvml
        self.pid = os.getpid() if pid is None else pid
        self.dedicated = dedicated
        self.context_bytes = CONTEXT_BYTES
        self.is_measured = False
        self.used_bytes: int | None = None
        self._before: dict[int, Look] = {}
        self._uuids: dict[int, str | None] = {}
        self._index: int | None = None
        self._last_guess: int | None = None

    def snapshot_before(self) -> None:
        """See what every card holds, before this process has a context on one.

        Which of them torch will compute on is not known yet: to ask torch would make the context.
        """
        try:
            self._uuids = {card.index: card.uuid for card in self.nvml.cards()}
        except NvmlUnavailable:
            return
        self._before = {index: self._look(index) for index in self._uuids}

    def choose_card(self, uuid: str | None) -> None:
        """Say which card it is, by the UUID that torch gives; without one, the only card."""
        wanted = _plain(uuid)
        same = [index for index, known in self._uuids.items() if wanted and _plain(known) == wanted]
        if not same and len(self._uuids) == 1 and wanted is None:
            same = list(self._uuids)
        self._index = same[0] if len(same) == 1 else None

    def measure(self, reserved_bytes: int) -> bool:
        """Work the context out again; True if it changed.

        `reserved_bytes` is what torch's allocator holds at this moment.
        """
        found = self._worked_out(reserved_bytes)
        if found is None or (self.is_measured and found <= self.context_bytes):
            return False
        changed = found != self.context_bytes
        self.context_bytes, self.is_measured = found, True
        return changed

    def _worked_out(self, reserved_bytes: int) -> int | None:
        """The context by the best source there is, None where none can be believed."""
        now = Look(None) if self._index is None else self._look(self._index)
        self.used_bytes = now.used_bytes
        own = self._own_bytes(now)
        if own is not None and _can_be(own - reserved_bytes):
            return own - reserved_bytes
        return self._by_growth(now, reserved_bytes)

    def _own_bytes(self, now: Look) -> int | None:
        """What this process holds, as Windows or the driver counts it.

        In a container the driver counts processes as its host does, and our number may be some
        other's. Then the one that has come since before is this one, where it is one alone.
        """
        dedicated = self.dedicated()
        if dedicated is not None:
            return dedicated
        if self._index is None:
            return None
        before = self._before[self._index]
        new = [pid for pid in now.users if pid not in before.users]
        if self.pid in new or not new:
            return now.users.get(self.pid)
        return now.users[new[0]] if len(new) == 1 else None

    def _by_growth(self, now: Look, reserved_bytes: int) -> int | None:
        """By how much the card's use has grown, where no other program came, went or changed.

        The driver may hide other programs. So a later figure counts only as far as the one before
        it reached as well: what another process takes for a moment is then gone again.
        """
        if self._index is None:
            return None
        before = self._before[self._index]
        if before.used_bytes is None or now.used_bytes is None:
            return None
        if not self._others_stayed(before, now):
            return None
        guess = now.used_bytes - before.used_bytes - reserved_bytes
        if not _can_be(guess):
            return None
        last, self._last_guess = self._last_guess, guess
        return guess if not self.is_measured else min(guess, last if last is not None else 0)

    def _others_stayed(self, before: Look, now: Look) -> bool:
        """Whether the other processes, and what each is reported to hold, are those of before.

        Without a process that is ours in the list, one that has come may be ours, and no more.
        """
        come = [pid for pid in now.users if pid not in before.users]
        went = [pid for pid in before.users if pid not in now.users]
        same = all(now.users[pid] == held for pid, held in before.users.items() if pid in now.users)
        return len(come) <= 1 and not went and same

    def _look(self, index: int) -> Look:
        try:
            users = {user.pid: user.bytes for user in self.nvml.users(index)}
            return Look(self.nvml.state(index).used_bytes, users)
        except NvmlUnavailable:
            return Look(None)


def _can_be(size_bytes: int) -> bool:
    return MIN_CONTEXT_BYTES <= size_bytes <= MAX_CONTEXT_BYTES


def _plain(uuid: str | None) -> str | None:
    """A UUID without what NVML writes before it, in one case: torch gives the bare number."""
    return None if uuid is None else uuid.lower().removeprefix("gpu-").removeprefix("mig-")
