"""How an optimizer step is cut into pieces, and the next smaller way where memory ran out.

A cut changes speed and memory, never the mathematics: which conversations make a step, the number
of steps and the schedule do not depend on it.
"""

from typing import Annotated

from pydantic import Field

from autotune.boundary import Boundary


class Cut(Boundary):
    """At most `micro_batch_tokens` at a time; whether activations are computed again in backward.

    A row that is longer than that is a micro-batch of its own.
    """

    micro_batch_tokens: Annotated[int, Field(ge=1)]
    gradient_checkpointing: bool

    def smaller(self, longest_row: int, largest: int | None = None) -> "Cut | None":
        """The next smaller cut: half the micro-batch, then gradient checkpointing, then None.

        Args:
            longest_row: tokens of the longest row that will come; half of less splits nothing.
            largest: tokens of the largest micro-batch that was at hand, where that is known. Half
                of a limit that it never reached would be the same pieces again.
        """
        now = min(self.micro_batch_tokens, largest or self.micro_batch_tokens)
        tokens = max(longest_row, now // 2)
        if tokens < now:
            return self.model_copy(update={"micro_batch_tokens": tokens})
        if not self.gradient_checkpointing:
            return self.model_copy(update={"gradient_checkpointing": True})
        return None

    @property
    def words(self) -> str:
        """For a person: `micro-batches of 256 tokens and gradient checkpointing`."""
        end = " and gradient checkpointing" if self.gradient_checkpointing else ""
        return f"micro-batches of {self.micro_batch_tokens} tokens{end}"
