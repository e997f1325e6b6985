"""Records and results as sentences for a person: the screen, plain lines and the report share them.

Sentences report what the records say. They hold text from outside as it came; whoever draws them
makes it harmless for its medium.
"""

from autotune.base.format import counted, duration, percent
from autotune.base.sizes import show_size
from autotune.data.retention_notes import fit_notes
from autotune.protocol import events
from autotune.protocol.data_notes import note_sentence, shown_notes, with_dropped
from autotune.protocol.events import Record
from autotune.protocol.failure import Failure
from autotune.protocol.result_text import (
    checkpoint_text,
    health_text,
    score_text,
)
from autotune.protocol.results import Fit
from autotune.run.state import StudyState, TrialState
from autotune.text.fit import describe_trial, fit_sentence, peak_sentence
from autotune.text.score import (
    in_full_sentence,
    outcome_text,
    partial_text,
    selection_bias_line,
)
from autotune.text.study import total_sentence
from autotune.text.training_events import (
    card_sentence,
    damaged_sentence,
    precision_sentence,
    resized_sentence,
    slept_sentence,
)
from autotune.text.training_plan import brief_plan


def describe(record: Record, state: StudyState | None = None) -> str | None:
    """One sentence for a noteworthy record, None for the others (steps, phases, answers).

    `state` holds the trials that name the record's trial; it may be older or newer than the record.
    """
    event = record.event
    label = trial_label(record, state)
    match event:
        case events.RunStarted():
            begin = "run resumed" if event.resumed else "run started"
            return (
                f"{begin}: profile {event.profile}, model {event.model}, data {event.data},"
                f" prompts {event.prompts} ({event.prompt_count}), device {event.device},"
                + (f" target {percent(event.target)}," if event.target else "")
                + f" strategies {' > '.join(event.strategies)}"
            )
        case events.ProbeTried(held=True):
            return None  # reported when it was tried
        case events.ProbeResumed():
            one = event.trials == 1
            trials, hold = ("trial", "holds and is") if one else ("trials", "hold and are")
            return f"the probe resumes: {event.trials} {trials} from before {hold} not repeated"
        case events.ProbeTried():
            return f"probe: {describe_trial(event.outcome)}"
        case events.Fitted():
            return fit_sentence(event.fit) + (f"; {event.note}" if event.note else "")
        case events.BaselineScored():
            return f"baseline {event.name}: {scored(event)}"
        case events.TrialStarted():
            named = f"trial {event.number} ({event.plan.strategy})"
            return f"{named}: training, {brief_plan(event.plan)}"
        case events.PeakCompared():
            return f"{label}: {peak_sentence(event)}"
        case events.TrainingFailed():
            return f"{label}: training failed: {event.reason}; what it saved is scored"
        case events.TrialEnded():
            end = "over" if event.failure is None else f"failed: {event.failure}"
            return f"{label}: {end}"
        case events.Evaluated():
            return f"{label}: {describe_evaluated(event)}"
        case events.BestInFull():
            return in_full_sentence(event)
        case events.BestCorrected():
            return selection_bias_line(event.candidates, event.corrected)
        case events.CheckpointsRemoved():
            return (
                f"{label}: {counted(len(event.names), 'judged checkpoint')} removed"
                f" ({', '.join(event.names)}), {show_size(event.freed_bytes)} free again"
            )
        case events.CheckpointDamaged():
            return f"{label}: {damaged_sentence(event)}"
        case events.Escalated():
            return f"moving on from {event.previous} to {event.next}: {event.reason}"
        case events.StudyTotal():
            return total_sentence(event)
        case events.RunEnded():
            return f"run over, target {'met' if event.met else 'not met'}: {event.reason}"
        case events.Notice():
            return event.sentence
        case events.LegacyEvent(kind="interrupted"):
            return f"interrupted: {event.message}"
        case _:
            return _describe_work(event, label)


def data_lines(surveyed: events.Surveyed | None, fit: Fit | None = None) -> tuple[str, ...]:
    """A sentence for what was found in the data, dropped rows first, and for what a fit cuts."""
    found = with_dropped(surveyed.dropped, surveyed.notes) if surveyed else ()
    return tuple(line for _, line in shown_notes((*found, *fit_notes(fit))))


