"""Which model `synth` asks: the one named, a checkpoint, a run's best, or the profile's."""

from pathlib import Path

from autotune.base.errors import BadInput
from autotune.base.format import quoted
from autotune.base.home import from_home
from autotune.cli.folder_work import PRACTICE, work_in
from autotune.cli.misplaced import meant_for
from autotune.run.folder import RunDir
from autotune.run.record_cache import RecordCache
from autotune.sources.model_folder import check_model_folder, is_model_folder
from autotune.sources.named import MODELS


def model_to_ask(model: str | None, start_from: Path | None) -> str | None:
    """The source of the model, as `[model] source` has it; None for the profile's own.

    Raises:
        BadInput: both were given, `start_from` is no checkpoint and no run with a best one, or the
            model is a file.
    """
    if model is not None and start_from is not None:
        raise BadInput(
            f"synth {model} --from {start_from}: takes one model; leave out one of the two"
        )
    if start_from is not None:
        return str(checkpoint_at(start_from))
    if model is not None and from_home(model).is_file():
        meant = meant_for(model, ("--prompts", "--profile"))
        near = f"; did you mean {meant}?" if meant else ""
        raise BadInput(
            f"synth {model}: is a file; give the folder that holds model.safetensors{near}"
        )
    return model


def checkpoint_at(place: Path, word: str = "--from") -> Path:
    """The model folder that a path means: the folder itself, or the best checkpoint of a run.

    `word` is what was typed before it, for a refusal.

    Raises:
        BadInput: there is none.
    """
    if not place.exists():
        if str(place) in MODELS:
            raise BadInput(
                f"{word} {place}: names a model, and this takes a folder: a run's, or a model's;"
                f" smolsft-autotune run --model {quoted(str(place))} makes a run of it"
            )
        raise BadInput(
            f"{word} {place}: no such folder; give a checkpoint, or the folder of a run with a best"
            " one"
        )
    if place.is_file():
        raise BadInput(
            f"{word} {place}: is a file; give the folder of a checkpoint, or that of its run"
        )
    rundir = RunDir(place)
    if not rundir.run_toml.is_file():
        try:
            check_model_folder(place)
        except BadInput as error:
            raise BadInput(f"{word}: {error}") from None
        return place
    if is_model_folder(rundir.best):
        return rundir.best
    if work_in(place) is PRACTICE:
        raise BadInput(
            f"{word} {place}: holds practice data, not a run with checkpoints; give a run that was"
            " trained on it, or a checkpoint"
        )
    raise BadInput(f"{word} {place}: {_without_best(rundir)}")


def _without_best(rundir: RunDir) -> str:
    """Why there is no whole `best/`, and what to do."""
    best = RecordCache().of(rundir).state.best
    resume = f"smolsft-autotune run --run-dir {quoted(str(rundir.root))}"
    if best is None:
        return (
            f"this run has no best checkpoint yet; resume it with --run-dir"
            f" {quoted(str(rundir.root))}, or give a checkpoint of it (trials/0000/checkpoints/...)"
        )
    gone = "is damaged" if rundir.best.is_dir() else "is not there any more"
    source = rundir.checkpoint(best.number, best.checkpoint)
    if is_model_folder(source):
        return (
            f"its best/ {gone}; give what it was the copy of, {quoted(str(source))}, or have it"
            f" copied again: {resume}"
        )
    return f"its best/ {gone}, nor is the checkpoint that it was the copy of; resume it: {resume}"
