"""What the best checkpoint of a run is worth without the luck of having been chosen."""

from pydantic import ValidationError

from autotune import events
from autotune.evaluate.selection import correct_for_choice
from autotune.outcome import EvalReport
from autotune.session import Session


def correct_choice(session: Session, seed: int) -> events.Chosen | None:
    """The corrected score of the best checkpoint so far, from the verdicts of its rivals.

    Healthy checkpoints go before others, so a healthy best was up against the healthy ones. None
    where there was no choice, where it was made by other prompts (a holdout), or where not every
    checkpoint has a verdict on every prompt.
    """
    state = session.state
    best = state.best
    scored = [
        e for t in state.trials for e in t.evaluations.values() if e.prompt_strict is not None
    ]
    if best is None or len(scored) < 2 or any(e.chosen_by is not None for e in scored):
        return None
    rivals = [e for e in scored if not e.unhealthy] if not best.unhealthy else scored
    table: list[dict[int, bool]] = []
    for each in rivals:
        folder = session.rundir.eval_folder(f"trial-{each.number:04d}-{each.checkpoint.name}")
        try:
            report = EvalReport.model_validate_json((folder / "scores.json").read_bytes())
        except (OSError, ValidationError):
            return None
        table.append({verdict.key: verdict.strict for verdict in report.verdicts})
    keys = list(table[0])
    if not keys or any(set(row) != set(keys) for row in table):
        return None
    found = correct_for_choice([[row[key] for key in keys] for row in table], seed)
    return events.Chosen(candidates=len(scored), corrected=found.corrected, interval=found.interval)
