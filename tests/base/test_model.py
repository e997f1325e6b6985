"""A value that passes from one model to the next is neither lost nor changed on its way."""

import json

import pytest
from pydantic import ValidationError

from autotune.protocol import events
from autotune.protocol.events import WORKER_EVENT
from tests import records

STEP = {
    **{"kind": "step", "step": 3, "total_steps": 9, "loss": 1.5, "grad_norm": 0.7},
    **{"learning_rate": 4e-5, "supervised_tokens": 50, "tokens": 100, "seconds": 2.0},
    **{"memory_bytes": 2**30, "skips": 1},
}
"""A step's line as runs have always recorded it."""


def test_a_recorded_step_is_read_and_written_with_the_same_keys() -> None:
    event = WORKER_EVENT.validate_json(json.dumps(STEP))
    assert json.loads(event.model_dump_json()) == STEP


def test_what_a_step_did_is_in_its_event_whole() -> None:
    found = events.StepResult(
        loss=1.5,
        grad_norm=0.7,
        learning_rate=4e-5,
        supervised_tokens=50,
        tokens=100,
        seconds=2.0,
        skips=1,
    )
    done = events.StepDone.from_parts(found, step=3, total_steps=9, memory_bytes=2**30)
    assert json.loads(done.model_dump_json()) == STEP


def test_a_field_that_is_in_no_part_and_has_no_default_is_refused() -> None:
    with pytest.raises(ValidationError, match="loss"):
        events.StepDone.from_parts(object(), step=3, total_steps=9, memory_bytes=0)


def test_a_given_value_goes_before_a_part_and_an_earlier_part_before_a_later_one() -> None:
    first, later = records.plan(seed=1, batch_size=4), records.plan(seed=2, batch_size=8)
    found = type(first).from_parts(first, later, batch_size=16)
    assert (found.seed, found.batch_size) == (1, 16)
