"""The score files that an evaluation leaves in a run's folder, as far as they fit the record."""

from pathlib import Path

from pydantic import ValidationError

from autotune.protocol import events
from autotune.protocol.results import EvalReport
from autotune.protocol.scores import Metric
from autotune.run.answering import SCORES
from autotune.run.folder import RunDir
from autotune.run.state import StudyState


def kept_scores(folder: Path, score: Metric) -> EvalReport | None:
    """What was scored in a folder, if it can be read and its score is the one on record."""
    try:
        found = EvalReport.model_validate_json((folder / SCORES).read_bytes())
    except (OSError, ValidationError):
        return None
    return found if found.score == score else None


def untrained_folder(rundir: RunDir) -> Path:
    """Where the answers of the model before training lie."""
    return rundir.eval_folder("untrained")


def before_and_after_scores(
    state: StudyState, rundir: RunDir
) -> tuple[EvalReport | None, EvalReport | None]:
    """Those of the untrained model and of the best checkpoint, None each where not known.

    A best that was not answered to its end has none.
    """
    before, best = state.baselines.get("untrained"), state.best
    first = kept_scores(untrained_folder(rundir), before.score) if before is not None else None
    if best is None or best.score is None or best.partial is not None:
        return first, None
    return first, kept_scores(best_folder(rundir, best), best.score)


def best_folder(rundir: RunDir, best: events.Evaluated) -> Path:
    """Where the answers of the best checkpoint lie."""
    return rundir.checkpoint_eval(best.number, best.checkpoint)
