"""Records and results as sentences for a person: the screen, plain lines and the report share them.

Sentences report what the records say. They hold text from outside as it came; whoever draws them
makes it harmless for its medium.
"""

from collections.abc import Iterable

from autotune.base.format import about, at_most, counted, duration, percent
from autotune.base.sizes import show_size
from autotune.data.retention_notes import fit_notes
from autotune.protocol import events
from autotune.protocol.data_notes import note_sentence, shown_notes
from autotune.protocol.estimate import TrialEstimate
from autotune.protocol.events import Record
from autotune.protocol.failure import Failure
from autotune.protocol.result_text import (
    checkpoint_text,
    health_text,
    score_text,
)
from autotune.protocol.results import Fit
from autotune.run.state import StudyState
from autotune.run.trial_state import TrialState
from autotune.text.fit import describe_trial, fit_sentence, micro_batching_text, peak_sentence
from autotune.text.gain import NOT_BETTER, is_no_better
from autotune.text.practice import asked_sentence, made_sentence
from autotune.text.score import (
    in_full_sentence,
    outcome_text,
    partial_text,
    selection_bias_line,
)
from autotune.text.spot_check import spot_check_line
from autotune.text.study import total_sentence
from autotune.text.training_data import mixed_line, practice_line
from autotune.text.training_events import (
    card_sentence,
    damaged_sentence,
    held_out_sentence,
    lost_sentence,
    precision_sentence,
    repeats_sentence,
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
        case events.SpotChecked():
            return spot_check_line(event)
        case events.PracticeStarted():
            return asked_sentence(event)
        case events.PracticeMade():
            return made_sentence(event)
        case events.TrialStarted():
            named = f"trial {event.number} ({event.plan.strategy})"
            if event.repeats is not None:
                return f"{named}: {repeats_sentence(event)}"
            own = state.own_surveys.get(event.plan.strategy) if state else None
            data = f", data {own.data}" if own else ""
            expected = "" if event.expected is None else f"; {_expected(event.expected)}"
            return f"{named}: training, {brief_plan(event.plan)}{data}{expected}"
        case events.PeakCompared():
            return f"{label}: {peak_sentence(event)}"
        case events.TrainingFailed():
            return f"{label}: training failed: {event.reason}; what it saved is scored"
        case events.TrainingPruned():
            return f"{label}: training ended: {event.reason}{saved_is_scored(record, state)}"
        case events.HeldOutLoss():
            return f"{label}: {held_out_sentence(event, loss_before(record, state))}"
        case events.TrialEnded():
            end = "over" if event.failure is None else f"failed: {event.failure}"
            return f"{label}: {end}"
        case events.Evaluated():
            return f"{label}: {describe_evaluated(event)}"
        case events.BestInFull():
            return in_full_sentence(event)
        case events.BaselineInFull():
            return f"baseline {event.name} on all of these prompts: {scored(event)}"
        case events.BestCorrected():
            best = state.best.score if state is not None and state.best is not None else None
            score = None if best is None else best.accuracy
            return selection_bias_line(event.candidates, event.corrected, score)
        case events.CheckpointsRemoved():
            return (
                f"{label}: {counted(len(event.names), 'judged checkpoint')} removed"
                f" ({', '.join(event.names)}), {show_size(event.freed_bytes)} free again"
            )
        case events.CheckpointDamaged():
            return f"{label}: {damaged_sentence(event)}"
        case events.BestLost():
            return f"{label}: {lost_sentence(event)}"
        case events.Escalated():
            return f"moving on from {event.previous} to {event.next}: {event.reason}"
        case events.StudyTotal():
            return total_sentence(event)
        case events.RunEnded():
            end = f"run over, target {'met' if event.met else 'not met'}: {event.reason}"
            worse = state is not None and is_no_better(state)
            return f"the best checkpoint is {NOT_BETTER}; {end}" if worse else end
        case events.PracticeFound():
            return practice_line(event)
        case events.DataMixed():
            return mixed_line(event)
        case events.Notice():
            return event.sentence
        case events.LegacyEvent(kind="interrupted"):
            return f"interrupted: {event.message}"
        case _:
            return _describe_work(event, label)


def probing_sentence(started: events.ProbeTrialStarted) -> str:
    """What a trial of the probe tries: `probing 384 tokens, trial 1 of at most 6`."""
    point = started.point
    of = f" of at most {started.most}" if started.most is not None else ""
    if started.timed_conversations:
        return f"timing micro-batches of {micro_batching_text(point)}, trial {started.nth}{of}"
    return f"probing {counted(point.model_max_length, 'token')}, trial {started.nth}{of}"


def data_lines(surveys: Iterable[events.Surveyed], fit: Fit | None = None) -> tuple[str, ...]:
    """A sentence for what was found in each data, dropped rows first, and for what a fit cuts."""
    found = (note for surveyed in surveys for note in surveyed.found)
    return tuple(line for _, line in shown_notes((*found, *fit_notes(fit))))


def data_warnings(surveys: Iterable[events.Surveyed], fit: Fit | None = None) -> tuple[str, ...]:
    """Those of them that may make a result worthless."""
    found = (note for surveyed in surveys for note in surveyed.found)
    return tuple(note_sentence(n) for n in (*found, *fit_notes(fit)) if n.warning)


def cut_answers(fit: Fit | None) -> tuple[str, ...]:
    """How many answers each strategy that will have its turn cuts, where it cuts any."""
    planned = (found for found in fit.strategies.values() if found.planned) if fit else ()
    return tuple(note_sentence(found.cut) for found in planned if found.cut is not None)


def _expected(expected: TrialEstimate) -> str:
    """How long a trial is expected to take, training and scoring."""
    span = at_most if expected.at_most else about
    return f"training and scoring take {span(expected.seconds)}"


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
            data = f"data {event.name}" if event.name else "data"
            return f"{data}: {counted(event.conversations, 'conversation')}" + (
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
    trial = trial_of(record, state)
    number = getattr(record.event, "number", None)
    if number is None:
        return f"trial {trial.number} ({trial.plan.strategy})" if trial else "worker"
    return f"trial {number}" + (f" ({trial.plan.strategy})" if trial else "")


def trial_of(record: Record, state: StudyState | None) -> TrialState | None:
    """The trial that a record is of: see `trial_label`."""
    trials: list[TrialState] = list(state.trials) if state else []
    number = getattr(record.event, "number", None)
    if number is None:
        return next((t for t in reversed(trials) if t.started <= record.time), None)
    return next((t for t in trials if t.number == number), None)


def loss_before(record: Record, state: StudyState | None) -> events.HeldOutLoss | None:
    """The held-out loss of a record's trial before training, where it is known."""
    trial = trial_of(record, state)
    return trial.held_out.get(0) if trial else None


def saved_is_scored(record: Record, state: StudyState | None) -> str:
    """The end of a sentence on a training that was ended: what becomes of its checkpoints."""
    trial = trial_of(record, state)
    return "; what it saved is scored" if trial and trial.checkpoints else ""


def scored(score: events.BaselineScored | events.BaselineInFull | events.Evaluated) -> str:
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
    best = trial.best_scored
    # What it saved before counts like any other checkpoint.
    met = best is not None and best.met
    if trial.failure is not None:
        return f"{'target met; training ' if met else ''}failed: {trial.failure}"
    if trial.pruned is not None:
        return f"{'target met; ' if met else ''}training ended: {trial.pruned.reason}"
    if best is not None and best.checkpoint.place in trial.lost:
        return f"{outcome_text(best)}, but its weights are lost"
    if best is not None and best.met:
        return "target met"
    if trial.ended is None:
        return "training" if trial.trained is None else "scoring"
    if best is None:
        return "no valid score"
    return outcome_text(best)
