"""The profile's `[synth]`: how much practice data is made, and how its answers are sampled."""

from typing import Annotated, Literal

from pydantic import Field

from autotune.base.model import ANY_CASE, Boundary
from autotune.protocol.choices import Asked

MIN_NEW_TOKENS = 64
"""Below it hardly an answer reaches the different words that one to practice on has
(`score/ifeval/amended.py`), with whole sentences."""

MAX_TASKS = 20_000
"""Composing so many in three variants takes 20 s of a processor and 140 MB; what is beyond it is a
slip of the hand, and days of answering."""

MAX_VARIANTS = 8
"""A text in another language can be asked for itself and seven other kinds of instruction."""

MIN_WORDS = 25
"""Fewest words that an answer is cut to: an answer to practise on has 20 different ones of its own
(`score/ifeval/amended.py`)."""

MAX_HELD_OUT_KINDS = 8
"""The eight rarest that can be measured are a quarter of what prompts ask for; the seed chooses,
so mostly fewer can be held out (`autotune.synth.held_out`)."""


MostWords = Annotated[Annotated[int, Field(ge=MIN_WORDS)] | Literal["all"], ANY_CASE]


class SynthChoice(Boundary):
    """What `synth` makes: practice data, from a model's own answers to prompts with instructions.

    `tasks` is how many things are asked for, each with `variants` choices of instructions; the
    model answers it `samples` times, and its answers are amended for all of them. What it is asked
    is `ask`: the task alone, or its first variant. What is amended is an answer's beginning of
    MIN_WORDS to `max_words` words, a number drawn for each prompt; with `all` the whole.
    `temperature` and `top_p` are those of the sampling, `max_new_tokens` the cap on an answer.
    `max_conversations` is how many chats are kept at most, balanced over kinds of instruction and
    over lengths; absent, all that are usable. `held_out_kinds` is how many kinds of instruction no
    prompt asks for, so that what was learned of the others can be told from following as such.
    `refuse_unasked` leaves out chats that show a gap to fill, program code or a title that nobody
    asked for, and poems and conversations that are none.
    """

    tasks: Annotated[int, Field(ge=1, le=MAX_TASKS)] = 600
    variants: Annotated[int, Field(ge=1, le=MAX_VARIANTS)] = 3
    samples: Annotated[int, Field(ge=1)] = 1
    ask: Asked = Asked.TASK
    max_words: MostWords = 120
    temperature: Annotated[float, Field(gt=0)] = 0.7
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    max_new_tokens: Annotated[int, Field(ge=MIN_NEW_TOKENS)] = 320
    max_conversations: Annotated[int, Field(ge=1)] | None = None
    held_out_kinds: Annotated[int, Field(ge=0, le=MAX_HELD_OUT_KINDS)] = 3
    refuse_unasked: bool = True

    @property
    def answers(self) -> int:
        """How many answers the model gives in all."""
        return self.tasks * self.samples

    @property
    def words(self) -> tuple[int, int] | None:
        """The fewest and the most words that an answer is cut to; None where none is cut."""
        return None if self.max_words == "all" else (MIN_WORDS, self.max_words)
