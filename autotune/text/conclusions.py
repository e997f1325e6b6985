"""What a person should take from a run, and what to do next: the end of the screen, the report."""

from pathlib import Path

from autotune.base.format import counted, percent, quoted
from autotune.protocol.result_text import score_text
from autotune.run.folder import RunDir
from autotune.run.state import StudyState
from autotune.text.score import (
    chosen_line,
    ended_early_line,
    in_full_sentence,
    partial_text,
    unhealthy_lines,
)

IFEVAL_PROMPTS = 541
"""Prompts of the whole IFEval set."""


def echo_beats(state: StudyState) -> bool:
    """Whether giving the prompts back unchanged scores at least what the best checkpoint does."""
    echo, best = state.baselines.get("echo"), state.best
    return bool(
        echo and best and best.prompt_strict and not best.partial
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
    if best.partial is not None:
        score = score_text(best.prompt_strict, best.interval)
        lines.append(
            f"Best so far about {score}, {partial_text(best.prompt_strict, best.partial)}."
        )
        return lines
    if state.best_in_full is not None:
        full = in_full_sentence(state.best_in_full)
        lines.append(f"{full[:1].upper()}{full[1:]}.")
    echo = state.baselines.get("echo")
    lines += unhealthy_lines(
        best.prompt_strict, best.unhealthy, best.sound, echo.prompt_strict if echo else None
    )
    if best.chosen_by is not None:
        lines.append(
            f"Chosen by the other half of the prompts ({score_text(best.chosen_by, None)}): the"
            " score has no selection bias."
        )
    elif line := chosen_line(state.scored_checkpoints, state.corrected):
        lines.append(line)
    scored = (e for t in state.trials for e in t.evaluations.values())
    if line := ended_early_line(e.partial for e in scored):
        lines.append(line)
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
                f" {counted(best.prompt_strict.total, 'prompt')} may be too few to distinguish"
                " them."
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
            "to resume: give the same command again, finished work is kept; or name the folder with"
            f" --run-dir {quoted(str(run_dir))}"
        )
    best = state.best
    few = state.run is not None and state.run.prompt_count < IFEVAL_PROMPTS
    if best is not None and few and state.best_in_full is None:
        folder = quoted(str(RunDir(run_dir).checkpoint(best.number, best.checkpoint)))
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
