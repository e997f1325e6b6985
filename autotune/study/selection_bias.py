"""What the best checkpoint of a run is worth without its selection bias."""

from collections.abc import Mapping, Sequence

from autotune.protocol import events
from autotune.run.session import Session
from autotune.score.bootstrap import correct_selection_bias
from autotune.score.stopping.stop_rule import read_verdicts

Verdicts = Mapping[int, bool]
"""Strict verdicts by prompt key: on all prompts, or on the first ones of the random order."""


def corrected_best(session: Session, seed: int) -> events.BestCorrected | None:
    """The corrected score of the best checkpoint so far, from the verdicts of all candidates.

    Checkpoints that lack something required go after all others, so a best that lacks nothing was
    not up against them. None where there was no choice, where it was made by other prompts (a
    holdout), or where a checkpoint has no verdicts.
    """
    state = session.state
    best = state.best
    scored = [e for t in state.trials for e in t.scored if e.checkpoint.place not in t.lost]
    if best is None or best.partial or len(scored) < 2:
        return None
    if any(e.chosen_by is not None for e in scored):
        return None
    candidates = [e for e in scored if e.value >= 0] if best.value >= 0 else scored
    candidates.sort(key=lambda e: e is not best)
    table = [
        read_verdicts(session.rundir.checkpoint_eval(each.number, each.checkpoint))
        for each in candidates
    ]
    if not all(table) or any(not row.keys() <= table[0].keys() for row in table):
        return None
    corrected, interval = without_selection_bias(table, seed)
    return events.BestCorrected(candidates=len(scored), corrected=corrected, interval=interval)


def without_selection_bias(
    table: Sequence[Verdicts], seed: int
) -> tuple[float, tuple[float, float]]:
    """The corrected score of the first candidate, which has all verdicts, and its interval.

    Candidates that were stopped early were compared by their first prompts only, and the rest of
    the winner's prompts had no part in that choice: in random order they are a fair sample of what
    it can do. So what selection adds on the first m of N prompts, among the candidates that
    answered them, counts for m/N of the score. Of these shares the largest is taken off.
    """
    whole = len(table[0])
    score = sum(table[0].values()) / whole
    worst, interval = -1.0, (0.0, 1.0)
    # The longest first: on a tie the interval is that of the most prompts.
    for keys in sorted({frozenset(row) for row in table}, key=len, reverse=True):
        asked = sorted(keys)
        among = [[row[key] for key in asked] for row in table if keys <= row.keys()]
        found = correct_selection_bias(among, seed)
        bias = (found.score - found.corrected) * len(asked) / whole
        if bias > worst:
            worst, interval = bias, found.interval
    return score - worst, interval
