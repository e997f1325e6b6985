"""What the best checkpoint of a run is worth without the luck of having been chosen."""

from autotune import events
from autotune.contest import VERDICTS, read_verdicts
from autotune.evaluate.selection import correct_for_choice
from autotune.session import Session


def correct_choice(session: Session, seed: int) -> events.Chosen | None:
    """The corrected score of the best checkpoint so far, from the verdicts of its rivals.

    Healthy checkpoints go before others, so a healthy best was up against the healthy ones. None
    where there was no choice, where it was made by other prompts (a holdout), or where a checkpoint
    has no verdicts. One that was stopped early has those on its first prompts.
    """
    state = session.state
    best = state.best
    scored = [
        e for t in state.trials for e in t.evaluations.values() if e.prompt_strict is not None
    ]
    if best is None or len(scored) < 2 or any(e.chosen_by is not None for e in scored):
        return None
    rivals = [e for e in scored if not e.unhealthy] if not best.unhealthy else scored
    rivals.sort(key=lambda e: e is not best)
    table = [
        read_verdicts(session.rundir.checkpoint_eval(each.number, each.checkpoint) / VERDICTS)
        for each in rivals
    ]
    keys = list(table[0] or {})
    if any(not row or not set(row) <= set(keys) for row in table):
        return None
    found = correct_for_choice([[(row or {}).get(key) for key in keys] for row in table], seed)
    return events.Chosen(candidates=len(scored), corrected=found.corrected, interval=found.interval)
