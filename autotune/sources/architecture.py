"""The architecture of a model, without its weights: what a prediction needs of `--model`."""

from pathlib import Path

from autotune.errors import BadInput
from autotune.sources.hub import HubUnreachable, hub_file, unreachable
from autotune.sources.models import ModelSource, resolve_model
from autotune.sources.pypi import Say, say_nothing
from autotune.sources.reference import as_hub_id


def resolve_architecture(text: str, say: Say = say_nothing) -> ModelSource:
    """The model that `text` names, with a folder that holds at least its config.json.

    As `resolve_model`, but a folder needs no weights, and of a repository only the configuration
    is fetched. `demo` and `toy` may still have to be built.

    Raises:
        BadInput: no such folder or repository, or one without config.json.
        EnvironmentFault: it is not on this machine and cannot be fetched.
    """
    path = Path(text).expanduser()
    if path.is_dir() and text not in {"demo", "toy"}:
        if not (path / "config.json").is_file():
            raise BadInput(
                f"model folder {path}: config.json is missing; copy the model's, weights are not"
                " needed"
            )
        return ModelSource("folder", path.resolve(), path.resolve().name)
    reference = as_hub_id(text)
    if text in {"demo", "toy"} or path.exists() or reference is None:
        return resolve_model(text, say)
    try:
        config = hub_file(reference.repo, "model", reference.revision, "config.json")
    except HubUnreachable:
        raise unreachable("model", reference.repo) from None
    return ModelSource("folder", config.parent, text)
