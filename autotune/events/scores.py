"""What a run's scores are held against: baselines, the luck of the choice, more prompts."""

from typing import Literal

from autotune.boundary import Boundary
from autotune.outcome import Checkpoint, Health, Metric


class BaselineScored(Boundary):
    """A score to compare with: `echo` (the prompt given back) or `untrained` (before training)."""

    kind: Literal["baseline"] = "baseline"
    name: Literal["echo", "untrained"]
    prompt_strict: Metric
    interval: tuple[float, float]
    health: Health


class Chosen(Boundary):
    """What the best of `candidates` scored checkpoints is worth without the luck of the choice.

    `corrected` is a share, 0..1, `interval` its 95 %; how: `evaluate.selection`.
    """

    kind: Literal["chosen"] = "chosen"
    candidates: int
    corrected: float
    interval: tuple[float, float]


class BestInFull(Boundary):
    """The best checkpoint, scored by `eval` on more prompts than the run's own: all of a source.

    `weights` are the sha256 of its files, which are those that the run scored. `prompts` names the
    source, `unhealthy` the limits of the profile that the answers break.
    """

    kind: Literal["best_in_full"] = "best_in_full"
    number: int
    checkpoint: Checkpoint
    weights: dict[str, str]
    prompts: str
    scorer: str
    max_new_tokens: int
    prompt_strict: Metric
    instruction_strict: Metric
    prompt_loose: Metric
    instruction_loose: Metric
    interval: tuple[float, float]
    health: Health
    unhealthy: tuple[str, ...] = ()
