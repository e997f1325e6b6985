"""One practice chat, and the length that it counts under."""

from dataclasses import dataclass

from autotune.score.answers import Answer
from autotune.score.ifeval.amended import Amended
from autotune.synth.prompts import PracticePrompt

BANDS = (50, 100, 150, 250)
"""Words at which the next band of lengths begins. Of IFEval's 52 prompts that ask for a number of
words half ask for 250 at least, of what asks for fewer than a number half for 136 and less."""


@dataclass(frozen=True, slots=True)
class PracticeChat:
    """A prompt and a text that follows it, made of the answer that was sampled for its task."""

    prompt: PracticePrompt
    answer: Answer
    amended: Amended

    @property
    def kinds(self) -> frozenset[str]:
        """The instruction ids that its prompt has."""
        return frozenset(self.prompt.instruction_id_list)

    @property
    def edits(self) -> int:
        """How often it was changed: once for each instruction, and once if it was cut."""
        return len(self.amended.edited) + self.amended.cut

    @property
    def words(self) -> int:
        """Words of its text, parted by white space."""
        return len(self.amended.text.split())

    @property
    def band(self) -> int:
        """The number of `BANDS` that its words have reached."""
        return sum(self.words >= begin for begin in BANDS)
