"""Predictions for a card that is not there, kept: the same question has the same answer.

Tracing takes many seconds of a processor, and depends on nothing but the model's configuration,
what is asked, the versions of the libraries, and the worker's own code.
"""

import contextlib
import hashlib
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import ValidationError

from autotune.base.files import write_text_atomic
from autotune.base.worker_code import worker_code
from autotune.fit.known_steps import known_prediction
from autotune.protocol.job import PredictJob
from autotune.protocol.prediction import PredictionFile
from autotune.sources.cache import cache_folder

KEPT = "predictions"
"""Folder of the user's cache."""

COMPUTED_BY = ("torch", "transformers", "numpy")


def kept_prediction(job: PredictJob, predict: Callable[[], PredictionFile]) -> PredictionFile:
    """The answer to a job that times nothing: a known one, one that is kept, else `predict`'s."""
    known = known_prediction(job)
    if known is not None:
        return known
    place = _place(job)
    if place is None:
        return predict()
    with contextlib.suppress(OSError, ValidationError):
        return PredictionFile.model_validate_json(place.read_bytes())
    found = predict()
    with contextlib.suppress(OSError):  # then it is predicted again the next time
        place.parent.mkdir(parents=True, exist_ok=True)
        write_text_atomic(place, found.model_dump_json())
    return found


def _place(job: PredictJob) -> Path | None:
    """The file of an answer; None where its question cannot be told from others."""
    question = hashlib.sha256()
    try:
        question.update((Path(job.model_folder) / "config.json").read_bytes())
        for name in COMPUTED_BY:
            question.update(f"{name} {version(name)}\n".encode())
        for text in worker_code():
            question.update(text)
    except (OSError, PackageNotFoundError):
        return None
    question.update(job.model_dump_json(exclude={"model_folder", "out", "device"}).encode())
    return cache_folder() / KEPT / f"{question.hexdigest()[:32]}.json"
