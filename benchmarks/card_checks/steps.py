"""The steps in the order in which they are asked, with their part and their share of its time."""

from dataclasses import dataclass

PART_MINUTES = 6.0
"""Of each part, on an H100; `--minutes` gives a slower card more, and every share grows with it."""

REHEARSAL_MINUTES = 20.0
"""Of a part: a rehearsal takes two or three in all, unless the processors have much else to do."""

PREPARE_SECONDS = 25.0
"""Kept back in each part to make the model folder and the conversations where they are not there:
540 MB of weights written and flushed, 6 000 conversations."""


@dataclass(frozen=True, slots=True)
class Step:
    """A check: the module `card_checks.<name>`, with `seconds` of a part of `PART_MINUTES`.

    What earlier steps leave of their time goes to the later ones.
    """

    name: str
    part: int
    seconds: float
    question: str


STEPS = (
    Step("kernels", 1, 20, "which attention kernels run, and agree"),
    Step("nvml", 1, 15, "does the driver's count agree with torch's"),
    Step("gpu_tests", 1, 85, "pytest -m gpu"),
    Step("plan", 1, 50, "predicted against measured peaks"),
    Step("probe", 1, 75, "the probe against trying every length near its answer"),
    Step("late_memory", 1, 35, "memory that runs out inside a training: the same losses"),
    Step("kill", 1, 35, "killed and resumed: the same losses"),
    Step("overflow", 1, 20, "fp16 that overflows: steps taken again, the same losses"),
    Step("training_speed", 2, 90, "training against Hugging Face Trainer and TRL"),
    Step("generation", 2, 85, "answers a minute, way by way"),
    Step("strategy_a", 2, 160, "strategy A on 6 000 conversations against its plan"),
)
"""Each part's shares and `PREPARE_SECONDS` add up to its minutes."""


def find(name: str) -> Step:
    """The step of this name."""
    return next(step for step in STEPS if step.name == name)
