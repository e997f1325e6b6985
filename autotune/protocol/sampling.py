"""How answers are drawn instead of taking the likeliest token each time."""

from typing import Annotated

from pydantic import Field

from autotune.base.model import Boundary


class Sampling(Boundary):
    """Sampling with a temperature from the nucleus, `samples` answers to each prompt.

    Logits are divided by `temperature`. The nucleus is the smallest set of likeliest tokens whose
    probabilities add up to `top_p` or more (Holtzman et al. 2020, "The Curious Case of Neural Text
    Degeneration", arXiv:1904.09751); the rest is never drawn.

    What is drawn for sample 0, 1, ... of a prompt depends on `seed`, the prompt's key and the
    sample's number only. So the first n samples are the same where more are asked for.
    """

    temperature: Annotated[float, Field(gt=0)]
    top_p: Annotated[float, Field(gt=0, le=1)]
    samples: Annotated[int, Field(ge=1)]
    seed: int
