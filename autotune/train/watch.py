"""Watching a training: the card's samples, and the advice that its numbers call for.

The card is asked when the worker says something, which it does many times a step. A worker that
says nothing has no new numbers to advise on; the screen asks the card by itself, and the silence
has a limit of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from autotune.config.own_data import data_of, strategy_of
from autotune.config.profile import Profile
from autotune.device.cpu import on_battery
from autotune.device.find import Device
from autotune.device.nvml_port import NvmlPort, NvmlUnavailable
from autotune.protocol import events
from autotune.protocol.events import WorkerEvent
from autotune.protocol.throttle import Throttle
from autotune.run.session import Session
from autotune.run.trial_state import TrialState
from autotune.train.advice import Facts, due

RECORD_SECONDS = 30.0
"""A card warms up over minutes; three hours are 360 lines of the record."""

LOOK_SECONDS = 5.0
"""How often the card is asked at most: a question takes milliseconds, a worker's events come by
the dozen a second."""

COMMON = {Throttle.POWER}
"""A laptop's card is at its power limit much of the time, on and off within seconds: that stands in
the samples, but its beginning is no event."""

Number = int


class Gauge(Protocol):
    """Samples what the training runs on."""

    def look(self, number: Number, now: float) -> events.CardSampled | None:
        """A sample for trial `number` where one is due at `now` (seconds, any epoch)."""
        ...


class NoGauge:
    """A CPU has no card to ask."""

    def look(self, number: Number, now: float) -> events.CardSampled | None:
        """Nothing; see `Gauge`."""
        return None


@dataclass
class CardGauge:
    """Asks NVML for one card, and the system for the source of its power."""

    nvml: NvmlPort
    index: int
    total_bytes: int | None
    battery: Callable[[], bool | None] = on_battery
    looked: float | None = field(default=None, init=False)
    recorded: float | None = field(default=None, init=False)
    last: events.CardSampled | None = field(default=None, init=False)

    def look(self, number: Number, now: float) -> events.CardSampled | None:
        """See `Gauge`: every 30 s, and at once where something begins or ends to slow the card.

        A clock that is put back counts as one that is due.
        """
        if self.looked is not None and 0 <= now - self.looked < LOOK_SECONDS:
            return None
        self.looked = now
        sample = self._sample(number)
        if sample is None:
            return None
        due_now = (
            self.last is None
            or self.recorded is None
            or self.last.number != number
            or not 0 <= now - self.recorded < RECORD_SECONDS
        )
        changed = sample.is_news or (
            self.last is not None and sample.on_battery != self.last.on_battery
        )
        if not due_now and not changed:
            return None
        self.last, self.recorded = sample, now
        return sample

    def _sample(self, number: Number) -> events.CardSampled | None:
        try:
            state = self.nvml.state(self.index)
        except NvmlUnavailable:
            return None
        before = _held(self.last.throttled if self.last else None)
        # A driver that does not tell this time ends nothing.
        now = before if state.throttled is None else _held(state.throttled)
        return events.CardSampled.from_parts(
            state,
            number=number,
            total_bytes=self.total_bytes,
            began=tuple(r for r in now if r not in before),
            ended=tuple(r for r in before if r not in now),
            on_battery=self.battery(),
        )


def _held(reasons: tuple[Throttle, ...] | None) -> tuple[Throttle, ...]:
    return tuple(reason for reason in reasons or () if reason not in COMMON)


def gauge_for(device: Device, nvml: NvmlPort | None) -> Gauge:
    """The gauge of a device; `nvml` None is this machine's driver, and is asked for cards only."""
    open_driver = device.traits.open_driver
    if open_driver is None:
        return NoGauge()
    return CardGauge(open_driver() if nvml is None else nvml, device.index, device.total_bytes)


class TrainingWatch:
    """Notes samples and advice while a session's current trial trains."""

    def __init__(self, session: Session, profile: Profile, gauge: Gauge) -> None:
        self.session = session
        self.profile = profile
        self.gauge = gauge

    def on_event(self, event: WorkerEvent) -> None:
        """Take in what the worker said, once the session's state holds it."""
        trial = self.session.state.current
        if trial is None:
            return
        sample = self.gauge.look(trial.number, self.session.clock())
        if sample is not None:
            self.session.emit(sample)
        relevant = events.StepDone | events.MicroBatchResized | events.Trained | events.Failed
        if sample is not None or isinstance(event, relevant):
            for advised in due(self.facts(trial)):
                self.session.emit(advised)

    def facts(self, trial: TrialState) -> Facts:
        """What the rules look at."""
        profile, state = self.profile, self.session.state
        ranges = profile.watch
        data = data_of(profile, strategy_of(profile, trial.plan.strategy))
        if ranges is not None and not ranges.apply_to(
            profile.model.source, data.source, trial.plan
        ):
            ranges = None
        timed = state.fit.strategies.get(trial.plan.strategy) if state.fit else None
        return Facts(
            trial=trial,
            ranges=ranges,
            run=state.run,
            expected_rate=timed.tokens_per_second if timed else None,
        )
