"""What a person should take from a run, and what to do next: the end of the screen, the report."""

from pathlib import Path

from autotune.base.format import counted, percent, quoted
from autotune.config.load import DEMO_PROFILE
from autotune.protocol.events import BaselineScored, Evaluated
from autotune.protocol.result_text import score_text
from autotune.protocol.scores import DEFAULT_SCORER
from autotune.run.folder import RunDir
from autotune.run.state import StudyState
from autotune.score.registry import find_scorer
from autotune.score.scorer import Baseline, Scorer
from autotune.sources.named import TOY_MODEL
from autotune.text.gain import gain_in_full_sentence, gain_sentence, is_no_better
from autotune.text.learned import learned_sentence, strategies_sentence
from autotune.text.score import (
    ended_early_line,
    in_full_sentence,
    lift_text,
    no_lift_line,
    partial_text,
    selection_bias_line,
    unhealthy_lines,
)
from autotune.text.spot_check import spot_check_sentence
from autotune.text.study import total_sentence
from autotune.text.ties import tie_sentence
from autotune.text.training_data import practice_sentence

TOY = (
    "This was the toy: a model of 100 thousand weights that shows the path, and whose scores say"
    " nothing of a language model. The real demo: smolsft-autotune demo."
)


def is_toy(state: StudyState) -> bool:
    """Whether the model of a run that trained is the toy."""
    return state.run is not None and state.run.model == TOY_MODEL and bool(state.trials)


def scorer_of(state: StudyState) -> Scorer:
    """What judges the answers of a run."""
    return find_scorer(state.run.scorer if state.run is not None else DEFAULT_SCORER)


def beaten_by(state: StudyState) -> Baseline | None:
    """The baseline without a model that is at least as good as the best checkpoint, if any."""
    best = state.best
    if best is None or best.score is None or best.partial:
        return None
    for each in scorer_of(state).baselines:
        scored = state.baselines.get(each.name)
        if scored is not None and _is_as_good(scored, best):
            return each
    return None


def _is_as_good(baseline: BaselineScored, best: Evaluated) -> bool:
    """By what of both is following; by the scores where that is not known of both."""
    if baseline.lift is not None and best.lift is not None:
        return baseline.lift.share >= best.lift.share
    return best.score is not None and baseline.score.accuracy >= best.score.accuracy


def conclusions(state: StudyState, rundir: RunDir | None = None) -> list[str]:
    """What a person should take from the run, in order of weight.

    Of `rundir` the files of scores are read, for what the record does not count by kind of rule.

    That its best is no better than the untrained model comes before everything else, and with the
    first sentence that the model was a toy.
    """
    if _is_probe(state):
        return outcome(state)
    told = (
        strategies_sentence(state),
        tie_sentence(state),
        learned_sentence(state, rundir),
        spot_check_sentence(state),
    )
    in_full, own = gain_in_full_sentence(state), gain_sentence(state)
    *all_prompts, own_prompts = _verdicts(state)
    lines = [line for line in (*all_prompts, in_full, own_prompts, own) if line is not None]
    if is_no_better(state) and (first := in_full or own) is not None:
        lines.remove(first)
        lines.insert(0, first)
    if is_toy(state):
        lines[0] += f" {TOY}"
    return [*lines, *(line for line in told if line is not None), *_worth(state)]


def outcome(state: StudyState) -> list[str]:
    """What became of the target first, then what the best score is worth."""
    if _is_probe(state):
        return ["What fits was asked for; nothing has been trained."]
    return [*_verdicts(state), *_worth(state)]


def _is_probe(state: StudyState) -> bool:
    return state.run is not None and not state.run.target and not state.trials


def _worth(state: StudyState) -> list[str]:
    """What the best score is worth, and what it is due to."""
    lines: list[str] = []
    best, full = state.best, state.best_in_full
    if state.total is not None:
        total = total_sentence(state.total)
        lines.append(f"{total[:1].upper()}{total[1:]}.")
    if line := practice_sentence(state):
        lines.append(line)
    if best is None or best.score is None:
        lost = any(trial.lost for trial in state.trials)
        why = "The weights of the best checkpoint are lost, and no other one has any."
        if lost or state.total is None:
            lines.append(why if lost else "No checkpoint has a valid score yet.")
        return lines
    if best.partial is not None:
        score = score_text(best.score, best.interval)
        lines.append(f"Best so far about {score}, {partial_text(best.score, best.partial)}.")
        return lines
    echo = state.baselines.get("echo")
    lines += unhealthy_lines(
        best.score,
        best.unhealthy,
        best.sound,
        echo.score if echo else None,
        scorer_of(state).health_checks,
    )
    own = "" if full is None else " on the run's own prompts"
    if line := no_lift_line(best.lift):
        lines.append(line)
    elif best.lift is not None:
        lines.append(f"Of the best score{own}: {lift_text(best.lift)}.")
    if best.chosen_by is not None:
        lines.append(
            f"Chosen by the other half of the prompts ({score_text(best.chosen_by, None)}): the"
            " score has no selection bias."
        )
    elif line := selection_bias_line(
        state.scored_checkpoints, state.corrected, best.score.accuracy, own
    ):
        lines.append(line)
    evaluations = (e for t in state.trials for e in t.evaluations.values())
    if line := ended_early_line(e.partial for e in evaluations):
        lines.append(line)
    if (beats := beaten_by(state)) is not None:
        scored = state.baselines[beats.name]
        lines.append(
            f"{beats.deed} scores {score_text(scored.score, scored.interval)} on the same prompts:"
            f" the best checkpoint is no better than {beats.likened}."
        )
    low, *_ = (best.interval if full is None else full.interval) or (1.0,)
    if state.run and (best.met if full is None else is_met(state)) and low < state.run.target:
        lines.append(
            f"The interval reaches down to {percent(low)}, below the target: on new prompts the"
            " score may miss it."
        )
    return lines


