"""What a survey reports besides the shape of the data: origin, roles, end of a turn, samples."""

from typing import Annotated

from pydantic import Field

from autotune.base.model import Boundary
from autotune.protocol.choices import Supervision
from autotune.protocol.plan import Rounds


class TextRun(Boundary):
    """Consecutive tokens of a row as text, all of them supervised or none.

    `marker` says that it is one token which the template put there; the same letters inside a
    text are not one. `hidden_tokens` stands for tokens that are left out here, without a text.
    `ids` are the tokens that are shown.
    """

    text: str
    trained: bool
    marker: bool = False
    hidden_tokens: int = 0
    ids: tuple[int, ...] = ()


class Sample(Boundary):
    """A row as it is trained on. `conversation` counts from 0, `tokens` is the row's length."""

    conversation: int
    tokens: int
    supervised_tokens: int
    runs: tuple[TextRun, ...]


class StopTokens(Boundary):
    """The token that ends a turn, and what the tokenizer itself calls the end of a text."""

    end_token: str
    end_id: int
    eos_token: str | None
    eos_id: int | None


class Inspection(Boundary):
    """The file that the survey job writes beside the survey.

    `format` is the format that the file was read in and `reason` why; `trimmed` counts
    conversations whose last question had no answer and was cut off; `left_out` those beyond
    `max_conversations`. `roles` counts the turns of the conversations that are used by the side
    that they speak for, `source_roles` those of the whole file by the role that stands there.
    """

    format: str
    reason: str
    trimmed: int
    left_out: int
    roles: dict[str, int]
    source_roles: dict[str, int]
    supervision: Supervision
    stop: StopTokens
    samples: tuple[Sample, ...]


class InspectionSpec(Boundary):
    """Which rows to look at, and where to write what was found.

    `out` gets the `Inspection`, with the first `samples` rows that keep something to train on at
    this length (tokens) and number of rounds. `features`, where given, gets every such row, one
    JSON object a line: `input_ids` and `labels`, not padded.
    """

    model_max_length: Annotated[int, Field(ge=1)]
    max_rounds: Rounds
    samples: Annotated[int, Field(ge=0)]
    out: str
    features: str | None = None
