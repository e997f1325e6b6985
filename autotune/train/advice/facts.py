"""What the rules of advice look at: a trial as far as it has come, smoothed over windows of steps.

No rule judges a single step. What a rule looks at is the median of a window of steps (a twentieth
of the training's, 10 to 50), which one odd step does not move. Losses of conversations differ by
about a third, so the mean of a step's 64 varies by some 4 %, and the median over a window by 1 to
2 %, which is below every margin here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from autotune.config.expected import Ranges
from autotune.protocol import events
from autotune.run.trial_state import TrialState

WINDOW_SHARE = 0.05
SHORTEST_WINDOW = 10
LONGEST_WINDOW = 50


@dataclass(frozen=True)
class Facts:
    """A trial and what it is held against.

    `ranges` is None where none are known for this model, data and rate; `run`, what the trial is
    of, and `expected_rate` (tokens a second, as the probe timed them) where unknown.
    """

    trial: TrialState
    ranges: Ranges | None = None
    run: events.RunStarted | None = None
    expected_rate: float | None = None

    @cached_property
    def steps(self) -> tuple[events.StepDone, ...]:
        """The steps so far, in order, as many as are kept (`autotune.run.steps`)."""
        return tuple(self.trial.steps)

    @property
    def progress(self) -> float:
        """Share of the steps that is done, 0..1."""
        return self.steps[-1].step / self.trial.plan.total_steps if self.steps else 0.0

    @property
    def window(self) -> int:
        """Steps that a median is taken over."""
        share = round(self.trial.plan.total_steps * WINDOW_SHARE)
        return min(max(share, SHORTEST_WINDOW), LONGEST_WINDOW)

    @cached_property
    def windows(self) -> tuple[float, ...]:
        """Median losses over windows that do not overlap, the newest last; whole windows only."""
        count = len(self.steps) // self.window
        return tuple(median(self.losses_of(at)) for at in range(count))

    def losses_of(self, window: int) -> list[float]:
        """The losses of the steps in one of the `windows`."""
        first = len(self.steps) % self.window + window * self.window
        return [step.loss for step in self.steps[first : first + self.window]]

    @property
    def loss(self) -> float | None:
        """Median loss over the newest window, None before there is a whole one."""
        return self.windows[-1] if self.windows else None

    def norms(self, last: int) -> list[float]:
        """Gradient norms of the last so many steps, as far as they are known."""
        return [step.grad_norm for step in self.steps[-last:] if step.grad_norm is not None]

    def rate(self, steps: Sequence[events.StepDone]) -> float | None:
        """Median speed of steps in tokens a second, what the computer slept left out."""
        awake = self.trial.telemetry.awake_seconds
        found = [step.tokens / seconds for step in steps if (seconds := awake(step)) > 0]
        return median(found) if found else None

    @property
    def card(self) -> events.CardSampled | None:
        """The newest sample of the card, if there is one."""
        cards = self.trial.telemetry.cards
        return cards[-1] if cards else None