def data_warnings(surveyed: events.Surveyed | None, fit: Fit | None = None) -> tuple[str, ...]:
    """Those of them that may make a result worthless."""
    found = surveyed.notes if surveyed else ()
    return tuple(note_sentence(n) for n in (*found, *fit_notes(fit)) if n.warning)


def _describe_work(event: events.RunEvent, label: str) -> str | None:
    """The sentence of what a worker reports while it works."""
    match event:
        case events.CheckpointSaved() if event.scored:
            at = event.checkpoint
            return f"{label}: {checkpoint_text(at)} saved at step {at.step}"
        case events.Resumed():
            torn = f"; damaged and passed over: {', '.join(event.torn)}" if event.torn else ""
            begin = f"resumes after step {event.step}" if event.step else "starts from step 0 again"
            return f"{label}: {begin}{torn}"
        case events.Surveyed():
            gone = sum(event.dropped.values())
            return f"data: {counted(event.conversations, 'conversation')}" + (
                f", {gone} dropped" * (gone > 0)
            )
        case events.Trained():
            skips = event.skipped_steps
            skipped = f" ({counted(skips, 'attempt')} overflowed in fp16)" if skips else ""
            return (
                f"{label}: trained {counted(event.steps, 'step')}{skipped} in"
                f" {duration(event.seconds)}, weights moved {percent(event.weights_moved, 3)}"
            )
        case events.MicroBatchResized():
            return f"{label}: {resized_sentence(event)}"
        case events.PrecisionChanged():
            return f"{label}: {precision_sentence(event)}"
        case events.CardSampled():
            return card_sentence(event)
        case events.Slept():
            return slept_sentence(event)
        case events.Advised():
            return f"{label}: advice: {event.message}"
        case events.Warned():
            return f"warning: {event.message}"
        case events.Failed(fault=Failure.BAD_JOB | Failure.LIBRARY):
            return None  # the command ends with the same words
        case events.Failed():
            phase = f" in {event.phase}" if event.phase else ""
            return f"{label}: worker stopped{phase}, {event.fault}: {event.message}"
        case _:
            return None


def trial_label(record: Record, state: StudyState | None) -> str:
    """`trial 0 (A)`: by the number in the record, else by the time at which it was written."""
    trials: list[TrialState] = list(state.trials) if state else []
    number = getattr(record.event, "number", None)
    if number is None:
        begun = [t for t in trials if t.started <= record.time]
        return f"trial {begun[-1].number} ({begun[-1].plan.strategy})" if begun else "worker"
    strategy = next((t.plan.strategy for t in trials if t.number == number), None)
    return f"trial {number}" + (f" ({strategy})" if strategy else "")


def scored(score: events.BaselineScored | events.Evaluated) -> str:
    """A score with n, interval and health: `6/24 25.0 % [12-45], stop 96 % ...`."""
    if score.score is None:
        return "no valid score"
    return f"{score_text(score.score, score.interval)}, {health_text(score.health, score.lift)}"


def describe_evaluated(event: events.Evaluated) -> str:
    """A checkpoint's score and what it means for the target."""
    head = checkpoint_text(event.checkpoint)
    if event.score is None:
        return f"{head} has no valid score" + (f": {event.problem}" if event.problem else "")
    if event.partial is not None:
        score = score_text(event.score, event.interval)
        return f"{head}: about {score}, {partial_text(event.score, event.partial)}"
    return f"{head} scores {scored(event)}, {outcome_text(event)}"


def trial_verdict(trial: TrialState) -> str:
    """Where a trial stands, in words."""
    best = trial.best
    if trial.failure is not None:
        # What it saved before counts like any other checkpoint.
        met = "target met; training " if best is not None and best.met else ""
        return f"{met}failed: {trial.failure}"
    if best is not None and best.met:
        return "target met"
    if trial.ended is None:
        return "training" if trial.trained is None else "scoring"
    if best is None:
        return "no valid score"
    return outcome_text(best)
