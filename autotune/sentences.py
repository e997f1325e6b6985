"""Records and results as sentences for a person: the screen, plain lines and the report share them.

Sentences report what the records say. They hold text from outside as it came; whoever draws them
makes it harmless for its medium.
"""

from pathlib import Path

from autotune import events
from autotune.budget import show_size
from autotune.events import Record
from autotune.figures import (
    checkpoint_text,
    duration,
    health_text,
    percent,
    quoted,
    rate_text,
    score_text,
    shape_text,
)
from autotune.fit_sentences import describe_trial, fit_sentence, peak_sentence
from autotune.outcome import Fault
from autotune.score_sentences import chosen_line, partial_text, unhealthy_lines
from autotune.study import StudyState, TrialState
from autotune.training_sentences import precision_sentence, recut_sentence
from autotune.watch_sentences import card_sentence, slept_sentence

IFEVAL_PROMPTS = 541
"""Prompts of the whole IFEval set."""


def describe(record: Record, state: StudyState | None = None) -> str | None:
    """One sentence for a noteworthy record, None for the others (steps, phases, answers).

    `state` holds the trials that name the record's trial; it may be older or newer than the record.
    """
    event = record.event
    label = trial_label(record, state)
    match event:
        case events.RunStarted():
            begin = "run goes on" if event.resumed else "run started"
            return (
                f"{begin}: profile {event.profile}, model {event.model}, data {event.data},"
                f" prompts {event.prompts} ({event.prompt_count}), device {event.device},"
                + (f" target {percent(event.target)}," if event.target else "")
                + f" strategies {' > '.join(event.strategies)}"
            )
        case events.ProbeTried():
            return f"probe: {describe_trial(event.outcome)}"
        case events.Fitted():
            return fit_sentence(event.fit) + (f"; {event.note}" if event.note else "")
        case events.BaselineScored():
            return f"baseline {event.name}: {scored(event)}"
        case events.TrialStarted():
            plan = event.plan
            return (
                f"trial {event.number} ({plan.strategy}): training, lr"
                f" {rate_text(plan.learning_rate)},"
                f" {shape_text(plan.model_max_length, plan.max_rounds)} rounds,"
                f" {plan.total_steps} steps of {plan.batch_size} conversations"
            )
        case events.PeakCompared():
            return f"{label}: {peak_sentence(event)}"
        case events.TrialEnded():
            end = "over" if event.failure is None else f"failed: {event.failure}"
            return f"{label}: {end}"
        case events.Evaluated():
            return f"{label}: {describe_evaluated(event)}"
        case events.Chosen():
            return chosen_line(event.candidates, event.corrected)
        case events.CheckpointsRemoved():
            judged = "checkpoint" if len(event.names) == 1 else "checkpoints"
            return (
                f"{label}: {len(event.names)} judged {judged} removed"
                f" ({', '.join(event.names)}), {show_size(event.freed_bytes)} free again"
            )
        case events.DiskPlanned():
            return (
                f"disk: needs {show_size(event.needed_bytes)} at most,"
                f" {show_size(event.free_bytes)} free"
            )
        case events.Escalated():
            return f"moving on from {event.previous} to {event.next}: {event.reason}"
        case events.RunEnded():
            return f"run over, target {'met' if event.met else 'not met'}: {event.reason}"
        case events.Interrupted():
            return f"interrupted: {event.message}"
        case _:
            return _describe_work(event, label)


def _describe_work(event: events.RunEvent, label: str) -> str | None:
    """The sentence of what a worker reports while it works."""
    match event:
        case events.CheckpointSaved() if event.scored:
            at = event.checkpoint
            return f"{label}: {checkpoint_text(at)} saved at step {at.step}"
        case events.Resumed():
            torn = f"; damaged and passed over: {', '.join(event.torn)}" if event.torn else ""
            begin = f"goes on after step {event.step}" if event.step else "starts from step 0 again"
            return f"{label}: {begin}{torn}"
        case events.Surveyed():
            dropped = ", ".join(f"{why}: {n}" for why, n in event.dropped.items() if n)
            end = f", {sum(event.dropped.values())} dropped ({dropped})" if dropped else ""
            return f"data: {event.conversations} conversations{end}"
        case events.Trained():
            skips = event.skipped_steps
            skipped = f" ({skips} attempts overflowed in fp16)" if skips else ""
            return (
                f"{label}: trained {event.steps} steps{skipped} in {duration(event.seconds)},"
                f" weights moved {percent(event.weights_moved, 3)}"
            )
        case events.Recut():
            return f"{label}: {recut_sentence(event)}"
        case events.PrecisionChanged():
            return f"{label}: {precision_sentence(event)}"
        case events.Prepared():
            return f"model folder ready: {event.folder} ({event.parameters / 1e6:.1f} M parameters)"
        case events.CardSampled():
            return card_sentence(event)
        case events.Slept():
            return slept_sentence(event)
        case events.Advised():
            return f"{label}: advice: {event.message}"
        case events.Warned():
            return f"warning: {event.message}"
        case events.Failed(fault=Fault.BAD_JOB):
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
    if score.prompt_strict is None:
        return "no valid score"
    return f"{score_text(score.prompt_strict, score.interval)}, {health_text(score.health)}"


