"""What was seen of a training besides its steps: the card, advice, faults, and when nothing ran."""

from dataclasses import dataclass, field

from autotune.protocol import events


@dataclass
class Telemetry:
    """A fold of a trial's records. `pauses` are (last step before, seconds)."""

    cards: list[events.CardSampled] = field(default_factory=list)
    advice: list[events.Advised] = field(default_factory=list)
    faults: list[events.Failed] = field(default_factory=list)
    pauses: list[tuple[int, float]] = field(default_factory=list)

    def apply(self, event: events.RunEvent, last_step: int) -> None:
        """Fold one event in that came after this step."""
        match event:
            case events.CardSampled():
                self.cards.append(event)
            case events.Advised():
                self.advice.append(event)
            case events.Failed():
                self.faults.append(event)
            case events.Slept():
                self.pauses.append((last_step, event.seconds))
            case _:
                pass

    @property
    def slept_seconds(self) -> float:
        """How long the computer slept since the trial began, in all."""
        return sum(seconds for _, seconds in self.pauses)

    def awake_seconds(self, step: events.StepDone) -> float:
        """How long a step took, less what the computer slept in it.

        A worker's clock stops in sleep on Linux and macOS and continues on Windows; a step shorter
        than the pause was not measured with it. The step that is reported next after a pause may
        have been done before it, so the one after that is looked at as well.
        """
        slept = [s for last, s in self.pauses if last < step.step <= last + 2 and step.seconds >= s]
        return max(0.0, step.seconds - sum(slept))
