"""The measured peak of a training beside the probe's, and other processes that took memory.

A probe is right about the moment it was made in. While training runs, its peak is held against the
probe's, and programs that took memory on the card since then are named.
"""

import os
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from autotune.base.sizes import MIB, show_size
from autotune.device.find import Device, show_bytes
from autotune.device.nvml_port import DeviceUser, NvmlPort, NvmlUnavailable
from autotune.device.wait_until_idle import wait_until_idle
from autotune.protocol import events
from autotune.protocol.events import WorkerEvent

PEAK_MARGIN_SHARE = 0.02
"""A peak this share above the probe's is warned of. The allocator reserves in blocks of 2 to 20
MiB and a system counts pages in batches, which together stay below it."""

NOTICED_BYTES = 128 * MIB
"""Another process that grew less is passed over: a desktop breathes by tens of MiB, and the reserve
that a budget keeps is several times that."""


@dataclass
class PeakWatch:
    """Compares the peak of a training with the probe's, and says so at most twice.

    `warned` is whether a peak above it was reported already, by a command before this one for
    example.
    """

    number: int
    predicted_bytes: int
    warned: bool = False
    peak_bytes: int = 0

    def on_event(self, event: WorkerEvent) -> events.PeakCompared | None:
        """Take in a worker's event; the comparison, where there is one to report.

        It is reported at the first step that exceeds the probe's peak by more than
        `PEAK_MARGIN_SHARE`, and again at the end of the training, whatever it came to.
        """
        match event:
            case events.StepDone():
                self.peak_bytes = max(self.peak_bytes, event.memory_bytes)
                if not self.warned and exceeds(self.peak_bytes, self.predicted_bytes):
                    self.warned = True
                    return self._compared()
            case events.Trained() if self.peak_bytes:
                return self._compared()
            case _:
                pass
        return None

    def _compared(self) -> events.PeakCompared:
        return events.PeakCompared(
            number=self.number,
            peak_bytes=self.peak_bytes,
            predicted_bytes=self.predicted_bytes,
        )


def exceeds(peak_bytes: int, predicted_bytes: int) -> bool:
    """Whether a peak is above the probe's by more than noise."""
    return peak_bytes > predicted_bytes * (1 + PEAK_MARGIN_SHARE)


@dataclass(frozen=True, slots=True)
class CardUse:
    """Who uses a card at a moment. `used_bytes` is what all of them hold, None if not reported."""

    used_bytes: int | None
    users: tuple[DeviceUser, ...]


class OtherProcessesWatch(Protocol):
    """Says who took memory since it looked last."""

    def look(self, own: Collection[int] = ()) -> tuple[str, ...]:
        """One sentence for each growth that is worth it; processes of `own` are ours."""
        ...


class NoCard:
    """A CPU has no card to share; its memory is the system's to give."""

    def look(self, own: Collection[int] = ()) -> tuple[str, ...]:
        """Nobody; see `OtherProcessesWatch`."""
        return ()


@dataclass
class CardWatch:
    """The other users of a card since this watch began. Asks NVML; a driver that is mute has none.

    `begun` is the card when the watch was made, which is just after the probe. Each growth is
    reported once: what was reported is the ground for the next look.
    """

    nvml: NvmlPort
    index: int
    sleep: Callable[[float], None] = time.sleep
    begun: CardUse | None = field(init=False)

    def __post_init__(self) -> None:
        self.begun = self._use()

    def look(self, own: Collection[int] = ()) -> tuple[str, ...]:
        """See `OtherProcessesWatch`. No worker of ours may run, it would count as another program.

        In a container a worker that has just ended cannot be known by its id, so the card is first
        left to come to rest.
        """
        now = self._use()
        if now is not None and any(user.outside for user in now.users):
            wait_until_idle(self.nvml, self.index, self.sleep)
            now = self._use()
        if self.begun is None or now is None:
            self.begun = self.begun or now
            return ()
        sentences = grown(self.begun, now, {os.getpid(), *own})
        if sentences:
            self.begun = now
        return sentences

    def _use(self) -> CardUse | None:
        try:
            return CardUse(self.nvml.state(self.index).used_bytes, self.nvml.users(self.index))
        except NvmlUnavailable:
            return None


def watch_other_processes(device: Device, nvml: NvmlPort | None) -> OtherProcessesWatch:
    """The watch for a device; `nvml` None is this machine's driver, and is asked for cards only."""
    open_driver = device.traits.open_driver
    if open_driver is None:
        return NoCard()
    return CardWatch(open_driver() if nvml is None else nvml, device.index)


def grown(before: CardUse, now: CardUse, own: Collection[int]) -> tuple[str, ...]:
    """A sentence for each process that holds noticeably more than before.

    Windows hides what a process holds. Where no process explains a growth of the whole card, that
    growth is reported with the processes that are new on it. In a container no process is named:
    its id there is the host's, and may be that of a worker of ours.
    """
    held = {user.pid: user.bytes or 0 for user in before.users}
    others = [user for user in now.users if not user.outside and user.pid not in own]
    sentences = [
        f"{_name(user)} took {show_size(more)} on the card since the probe"
        for user in others
        if user.bytes is not None and (more := user.bytes - held.get(user.pid, 0)) >= NOTICED_BYTES
    ]
    if sentences or before.used_bytes is None or now.used_bytes is None:
        return tuple(sentences)
    more = now.used_bytes - before.used_bytes - _ours(now.users, own)
    if more < NOTICED_BYTES:
        return ()
    new = [user for user in others if user.pid not in held]
    return (
        f"{show_size(more)} more of the card are in use since the probe;"
        f" {_why_unnamed(now.users)} by whom{_newcomers(new)}",
    )


def _why_unnamed(users: Sequence[DeviceUser]) -> str:
    """Why nobody is named."""
    if any(user.outside for user in users):
        return "from inside a container it cannot be seen"
    return "the driver does not report"


def _ours(users: Sequence[DeviceUser], own: Collection[int]) -> int:
    """What a worker of ours that is still ending holds, as far as the driver reports it."""
    return sum(user.bytes or 0 for user in users if user.pid in own and not user.outside)


def _newcomers(users: Sequence[DeviceUser]) -> str:
    if not users:
        return ""
    named = ", ".join(f"{_name(user)} ({show_bytes(user.bytes)})" for user in users[:3])
    more = f" and {len(users) - 3} more" if len(users) > 3 else ""
    return f"; new on it: {named}{more}"


def _name(user: DeviceUser) -> str:
    return f"{user.name or 'process'} {user.pid}"
