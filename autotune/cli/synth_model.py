"""Which model `synth` asks: the one named, a checkpoint, a run's best, or the profile's."""

from pathlib import Path

from autotune.base.errors import BadInput
from autotune.base.format import quoted
from autotune.cli.folder_work import PRACTICE, work_in
from autotune.cli.misplaced import meant_for
from autotune.run.folder import RunDir
from autotune.sources.model_folder import check_model_folder, is_model_folder


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
    if model is not None and Path(model).expanduser().is_file():
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
    place = place.expanduser()
    if not place.exists():
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
    raise BadInput(
        f"{word} {place}: this run has no best checkpoint yet; resume it with --run-dir"
        f" {quoted(str(place))}, or give a checkpoint of it (trials/0000/checkpoints/...)"
    )
