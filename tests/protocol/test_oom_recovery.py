"""What is tried when memory runs out: by whom, in which process, and when that ends."""

import json

import pytest

from autotune.protocol.events import WORKER_EVENT, Failed
from autotune.protocol.failure import Failure
from autotune.protocol.oom_recovery import (
    SLACK_BYTES,
    Action,
    MemoryUser,
    TrialEnd,
    after_trial,
    after_worker,
    in_worker,
    is_out_of_memory,
    smaller_length,
    smaller_micro_batching,
)
from autotune.protocol.plan import MicroBatching
from autotune.protocol.results import Verdict

FOR_MEMORY = {Failure.OUT_OF_MEMORY, Failure.OVER_BUDGET, Failure.SUSPECTED}


@pytest.mark.parametrize("failure", Failure)
@pytest.mark.parametrize("asker", MemoryUser)
def test_only_a_lack_of_memory_is_met_with_less_at_a_time(
    asker: MemoryUser, failure: Failure
) -> None:
    action = after_worker(asker, failure, smaller=True)
    assert action is (Action.SHRINK_IN_NEW_PROCESS if failure in FOR_MEMORY else None)


def test_a_process_takes_a_doubtful_error_for_memory_once() -> None:
    assert is_out_of_memory(Failure.SUSPECTED)
    assert not is_out_of_memory(Failure.SUSPECTED, suspected_before=True)
    assert is_out_of_memory(Failure.OUT_OF_MEMORY, suspected_before=True)
    assert not is_out_of_memory(None)


def test_a_worker_goes_on_by_itself_only_while_weights_are_whole_and_the_memory_comes_back() -> (
    None
):
    assert in_worker(Action.SHRINK, kept_bytes=SLACK_BYTES) is Action.SHRINK
    assert in_worker(Action.SHRINK, kept_bytes=SLACK_BYTES + 1) is Action.SHRINK_IN_NEW_PROCESS
    assert in_worker(Action.SHRINK, weights_moved=True) is Action.SHRINK_IN_NEW_PROCESS
    assert in_worker(Action.RETRY, kept_bytes=10 * SLACK_BYTES) is Action.RETRY
    assert in_worker(None, weights_moved=True) is Action.GIVE_UP


@pytest.mark.parametrize(
    ("asker", "failure", "shrunk", "action"),
    [
        (MemoryUser.TRAINING, Failure.OUT_OF_MEMORY, True, Action.RETRY_IN_NEW_PROCESS),
        (MemoryUser.TRAINING, Failure.OUT_OF_MEMORY, False, Action.GIVE_UP),
        (MemoryUser.TRAINING, Failure.SUSPECTED, False, Action.GIVE_UP),
        (MemoryUser.SCORING, Failure.OVER_BUDGET, False, Action.GIVE_UP),
        (MemoryUser.SCORING, Failure.SUSPECTED, False, None),
    ],
)
def test_with_nothing_smaller_left_a_fresh_process_is_tried_only_by_one_that_came_down_to_it(
    asker: MemoryUser, failure: Failure, shrunk: bool, action: Action | None
) -> None:
    assert after_worker(asker, failure, smaller=False, shrunk=shrunk) is action


def ended(
    verdict: Verdict,
    failure: Failure | None,
    *,
    doubtful: bool = False,
    reported: bool = False,
    on_card: bool = True,
    before: Verdict | None = None,
) -> TrialEnd:
    return TrialEnd(verdict, failure, doubtful, reported, on_card, before)


@pytest.mark.parametrize(
    ("end", "action"),
    [
        (ended(Verdict.FITS, None), Action.ACCEPT),
        (ended(Verdict.OUT_OF_MEMORY, Failure.OUT_OF_MEMORY, reported=True), Action.ACCEPT),
        (
            ended(Verdict.OUT_OF_MEMORY, Failure.SUSPECTED, doubtful=True, reported=True),
            Action.SHRINK_IN_NEW_PROCESS,
        ),
        (ended(Verdict.SPILLED, None, doubtful=True), Action.RETRY_IN_NEW_PROCESS),
        (ended(Verdict.SPILLED, None, doubtful=True, before=Verdict.SPILLED), Action.ACCEPT),
        (ended(Verdict.CRASHED, Failure.CRASHED), Action.RETRY_IN_NEW_PROCESS),
        (ended(Verdict.CRASHED, Failure.LIBRARY, reported=True), Action.GIVE_UP),
        (ended(Verdict.CRASHED, Failure.BAD_JOB, reported=True), Action.GIVE_UP),
        # The second death of the same point.
        (ended(Verdict.CRASHED, Failure.CRASHED, before=Verdict.CRASHED), Action.ACCEPT),
        (
            ended(Verdict.CRASHED, Failure.POISONED, reported=True, before=Verdict.CRASHED),
            Action.GIVE_UP,
        ),
        (ended(Verdict.CRASHED, Failure.HOST_MEMORY, before=Verdict.CRASHED), Action.GIVE_UP),
        (
            ended(Verdict.CRASHED, Failure.HOST_MEMORY, on_card=False, before=Verdict.CRASHED),
            Action.ACCEPT,
        ),
    ],
)
def test_the_probe_believes_a_trial_that_says_something_about_size(
    end: TrialEnd, action: Action
) -> None:
    assert after_trial(end) is action


def micro_batching(tokens: int, checkpointing: bool = False) -> MicroBatching:
    return MicroBatching(micro_batch_tokens=tokens, gradient_checkpointing=checkpointing)


def test_a_step_is_halved_down_to_the_longest_row_then_checkpointed_then_no_smaller() -> None:
    assert smaller_micro_batching(micro_batching(512), 100) == micro_batching(256)
    assert smaller_micro_batching(micro_batching(1_000_000), 100, largest=400) == micro_batching(
        200
    )
    assert smaller_micro_batching(micro_batching(150), 100) == micro_batching(100)
    assert smaller_micro_batching(micro_batching(100), 100) == micro_batching(100, True)
    assert smaller_micro_batching(micro_batching(100, True), 100) is None


def test_a_doubtful_trial_is_settled_by_half_the_row_and_not_below_the_shortest() -> None:
    assert [smaller_length(length, 64) for length in (640, 100, 32)] == [320, 64, 32]


@pytest.mark.parametrize(
    "spelled",
    [
        "OUT_OF_MEMORY",
        "HOST_MEMORY",
        "SUSPECTED",
        "POISONED",
        "NUMERIC",
        "DISK",
        "BAD_JOB",
        "LIBRARY",
        "OTHER",
    ],
)
def test_a_failure_in_an_older_record_is_read_and_written_as_before(spelled: str) -> None:
    line = {"kind": "failed", "fault": spelled, "phase": "forward", "message": "why"}
    event = WORKER_EVENT.validate_json(json.dumps(line))
    assert isinstance(event, Failed)
    assert event.fault is Failure[spelled]
    assert json.loads(event.model_dump_json()) == {**line, "memory_bytes": None}


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (Failure.OUT_OF_MEMORY, "out of memory"),
        (Failure.OVER_BUDGET, "over budget"),
        (Failure.TIMED_OUT, "timed out"),
        (Failure.BAD_JOB, "bad job"),
        (Failure.POISONED, "crashed"),
        (Failure.CRASHED, "crashed"),
    ],
)
def test_a_person_reads_a_failure_in_plain_words(failure: Failure, words: str) -> None:
    assert failure.words == words
