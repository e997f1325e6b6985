"""Training steps that were traced beforehand: of models that a person asks about first.

A plan for one of them needs neither torch nor a worker. The lines are those that a trace gives
(`worker/predict/job.py`), made by `benchmarks/known_steps.py`; a test traces some again.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from autotune.base.library_memory import library_bytes
from autotune.base.model import Boundary
from autotune.device.kinds import PLANNED
from autotune.protocol.choices import Attention, Precision
from autotune.protocol.job import PredictJob
from autotune.protocol.prediction import PredictionFile
from autotune.protocol.step_lines import StepLines

FILE = Path(__file__).with_suffix(".json")

SHAPE = (
    "model_type",
    "hidden_act",
    "attention_bias",
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "tie_word_embeddings",
)
"""Keys of a config.json that a step's memory follows from, of a Llama."""

NEUTRAL: dict[str, Any] = {
    "attention_dropout": 0.0,
    "is_llama_config": True,
    "mlp_bias": False,
    "pretraining_tp": 1,
    "rope_interleaved": False,
    "rope_scaling": None,
}
"""Keys that change nothing with this value."""

INDIFFERENT = frozenset(
    {
        *("architectures", "dtype", "torch_dtype", "transformers_version", "_name_or_path"),
        *("_model_name_or_path", "use_cache", "initializer_range", "rms_norm_eps", "rope_theta"),
        *("rope_parameters", "max_position_embeddings", "transformers.js_config"),
        *("bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id"),
    }
)
"""Keys that change nothing whatever they say; how positions are rotated takes no memory."""


class KnownStep(Boundary):
    """A step of one architecture on a card, every position supervised.

    `model` is a name for a reader; `precisions` all have these lines.
    """

    model: str
    shape: dict[str, bool | int | str]
    precisions: tuple[Precision, ...]
    lines: StepLines


class KnownSteps(Boundary):
    """All that are known; `traced_with` are the libraries that traced them."""

    traced_with: str
    steps: tuple[KnownStep, ...]


def known_prediction(job: PredictJob) -> PredictionFile | None:
    """The answer to a job that asks for peaks of a known step alone; None for any other."""
    if job.target != PLANNED or job.supervised_share != 1 or job.generate_rows or job.timed_passes:
        return None
    shape = shape_of(Path(job.model_folder))
    known = known_steps()
    for step in known.steps if shape is not None else ():
        if step.shape == shape and job.precision in step.precisions:
            if step.lines.attention is not job.attention:
                continue
            return _answer(job, step.lines, known.traced_with)
    return None


def shape_of(folder: Path) -> dict[str, bool | int | str] | None:
    """What of a model's config.json its step's memory follows from; None where more may matter."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        neutral = NEUTRAL | {"head_dim": config["hidden_size"] // config["num_attention_heads"]}
        shape = {key: config.pop(key) for key in SHAPE}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError):
        return None
    others = {key: value for key, value in config.items() if key not in INDIFFERENT}
    return shape if all(neutral.get(key, ...) == value for key, value in others.items()) else None


@cache
def known_steps() -> KnownSteps:
    """The steps that are known; none where the file is not as it was installed."""
    try:
        return KnownSteps.model_validate_json(FILE.read_bytes())
    except (OSError, ValidationError):
        return KnownSteps(traced_with="", steps=())


def _answer(job: PredictJob, lines: StepLines, traced_with: str) -> PredictionFile:
    library = library_bytes(job.capability, lines.biased)
    return PredictionFile(
        target=job.target,
        parameters=lines.parameters,
        layers=lines.layers,
        layers_traced=lines.layers_traced,
        supervised_share=job.supervised_share,
        peaks=tuple(lines.peak(point, library) for point in job.points),
        generation_bytes=0,
        process_bytes=0,
        seconds=0.0,
        attention=Attention(job.attention),
        traced_with=traced_with,
    )
