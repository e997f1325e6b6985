"""How an optimizer step is cut into pieces.

A cut changes speed and memory, never the mathematics: which conversations make a step, the number
of steps and the schedule do not depend on it. `oom_recovery` says which is tried where one does
not fit.
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

    @property
    def words(self) -> str:
        """For a person: `micro-batches of 256 tokens and gradient checkpointing`."""
        end = " and gradient checkpointing" if self.gradient_checkpointing else ""
        return f"micro-batches of {self.micro_batch_tokens} tokens{end}"
