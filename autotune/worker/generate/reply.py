"""One prompt and its answer so far, and how answers are asked for; what every engine deals in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from autotune.worker.generate.draws import Draws, Place
from autotune.worker.generate.prompt_lookup import PromptLookup

Finish = Literal["stop", "length", "decided"]


@dataclass(frozen=True, slots=True)
class GenerationSettings:
    """How to answer.

    At most `batch_size` rows at a time, at most `prefill_tokens` tokens of prompts in a pass. The
    first `min_new_tokens` of an answer cannot end it. Without `guessing` every pass adds one token
    to each row. With `draws`, which has as many samples as there are prompts, tokens are drawn;
    without it the likeliest are taken.
    """

    max_new_tokens: int
    batch_size: int
    prefill_tokens: int
    min_new_tokens: int = 0
    guessing: bool = True
    draws: Draws | None = None


class Reply:
    """One prompt and its answer so far. `number` says which prompt."""

    def __init__(
        self,
        number: int,
        prompt: list[int],
        settings: GenerationSettings,
        positions: int,
        begun: Sequence[int] = (),
    ) -> None:
        """A prompt too long for the model's positions is truncated on its left, as harnesses do.

        `begun` is what was answered before; the answer is continued behind it.
        """
        prompt = prompt[-max(1, positions - settings.max_new_tokens) :]
        self.number = number
        self.asked = len(prompt)
        # An answer ends with the model's last position.
        self.most = max(1, min(settings.max_new_tokens, positions - len(prompt)))
        self.prompt_lookup = PromptLookup([*prompt, *begun[: self.most - 1]])
        self.looked = 0
        self.finish: Finish | None = None

    @property
    def ids(self) -> list[int]:
        """Prompt and answer."""
        return self.prompt_lookup.ids

    @property
    def answer(self) -> list[int]:
        """New tokens, with the one that ended it."""
        return self.ids[self.asked :]

    @property
    def new_tokens(self) -> int:
        """How many there are."""
        return len(self.ids) - self.asked

    @property
    def place(self) -> Place:
        """Where its next token is chosen."""
        return Place(self.number, self.new_tokens)

    def end(self, ids: Sequence[int], stop_ids: Sequence[int]) -> None:
        """Take a whole answer, with the token that ended it if one did."""
        for token in ids:
            self.prompt_lookup.add(token)
        self.finish = "stop" if ids and ids[-1] in stop_ids else "length"


def never(_: Reply) -> bool:
    """No answer is decided before it is finished."""
    return False


def nothing() -> None:
    """Nothing to do after a pass."""
