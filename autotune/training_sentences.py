"""What a training changed on its way, as sentences for a person."""

from autotune import events
from autotune.figures import checkpoint_text

_NAMES = {"forward": "the forward pass", "backward": "the backward pass", "optimizer": "the update"}


def recut_sentence(event: events.Recut) -> str:
    """Where memory ran out, in what pieces, and how it goes on."""
    where = _NAMES.get(event.phase, event.phase or "a worker")
    head = f"out of memory in {where} of step {event.step} with {event.before.words}"
    again = "done again" if event.same_process else "going on from the last checkpoint"
    if event.after != event.before:
        same = f"the same {event.batch_size} conversations a step"
        return f"{head}; {again} with {event.after.words}, {same}"
    how = "after giving back what was free" if event.same_process else "in a new process"
    return f"{head}; {again} {how}"


def precision_sentence(event: events.PrecisionChanged) -> str:
    """Why a precision was given up, and for which."""
    return (
        f"{event.before} given up at step {event.step} ({event.reason}): going on in {event.after},"
        " with the same fp32 master weights"
    )


def damaged_sentence(event: events.CheckpointDamaged) -> str:
    """What is wrong with a checkpoint that was to be scored, and what becomes of it."""
    then = "made again" if event.again else "not scored"
    return f"{checkpoint_text(event.checkpoint)} is damaged ({event.fault}), so it is {then}"
