"""Answers of a model before training, kept: in the next run it answers the same prompts alike.

A greedy answer depends on no seed: only on the weights, the prompt, and what computes it how. In a
run of two hours on a CPU these answers took 37 minutes, and every run of the same model began with
them.
"""

import contextlib
import hashlib
import json
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from pydantic import ValidationError

from autotune.base.errors import AutotuneError
from autotune.base.files import write_text_atomic
from autotune.base.model import Boundary
from autotune.base.worker_code import worker_code
from autotune.run.fingerprint import installed
from autotune.run.setup import Setup
from autotune.score.answers import Answer, match
from autotune.score.prompts import Prompt
from autotune.sources.cache import cache_folder

FOLDER = "answers"
"""Folder of the user's cache."""

LEAST_SECONDS = 60.0
"""Answers that took less are made again: nobody waits for them, and files are not for free."""

MOST_KEPT = 20
"""Files, the newest; 541 answers to 1280 tokens are 1.7 MB."""

COMPUTED_BY = ("torch", "transformers", "tokenizers", "numpy")


class KeptAnswers(Boundary):
    """All answers to a file of prompts.

    `time` is when they were complete, in seconds since the epoch; `seconds`, how long they took.
    """

    time: float
    seconds: float
    answers: tuple[Answer, ...]


def find_kept(setup: Setup, prompts_sha256: str) -> KeptAnswers | None:
    """What the untrained model of a setup answered to the prompts with this digest, if kept."""
    place = _place(setup, prompts_sha256)
    if place is None:
        return None
    try:
        return KeptAnswers.model_validate_json(place.read_bytes())
    except (OSError, ValidationError):
        return None


def take_kept(
    setup: Setup, prompts: Sequence[Prompt], sha256: str, out: Path
) -> KeptAnswers | None:
    """Write kept answers to these prompts into the file `out`, if all of them are kept."""
    found = find_kept(setup, sha256)
    if found is None or match(prompts, found.answers)[1]:
        return None
    lines = [json.dumps(each.model_dump(), ensure_ascii=False) for each in found.answers]
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomic(out, "".join(f"{line}\n" for line in lines))
    return found


def keep_answers(setup: Setup, answers: Sequence[Answer], sha256: str, seconds: float) -> None:
    """Keep answers that are complete. Where they cannot be kept, they are made again next time."""
    if seconds < LEAST_SECONDS or (place := _place(setup, sha256)) is None:
        return
    kept = KeptAnswers(time=time.time(), seconds=seconds, answers=tuple(answers))
    with contextlib.suppress(OSError, AutotuneError):
        place.parent.mkdir(parents=True, exist_ok=True)
        write_text_atomic(place, kept.model_dump_json())
        by_age = sorted(place.parent.glob("*.json"), key=lambda file: file.stat().st_mtime)
        for old in by_age[:-MOST_KEPT]:
            old.unlink(missing_ok=True)


def _place(setup: Setup, prompts_sha256: str) -> Path | None:
    """The file for all that these answers depend on; None where that is not known, or unwanted.

    The rows that are computed together are among it: with others a sum may be rounded otherwise.
    """
    evaluate, device = setup.profile.evaluate, setup.device
    if not evaluate.reuse_untrained or setup.content is None or not prompts_sha256:
        return None
    asked = {
        "prompts": prompts_sha256,
        "model": setup.content.model,
        "form": setup.data.supervision.value,
        "answers": [evaluate.max_new_tokens, evaluate.batch_size, setup.prefill_tokens],
        "device": [device.kind, device.name, device.driver, setup.device_spec.precision.value],
        "attention": setup.attention.value,
        "threads": setup.device_spec.threads or _cores(),
        "libraries": [installed(name) for name in COMPUTED_BY],
        "day": date.today().isoformat() if _is_dated(setup) else "any",
    }
    question = hashlib.sha256(json.dumps(asked, sort_keys=True).encode("utf-8"))
    try:
        for text in worker_code():
            question.update(text)
    except OSError:
        return None
    return cache_folder() / FOLDER / f"{question.hexdigest()[:32]}.json"


def _cores() -> int:
    import psutil

    return psutil.cpu_count(logical=False) or 1


def _is_dated(setup: Setup) -> bool:
    """Whether a chat template of the model may write today's date into a question."""
    assert setup.content is not None
    names = (n for n in setup.content.model if "chat_template" in n or n == "tokenizer_config.json")
    return any(b"strftime_now" in (setup.model_folder / name).read_bytes() for name in names)
