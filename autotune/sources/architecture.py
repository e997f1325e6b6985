"""The architecture of a model, without its weights: what a prediction needs of `--model`."""

from pathlib import Path

from autotune.base.errors import BadInput
from autotune.base.home import from_home
from autotune.sources.hub import HubUnreachable, as_hub_id, hub_files, hub_folder, unreachable
from autotune.sources.known_architectures import known_architecture
from autotune.sources.model import LABELS, ModelSource, resolve_model
from autotune.sources.say import Say, say_nothing


def resolve_architecture(text: str, say: Say = say_nothing) -> ModelSource:
    """The model that `text` names, with a folder that holds at least its config.json.

    As `resolve_model`, but a folder needs no weights, and of a repository only the configuration
    is fetched, and nothing of one that is known here, as those of `MODELS` are.

    Raises:
        BadInput: no such folder or repository, or one without config.json.
        EnvironmentFault: it is not on this machine and cannot be fetched.
    """
    if text in LABELS and (folder := known_architecture(text)) is not None:
        return ModelSource("folder", folder, LABELS[text])
    path = from_home(text)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise BadInput(
                f"model folder {path}: config.json is missing; copy the model's, weights are not"
                " needed"
            )
        return ModelSource("folder", path.resolve(), path.resolve().name)
    reference = as_hub_id(text)
    if path.exists() or reference is None:
        return resolve_model(text, say)
    known = known_architecture(reference.repo) if reference.revision is None else None
    folder = known or _from_hub(reference.repo, reference.revision)
    return ModelSource("folder", folder, text)


def _from_hub(repo: str, revision: str | None) -> Path:
    """A folder of the hub's cache that holds the repository's config.json."""
    cached_only = False
    try:
        # Answers soon, or not at all; the download alone would try again for half a minute.
        if "config.json" not in hub_files(repo, "model", revision):
            raise BadInput(f"model {repo}: the repository has no config.json; give another one")
    except HubUnreachable:
        cached_only = True
    try:
        folder = hub_folder(repo, "model", revision, ("config.json",), cached_only=cached_only)
    except HubUnreachable:
        raise unreachable("model", repo) from None
    if not (folder / "config.json").is_file():
        raise unreachable("model", repo)
    return folder
