"""A spot check in words: what a few prompts that decide nothing say, and what they cannot."""

from autotune.base.format import counted, percent
from autotune.protocol import events
from autotune.protocol.result_text import health_text, score_text
from autotune.run.state import StudyState

_MODELS = {"untrained": "the model before training", "best": "the best checkpoint"}


def spot_check_line(event: events.SpotChecked) -> str:
    """One model's answers, for the timeline."""
    return (
        f"spot check on {event.prompts}: {_MODELS[event.of]} passes"
        f" {score_text(event.score, event.interval)}, {health_text(event.health, event.lift)}"
    )


def spot_check_sentence(state: StudyState) -> str | None:
    """Before and after training, and whether so few prompts can tell; None without a check."""
    before, after = state.spot_checks.get("untrained"), state.spot_checks.get("best")
    if before is None:
        return None
    total = before.score.total
    prompts = f"{counted(total, 'prompt')} of {before.prompts}"
    told = f"For a taste, {prompts}: {score_text(before.score, before.interval)} before training"
    if after is None or not _is_of_best(after, state):
        return f"{told}."
    told += f", {score_text(after.score, after.interval)} after"
    if before.interval[0] <= after.interval[1] and after.interval[0] <= before.interval[1]:
        return (
            f"{told}. {counted(total, 'prompt')} cannot tell whether that is better: one of them is"
            f" {percent(1 / total)}, and the intervals overlap."
        )
    return f"{told}. The intervals do not overlap; all prompts of {before.prompts} tell how much."


def _is_of_best(check: events.SpotChecked, state: StudyState) -> bool:
    best = state.best
    return best is not None and (check.number, check.checkpoint) == (best.number, best.checkpoint)
