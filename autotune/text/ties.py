"""Which other checkpoints are as good as the best one, and by which rule it is the best."""

from autotune.base.format import percent, safe
from autotune.run.state import StudyState

NAMED = 3
"""Checkpoints that are named; of more, only how many."""


def tie_sentence(state: StudyState) -> str | None:
    """That others count for as much as the best checkpoint; None where none does."""
    best = state.best
    if best is None or best.score is None or best.partial is not None:
        return None
    equal = [
        f"trial {trial.number} ({safe(trial.plan.strategy)}) at"
        f" {percent(scored.checkpoint.progress, 0)}"
        f"{', average' if scored.checkpoint.averaged else ''}"
        for trial in state.trials
        for scored in trial.scored
        if scored is not best
        and scored.rank == best.rank
        and scored.checkpoint.place not in trial.lost
    ]
    if not equal:
        return None
    named = equal if len(equal) <= NAMED else equal[: NAMED - 1]
    more = f"; {len(equal) - len(named)} more" if len(named) < len(equal) else ""
    same = "Counts for as much as the best"
    if best.chosen_by is not None:
        same = "Equal to the best on the half of the prompts that chooses"
    return f"{same}: {'; '.join(named)}{more}. Of equal ones the first that was scored is the best."