def _verdicts(state: StudyState) -> list[str]:
    """What became of the target: on all prompts of a source first, where that is known.

    Last on the run's own prompts.
    """
    target = f" of {percent(state.run.target)}" if state.run else ""
    best, full = state.best, state.best_in_full
    if state.ended is None:
        met = best is not None and best.met
        own = (
            f"Target{target} met; the run has not finished."
            if met
            else f"The run has not finished; the target{target} is not met so far."
        )
    else:
        met = state.ended.met
        own = f"Target{target} {'met' if met else 'not met'}: {state.ended.reason}."
    if full is None or state.run is None or not state.run.target:
        return [own]
    word = "met" if is_met(state) else "not met"
    counts = f" It counts for {percent(full.value)}." if full.value < full.score.accuracy else ""
    first = f"Target{target} {word}: {in_full_sentence(full)}.{counts}"
    if state.ended is None:
        return [first, f"On the run's own prompts: {own[:1].lower()}{own[1:]}"]
    own_prompts = f"On the run's own {counted(state.run.prompt_count, 'prompt')}"
    return [first, f"{own_prompts} it is {'met' if met else 'not met'}: {state.ended.reason}."]


def is_met(state: StudyState) -> bool:
    """Whether the target is met: on all prompts of a source where that is known, else on its own.

    What the run itself goes by, and ends by, are its own prompts.
    """
    if state.best_in_full is not None and state.run is not None:
        return state.best_in_full.value >= state.run.target
    return state.ended.met if state.ended else state.best is not None and state.best.met


def next_steps(state: StudyState, run_dir: Path) -> list[str]:
    """What to do now: a command or a change, one a line."""
    lines: list[str] = []
    if _is_probe(state) and state.fit is not None:
        typed = (
            f"--profile {quoted(str(RunDir(run_dir).run_toml))} --run-dir {quoted(str(run_dir))}"
        )
        return [f"train with it: smolsft-autotune run {typed}"]
    if state.ended is None:
        lines.append(
            "to resume: give the same command again, finished work is kept; or name the folder with"
            f" --run-dir {quoted(str(run_dir))}"
        )
    best = state.best
    full = scorer_of(state).full_set
    few = full is not None and state.run is not None and state.run.prompt_count < full.count
    if is_toy(state) and state.ended is not None:
        return [*lines, "the same path with real weights: smolsft-autotune demo"]
    if is_no_better(state):
        lines.append(
            "do not take best/ for an improvement: on these prompts the model as it was does no"
            " worse"
        )
    elif best is not None and full is not None and few and state.best_in_full is None:
        run = RunDir(run_dir)
        places = (run.checkpoint(best.number, best.checkpoint), run.best)
        folder = next((place for place in places if place.is_dir()), None)
        if folder is not None:
            lines.append(
                f"score it on all {counted(full.count, 'prompt')} of {full.title}: smolsft-autotune"
                f" eval {quoted(str(folder))} --prompts {full.source} --prompt-limit all"
            )
    there = best is not None and RunDir(run_dir).best.is_dir()
    if state.ended is not None and there and not is_no_better(state):
        of = quoted(str(run_dir))
        lines.append(
            f"talk with it: smolsft-autotune chat {of}; hand it on: smolsft-autotune export {of}"
            " --to gguf"
        )
    if state.ended is not None and not state.ended.met:
        searched = state.run is not None and state.run.searches
        more = (
            "more trials of the search: the same command with a higher --max-trials or --max-hours"
            if searched
            else "more trials of a strategy (n_trials and a search range in the profile)"
        )
        lines.append(f"to get further: more conversations, more epochs, or {more}")
    if state.ended is not None and state.run is not None and state.run.profile == DEMO_PROFILE:
        lines.append("with chats of your own: smolsft-autotune run --model demo --data FILE")
    return lines
