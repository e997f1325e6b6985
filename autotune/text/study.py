"""A study that several hosts work at, in words."""

from autotune.base.format import counted, percent
from autotune.protocol.events import StudyTotal
from autotune.protocol.result_text import score_text
from autotune.protocol.scores import Metric
from autotune.score.stats import wilson


def total_sentence(total: StudyTotal) -> str:
    """The best of all hosts, where it lies, and among how many it was chosen."""
    best = total.best_trial
    hosts = counted(len({t.host for t in total.trials if t.host}), "host")
    trials = f"{counted(len(total.trials), 'trial')} on {hosts}"
    if best is None or best.passes is None or not best.n:
        return f"study {total.study}: no valid score in {trials}"
    score = score_text(Metric.of(best.passes, best.n), wilson(best.passes, best.n))
    less = best.counts is not None and best.counts < best.passes / best.n
    counts = f", which counts for {percent(best.counts or 0.0)}" if less else ""
    worth = "" if total.corrected is None else f", about {percent(total.corrected)} without that"
    return (
        f"study {total.study}: best of all hosts {score}{counts}, trial {best.number}"
        f" ({best.strategy}) on {best.host}, {best.card}: {best.checkpoint}; chosen among"
        f" {counted(total.candidates, 'checkpoint')} of {trials}{worth}"
    )
