"""What a training changed on its way and what was seen beside its steps, as sentences."""

from autotune.base.format import counted, duration, percent
from autotune.protocol import events
from autotune.protocol.result_text import checkpoint_text
from autotune.run.state import StudyState

_NAMES = {"forward": "the forward pass", "backward": "the backward pass", "optimizer": "the update"}


def resized_sentence(event: events.MicroBatchResized) -> str:
    """Where memory ran out, in what pieces, and how it continues."""
    where = _NAMES.get(event.phase, event.phase or "a worker")
    head = f"out of memory in {where} of step {event.step} with {event.before.words}"
    again = "repeated" if event.same_process else "resuming from the last checkpoint"
    if event.after != event.before:
        same = f"the same {counted(event.batch_size, 'conversation')} a step"
        return f"{head}; {again} with {event.after.words}, {same}"
    how = "after freeing cached memory" if event.same_process else "in a new process"
    return f"{head}; {again} {how}"


def precision_sentence(event: events.PrecisionChanged) -> str:
    """Why a precision was given up, and for which."""
    return (
        f"{event.before} given up at step {event.step} ({event.reason}): continuing in"
        f" {event.after}, with the same fp32 master weights"
    )


def held_out_sentence(event: events.HeldOutLoss, before: events.HeldOutLoss | None = None) -> str:
    """`held-out loss 1.612 at 20 % (1.732 before training)`; the first says of how many."""
    loss = "no finite number" if event.loss is None else f"{event.loss:.3f}"
    if not event.step:
        count = counted(event.conversations, "conversation")
        return f"held-out loss {loss} before training, on {count} that it never trains on"
    was = f" ({before.loss:.3f} before training)" if before and before.loss is not None else ""
    return f"held-out loss {loss} at {percent(event.progress, 0)}{was}"


def damaged_sentence(event: events.CheckpointDamaged) -> str:
    """What is wrong with a checkpoint that was to be scored, and what becomes of it."""
    then = "made again" if event.again else "not scored"
    return f"{checkpoint_text(event.checkpoint)} is damaged ({event.fault}), so it is {then}"


def lost_sentence(event: events.BestLost) -> str:
    """What is wrong with the best checkpoint, and what becomes of its score."""
    return (
        f"the weights of {checkpoint_text(event.checkpoint)}, the best so far, are lost"
        f" ({event.fault}) and best/ is no whole copy of them; its score stays on record, and the"
        " next best whose weights are there takes its place, or the trial is trained again"
    )


def repeats_sentence(event: events.TrialStarted) -> str:
    """Why a plan is trained for a second time."""
    return (
        f"trains trial {event.repeats} again, with the same plan and seed, because the weights of"
        " its best checkpoint are lost and none other is left"
    )


def card_sentence(event: events.CardSampled) -> str | None:
    """What began or ended to hold the card's clock down, None where nothing did."""
    reasons = []
    if event.began:
        reasons.append(f"throttled by {', '.join(event.began)}")
    if event.ended:
        reasons.append(f"no longer throttled by {', '.join(event.ended)}")
    if not reasons:
        return None
    heat = "" if event.celsius is None else f"{event.celsius:.0f} C"
    power = "" if event.watts is None else power_text(event.watts, event.limit_watts)
    state = ", ".join(part for part in (heat, power) if part)
    return f"card: {' and '.join(reasons)}" + (f" ({state})" if state else "")


def power_text(watts: float, limit_watts: float | None) -> str:
    """`61 of 115 W`, without the limit where it is not known."""
    return f"{watts:.0f} W" if limit_watts is None else f"{watts:.0f} of {limit_watts:.0f} W"


def slept_sentence(event: events.Slept) -> str:
    """How long nothing ran, and that it does no harm."""
    return (
        f"nothing ran for {duration(event.seconds)}: the computer slept or the program was stopped;"
        " nothing is lost, and speed and time left leave it out"
    )


def advice_lines(state: StudyState) -> list[str]:
    """The advice on all trials, in order."""
    return [
        f"trial {trial.number} ({trial.plan.strategy}): {advised.message}"
        for trial in state.trials
        for advised in trial.telemetry.advice
    ]
