"""How answers are drawn: what a job accepts."""

from typing import Any

import pytest
from pydantic import ValidationError

from autotune.protocol.job import JOB, GenerateJob, on_the_computer
from autotune.protocol.sampling import Sampling

HOW: dict[str, Any] = {"temperature": 0.7, "top_p": 0.95, "samples": 2, "seed": 0}


def job(**changes: Any) -> GenerateJob:
    return GenerateJob(
        device=on_the_computer(),
        model_folder="model",
        prompts="prompts.jsonl",
        out="responses.jsonl",
        max_new_tokens=8,
        batch_size=1,
        prefill_tokens=64,
        **changes,
    )


def test_a_job_that_samples_is_read_back_as_it_was_written() -> None:
    asked = job(sampling=Sampling(**HOW))
    assert JOB.validate_json(asked.model_dump_json()) == asked
    assert job().sampling is None


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": 0.0}, {"top_p": 0.0}, {"top_p": 1.01}, {"samples": 0}, {"seed": 0.5}],
    ids=str,
)
def test_what_nothing_can_be_drawn_with_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Sampling(**(HOW | wrong))


def test_samples_are_not_decided_early() -> None:
    with pytest.raises(ValidationError, match="early_seed and sampling exclude each other"):
        job(sampling=Sampling(**HOW), early_seed=0)
