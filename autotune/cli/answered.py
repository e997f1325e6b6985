"""Where answers that are already there lie: a file, an evaluation's folder, a run, a checkpoint."""

from dataclasses import dataclass
from pathlib import Path

from autotune.errors import BadInput
from autotune.rundir import RunDir
from autotune.study import StudyState, replay

RESPONSES = "responses.jsonl"


@dataclass(frozen=True, slots=True)
class Answered:
    """A file of answers, and the run that it belongs to, if any."""

    responses: Path
    run: RunDir | None


def find_answers(target: Path) -> Answered:
    """The answers that a path stands for.

    Raises:
        BadInput: there is no such path, or no answers belong to it.
    """
    run = run_of(target)
    if target.is_file():
        return Answered(target, run)
    if not target.exists():
        raise BadInput(f"{target}: no such file or folder; give answers, a run or its checkpoint")
    if (target / RESPONSES).is_file():
        return Answered(target / RESPONSES, run)
    where = _evaluated(target, run) if run is not None else None
    if where is not None and (where / RESPONSES).is_file():
        return Answered(where / RESPONSES, run)
    raise BadInput(
        f"{target}: no answers are here ({RESPONSES}); score it first with smolsft-autotune eval"
        f" {target}, and give the folder of that run"
    )


def run_of(path: Path) -> RunDir | None:
    """The run whose folder holds `path`, or is it."""
    for folder in (path, *path.absolute().parents):
        run = RunDir(folder)
        if run.run_toml.is_file() and run.prompts.is_file():
            return run
    return None


def untrained_answers(model: Path) -> Path | None:
    """What the model of the same run answered before training, if it did."""
    run = run_of(model) if model.exists() else None
    responses = run.eval_folder("untrained") / RESPONSES if run is not None else None
    return responses if responses is not None and responses.is_file() else None


def state_of(run: RunDir) -> StudyState:
    """What a run's record says."""
    return replay(run.records())


def _evaluated(target: Path, run: RunDir) -> Path | None:
    """The folder of the evaluation of a run, of its best checkpoint, or of one of the others."""
    here, root = target.absolute(), run.root.absolute()
    if here in (root, run.best.absolute()):
        best = state_of(run).best
        # A folder that `eval MODEL` made holds one model and no study.
        return (
            run.eval_folder("model")
            if best is None
            else run.checkpoint_eval(best.number, best.checkpoint)
        )
    parts = here.relative_to(root).parts
    if len(parts) == 4 and parts[0] == "trials" and parts[2] == "checkpoints":
        return run.eval_folder(f"trial-{parts[1]}-{parts[3]}")
    return None
