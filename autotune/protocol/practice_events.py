"""What happens while practice data is made: a model is asked, its answers are chosen from."""

from typing import Literal

from autotune.base.model import Boundary
from autotune.protocol.device_kind import DeviceKind


class PracticeStarted(Boundary):
    """Practice data begins to be made, or resumes, in the folder `practice/<name>`.

    `model` is asked `asked` prompts, `samples` times each, of which `answered` answers are there
    already; they are for `prompts` in all.
    `near_copies` of scored prompts were left out. `held_out` are the kinds of instruction that none
    asks for. `settings` is a digest of what decides which chats come of it.
    """

    kind: Literal["practice_started"] = "practice_started"
    name: str
    model: str
    device: str
    device_kind: DeviceKind
    asked: int
    samples: int
    prompts: int
    near_copies: int
    held_out: tuple[str, ...]
    settings: str
    answered: int = 0

    @property
    def answers(self) -> int:
        """How many answers the model gives."""
        return self.asked * self.samples


class PracticeMade(Boundary):
    """The practice data `practice/<name>/practice.jsonl` is there, of this content.

    It was made of `answers` by the `settings` of its start, and has so many `conversations`, of
    which `as_sampled` are the model's own to the letter. `new_tokens` were generated in `seconds`
    since the command was given the last time: 0 where all answers were there.
    """

    kind: Literal["practice_made"] = "practice_made"
    name: str
    sha256: str
    settings: str
    answers: int
    conversations: int
    as_sampled: int
    new_tokens: int = 0
    seconds: float = 0.0

    @property
    def tokens_per_second(self) -> float | None:
        """How fast answers came; None where none was made."""
        return self.new_tokens / self.seconds if self.new_tokens and self.seconds else None
