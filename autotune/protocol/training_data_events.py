"""What a run remembers of what it trains on: practice data and its kinds, and mixtures of data.

A kind is what a scorer calls an instruction (`InstructionVerdict.instruction`).
"""

from typing import Annotated, Literal

from pydantic import Field

from autotune.base.model import Boundary
from autotune.protocol.scores import Metric


class KindsApart(Boundary):
    """How much is followed of what was held out of practice, beside the rest.

    `held_out` are the kinds that no practice prompt asks for, by choice. Instructions: of these, of
    the `practised` kinds, and of the kinds of which practice has none though they were not held out
    (`unpractised`; often of none). Prompts: those that have a held-out kind, and those without.
    """

    held_out: tuple[str, ...]
    held_out_instructions: Metric
    practised_instructions: Metric
    unpractised_instructions: Metric
    held_out_prompts: Metric
    other_prompts: Metric


class PracticeFound(Boundary):
    """What some strategies train on is practice data, whole or in part.

    `strategies` is empty where it is the run's own data. `data` is what the data is called.
    `conversations` of it are practice; `practised` are the kinds that these ask for, `held_out`
    those that were held out of it by choice.
    """

    kind: Literal["practice_found"] = "practice_found"
    strategies: tuple[str, ...]
    data: str
    conversations: int
    practised: tuple[str, ...]
    held_out: tuple[str, ...]


class DataMixed(Boundary):
    """A strategy's own data was mixed with the run's data, into a file of the run's folder.

    `share` (0..1) is the one that was asked for: `own` conversations of its own out of `own` +
    `others`, which `seed` drew. `sha256` is the file's.
    """

    kind: Literal["data_mixed"] = "data_mixed"
    strategy: str
    file: str
    sha256: str
    share: Annotated[float, Field(gt=0, le=1)]
    seed: int
    own_data: str
    own: int
    other_data: str
    others: int