def describe_evaluated(event: events.Evaluated) -> str:
    """A checkpoint's score and what it means for the target."""
    head = checkpoint_text(event.checkpoint)
    if event.prompt_strict is None:
        return f"{head} has no valid score" + (f": {event.problem}" if event.problem else "")
    if event.partial is not None:
        score = score_text(event.prompt_strict, event.interval)
        return f"{head}: about {score}, {partial_text(event.prompt_strict, event.partial)}"
    if event.unhealthy:
        end = f"not a success: {'; '.join(event.unhealthy)}"
    else:
        end = "target met" if event.met else "below target"
    return f"{head} scores {scored(event)}, {end}"


def trial_verdict(trial: TrialState) -> str:
    """Where a trial stands, in words."""
    if trial.failure is not None:
        return f"failed: {trial.failure}"
    best = trial.best
    if best is not None and best.met:
        return "target met"
    if trial.ended is None:
        return "training" if trial.trained is None else "scoring"
    if best is None:
        return "no valid score"
    return f"unhealthy: {'; '.join(best.unhealthy)}" if best.unhealthy else "below target"


def echo_beats(state: StudyState) -> bool:
    """Whether giving the prompts back unchanged scores at least what the best checkpoint does."""
    echo, best = state.baselines.get("echo"), state.best
    return bool(
        echo and best and best.prompt_strict
        and echo.prompt_strict.accuracy >= best.prompt_strict.accuracy
    )  # fmt: skip


def conclusions(state: StudyState) -> list[str]:
    """What a person should take from the run, in order of weight."""
    lines: list[str] = []
    if state.run is not None and not state.run.target and not state.trials:
        return ["What fits was asked for; nothing has been trained."]
    target = percent(state.run.target) if state.run else "n/a"
    best = state.best
    if state.ended is not None:
        word = "met" if state.ended.met else "not met"
        lines.append(f"Target of {target} {word}: {state.ended.reason}.")
    elif best is not None and best.met:
        lines.append(f"Target of {target} met; the run has not finished.")
    else:
        lines.append(f"The run has not finished; the target of {target} is not met so far.")
    if best is None or best.prompt_strict is None:
        lines.append("No checkpoint has a valid score yet.")
        return lines
    echo = state.baselines.get("echo")
    lines += unhealthy_lines(
        best.prompt_strict, best.unhealthy, best.sound, echo.prompt_strict if echo else None
    )
    if best.chosen_by is not None:
        lines.append(
            f"Chosen by the other half of the prompts ({score_text(best.chosen_by, None)}): no"
            " luck of that choice is in the score."
        )
    elif line := chosen_line(state.scored_checkpoints, state.corrected):
        lines.append(line)
    ended_early = sum(e.partial is not None for t in state.trials for e in t.evaluations.values())
    if ended_early:
        these = "1 checkpoint was" if ended_early == 1 else f"{ended_early} checkpoints were"
        lines.append(
            f"{these} not answered to the end, for want of a chance to become the best; such scores"
            " are estimates. With --full everything is answered."
        )
    if echo is not None and echo_beats(state):
        lines.append(
            "Giving each prompt back unchanged scores"
            f" {score_text(echo.prompt_strict, echo.interval)} on the same prompts: the best"
            " checkpoint is no better than an echo."
        )
    untrained = state.baselines.get("untrained")
    if untrained is not None:
        gain = best.prompt_strict.accuracy - untrained.prompt_strict.accuracy
        lines.append(f"Training changed the score by {gain * 100:+.1f} points.")
        if best.interval and untrained.interval and _overlap(best.interval, untrained.interval):
            lines.append(
                "The 95 % intervals before and after overlap:"
                f" {best.prompt_strict.total} prompts may be too few to tell the two apart."
            )
    if best.met and state.run and best.interval and best.interval[0] < state.run.target:
        lines.append(
            f"The interval reaches down to {percent(best.interval[0])}, below the target: on new"
            " prompts the score may miss it."
        )
    return lines


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def next_steps(state: StudyState, run_dir: Path) -> list[str]:
    """What to do now: a command or a change, one a line."""
    lines: list[str] = []
    if state.ended is None:
        lines.append(
            "go on: give the same command again, nothing is done twice; or name the folder with"
            f" --run-dir {quoted(str(run_dir))}"
        )
    best = state.best
    if best is not None and state.run and state.run.prompt_count < IFEVAL_PROMPTS:
        folder = quoted(str(checkpoint_path(run_dir, best.checkpoint.folder)))
        lines.append(
            f"score it on all {IFEVAL_PROMPTS} prompts of IFEval: smolsft-autotune eval {folder}"
            " --prompts ifeval --prompt-limit all"
        )
    if state.ended is not None and not state.ended.met:
        lines.append(
            "to get further: more conversations, more epochs, or more trials of a strategy"
            " (n_trials and a search range in the profile)"
        )
    return lines


def checkpoint_path(run_dir: Path, folder: str) -> Path:
    """Where a checkpoint lies now, in the run folder as it is named now.

    The record names it as the run was called then: by another path, or before the folder was moved.
    """
    path = Path(folder)
    name = run_dir.absolute().name
    if name and name in path.parts:
        last = len(path.parts) - 1 - path.parts[::-1].index(name)
        return run_dir.joinpath(*path.parts[last + 1 :])
    return run_dir / path
