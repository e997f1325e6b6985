"""What happens when memory runs out: what is tried next, in which process, and when that ends.

All of it is decided here; who runs out of memory asks with the failure and what was tried already.

- In a worker (`in_worker`) a training step and a batch of answers are made smaller and done again
  in the same process, as long as the memory comes back; a checkpoint is saved again.
- Training and scoring (`after_worker`) begin again in a new process where the worker could not go
  on: training from the last checkpoint with a smaller micro-batch, then with gradient
  checkpointing; scoring with half as many answers at a time. With nothing smaller left they fail.
- A trial of the probe (`after_trial`) asks what fits, so lack of memory is its answer. Where it is
  in doubt, one more trial in a new process decides it.

Every lack of memory has less to try after it, so none of this needs a count. Deaths for other
reasons are counted by `deaths`.
"""

from dataclasses import dataclass
from enum import StrEnum

from autotune.base.sizes import MIB
from autotune.protocol.failure import Failure
from autotune.protocol.plan import MicroBatching
from autotune.protocol.results import Verdict

SLACK_BYTES = 128 * MIB
"""How much more may be held after cleaning than before the attempt. cuBLAS takes workspaces from
torch's allocator at its first products and keeps them, 8 MiB a thread and 32 on Hopper; a CPU's
resident memory counts libraries that are loaded on the way. A micro-batch that is still held is
larger on anything that can run out of memory."""

MORE_MEMORY = (
    "close other programs, raise the memory that a process may use (--vram-budget where the command"
    " has it), or use shorter or fewer conversations (--max-conversations)"
)
"""What to do where a job has no smaller parts."""

_LACKS = frozenset({Failure.OUT_OF_MEMORY, Failure.OVER_BUDGET, Failure.SUSPECTED})


class Action(StrEnum):
    """What is done after a failure."""

    SHRINK = "less at a time, in this process"
    RETRY = "the same again, in this process"
    SHRINK_IN_NEW_PROCESS = "less at a time, in a new process"
    RETRY_IN_NEW_PROCESS = "the same again, in a new process"
    ACCEPT = "nothing: the failure is the answer"
    GIVE_UP = "nothing: no more can be tried"


class MemoryUser(StrEnum):
    """Who has a worker do something that can be done with less memory."""

    TRAINING = "training"
    SCORING = "scoring"


@dataclass(frozen=True, slots=True)
class TrialEnd:
    """How a trial of the probe ended.

    Its verdict is in doubt (`doubtful`) where memory is not all that it can be for: an error that a
    full card raises among others, a slow step. `reported`: the worker said itself what it failed
    of. `before` is the verdict on the trial of the same point that this one was to decide.
    """

    verdict: Verdict
    failure: Failure | None
    doubtful: bool
    reported: bool
    on_card: bool
    before: Verdict | None = None


def is_out_of_memory(failure: Failure | None, *, suspected_before: bool = False) -> bool:
    """Whether less at a time could help.

    An error that only may be for memory is taken for it once by a process: a device that it has
    made unusable fails at every further call, whatever its size.
    """
    if failure is Failure.SUSPECTED and suspected_before:
        return False
    return failure in _LACKS


def in_worker(
    next_try: Action | None, *, weights_moved: bool = False, kept_bytes: int = 0
) -> Action:
    """What a worker does about a lack of memory.

    Args:
        next_try: what the work itself offers: SHRINK a step or answers, RETRY a save once, None
            where nothing smaller is left.
        weights_moved: half of an update may be done, so only the last checkpoint is sure.
        kept_bytes: what is still held after cleaning. It does not matter to a save, which holds
            nothing that could be made smaller.
    """
    if next_try is None:
        return Action.GIVE_UP
    stuck = next_try is Action.SHRINK and kept_bytes > SLACK_BYTES
    return Action.SHRINK_IN_NEW_PROCESS if weights_moved or stuck else next_try


def after_worker(
    asker: MemoryUser, failure: Failure, *, smaller: bool, shrunk: bool = False
) -> Action | None:
    """What training or scoring does about a worker's failure; None where it is not for memory.

    Args:
        asker: which of them.
        failure: what the worker failed of.
        smaller: whether less than what it ended with can be tried.
        shrunk: it came down to that by itself. Its process was then full of the remains of several
            attempts, so a new one may do with the same.
    """
    if not is_out_of_memory(failure):
        return None
    if shrunk:
        return Action.RETRY_IN_NEW_PROCESS
    if smaller:
        return Action.SHRINK_IN_NEW_PROCESS
    if asker is MemoryUser.SCORING and failure is Failure.SUSPECTED:
        return None  # one answer at a time was hardly too much
    return Action.GIVE_UP


def after_trial(end: TrialEnd) -> Action:
    """What the probe does after a trial, until its verdict says something about the point's size.

    SHRINK_IN_NEW_PROCESS: where a smaller trial fits and the size fails again, it was memory.
    RETRY_IN_NEW_PROCESS: a step that was slow on a full card has spilled only if it is so in a
    fresh process; a poisoned device says nothing about size. One that dies twice without a word
    counts as too big, for so does a system end a process that takes all its memory; on a CPU a
    shorter row needs less of that, beside a card it does not.
    """
    first = end.before is None
    if end.doubtful and first:
        spilled = end.verdict is Verdict.SPILLED
        return Action.RETRY_IN_NEW_PROCESS if spilled else Action.SHRINK_IN_NEW_PROCESS
    if end.verdict is not Verdict.CRASHED or end.before is Verdict.SPILLED:
        return Action.ACCEPT
    if end.failure in (Failure.BAD_JOB, Failure.LIBRARY):
        return Action.GIVE_UP
    if first:
        return Action.RETRY_IN_NEW_PROCESS
    no_matter_of_size = end.reported or (end.on_card and end.failure is Failure.HOST_MEMORY)
    return Action.GIVE_UP if no_matter_of_size else Action.ACCEPT


def smaller_micro_batching(
    micro_batching: MicroBatching, longest_row: int, largest: int | None = None
) -> MicroBatching | None:
    """The next smaller micro-batching of a step: half the micro-batch, then gradient checkpointing.

    Args:
        micro_batching: how steps are split now.
        longest_row: tokens of the longest row that will come; half of less splits nothing.
        largest: tokens of the largest micro-batch that was at hand, where that is known. Half of a
            limit that it never reached would be the same pieces again.
    """
    now = min(micro_batching.micro_batch_tokens, largest or micro_batching.micro_batch_tokens)
    tokens = max(longest_row, now // 2)
    if tokens < now:
        return micro_batching.model_copy(update={"micro_batch_tokens": tokens})
    if not micro_batching.gradient_checkpointing:
        return micro_batching.model_copy(update={"gradient_checkpointing": True})
    return None


def smaller_length(length: int, shortest: int) -> int:
    """Tokens of the row whose trial decides a doubtful one: half, or the shortest there is."""
    return max(min(shortest, length), length // 2)


def scoring_remedy(failure: Failure) -> str:
    """What a person reads behind the reason of an evaluation that failed, "" if nothing."""
    return "; raise --vram-budget" if failure is Failure.OVER_BUDGET else ""
