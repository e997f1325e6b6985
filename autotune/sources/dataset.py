"""`--data`: a chat file, a dataset of the hub, or chats that come with the tool."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from autotune.base.errors import AutotuneError, BadInput
from autotune.base.files import no_plain_file
from autotune.base.format import either
from autotune.base.home import from_home
from autotune.base.near import did_you_mean, near_name
from autotune.data.file_kinds import READ_ENDINGS, readable
from autotune.data.files import RecordStream
from autotune.data.formats import format_of
from autotune.data.unpack import check_kind
from autotune.demo import PRACTICE, TOY_CONVERSATIONS
from autotune.protocol.choices import SYNTH
from autotune.sources.digest import is_lfs_pointer
from autotune.sources.hub import (
    HubId,
    HubUnreachable,
    as_hub_id,
    hub_file,
    hub_files,
    hub_folder,
    unreachable,
)
from autotune.sources.named import DATA
from autotune.sources.say import Say, say_nothing

MOST_LOOKED_AT = 20
"""Files of a folder of which the first record is read, to name one that holds conversations."""

_PATTERNS = ("*.json", "*.jsonl")
"""What is taken of a dataset on the hub."""

_GIVE = readable(".json", ".jsonl")
_NOT_DATA = {"dataset_infos.json", "dataset_info.json", "config.json", "croissant.json"}


@dataclass(frozen=True, slots=True)
class DataSource:
    """A chat file on this machine and what to call it on the screen."""

    path: Path
    label: str


def resolve_data(text: str, say: Say = say_nothing) -> DataSource:
    """The chat file that `text` names: a name of `sources.named.DATA`, a path, or a hub id.

    Raises:
        BadInput: no such file or dataset, or a dataset without exactly one JSON file to take.
        EnvironmentFault: the hub cannot be reached and its cache does not hold the dataset.
    """
    if text in DATA:
        return DATA[text]()
    if text == SYNTH:
        raise BadInput(
            f'data {text}: practice data is what a strategy trains on (data = "{SYNTH}" in its'
            " [[strategy]]); make it with smolsft-autotune synth and give the file here"
        )
    path = from_home(text)
    if path.is_dir():
        if (path / "config.json").is_file():
            raise BadInput(
                f"data {text}: is a model's folder; give it with --model, and a file of"
                " conversations here"
            )
        inside = _data_files(path)
        such = f", such as {inside[0]}" if inside else f" ({_GIVE})"
        raise BadInput(f"data {text}: is a folder; give the file of conversations in it{such}")
    if path.is_file():
        if is_lfs_pointer(path):
            raise BadInput(f"data {text}: is a git-lfs pointer; run git lfs pull to get the file")
        check_kind(path)  # before a process that loads torch would find it
        return DataSource(path.resolve(), path.name)
    reference = as_hub_id(text)
    if reference is None or path.exists():
        if (near := _near(path)) is not None:
            raise BadInput(f"data {text}: no such file; did you mean {near}?")
        raise BadInput(
            f"data {text}: {no_plain_file(path)}; give a file ({_GIVE}), a hub id such as"
            f" PeterV09/smol-smoltalk-6k, {either(DATA)}{did_you_mean(text, DATA)}"
        )
    return DataSource(_from_hub(reference.repo, reference.revision, say), text)


def _near(path: Path) -> Path | None:
    """The data file beside one that is not there that is named nearly like it."""
    if path.exists() or not path.parent.is_dir():
        return None
    near = near_name(path.name, [each.name for each in _data_files(path.parent)])
    return path.with_name(near) if near else None


def _data_files(folder: Path) -> list[Path]:
    """What may be data in a folder: conversations first, then by `READ_ENDINGS`, so JSON first."""
    found = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in READ_ENDINGS]
    found = [path for path in found if path.name not in _NOT_DATA and path.is_file()]
    found.sort(key=lambda path: READ_ENDINGS.index(path.suffix.lower()))
    looked = [path for path in found[:MOST_LOOKED_AT] if _holds_conversations(path)]
    return [*looked, *(path for path in found if path not in looked)]


def _holds_conversations(path: Path) -> bool:
    """Whether its first record is of a format that is known."""
    try:
        return any(format_of(row) for _, row in islice(RecordStream(path), 1))
    except (AutotuneError, OSError):
        return False


def demo_data() -> DataSource:
    """The practice chats that come with the tool."""
    return DataSource(PRACTICE, "demo practice chats")


def toy_data() -> DataSource:
    """The short conversations that come with the tool, for the toy."""
    return DataSource(TOY_CONVERSATIONS, "toy conversations")


def demand_hub_data(data: HubId) -> None:
    """Refuse a dataset that cannot be had, as far as that is known before anything is fetched.

    Raises:
        BadInput: there is none, or one without exactly one JSON file to take.
        EnvironmentFault: the hub cannot be reached and its cache does not hold it.
    """
    try:
        _only_json(data.repo, hub_files(data.repo, "dataset", data.revision))
    except HubUnreachable:
        _cached(data.repo, data.revision)


def _from_hub(repo: str, revision: str | None, say: Say) -> Path:
    try:
        names = hub_files(repo, "dataset", revision)
        name = _only_json(repo, names)
        return hub_file(repo, "dataset", revision, name, say)
    except HubUnreachable:
        return _cached(repo, revision)


def _cached(repo: str, revision: str | None) -> Path:
    """The dataset's file in the hub's own cache, for a machine that is offline now."""
    try:
        folder = hub_folder(repo, "dataset", revision, _PATTERNS, cached_only=True)
    except HubUnreachable:
        raise unreachable("data", repo) from None
    names = tuple(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    if not any(_is_json(name) for name in names):
        raise unreachable("data", repo)
    return folder / _only_json(repo, names)


def _only_json(repo: str, names: tuple[str, ...]) -> str:
    """The one JSON file to train on: the only one there is, or the only one for training."""
    found = [name for name in names if _is_json(name)]
    train = [name for name in found if "train" in PurePosixPath(name).name.lower()]
    for choice in (found, train):
        if len(choice) == 1:
            return choice[0]
    if not found:
        others = sorted({PurePosixPath(n).suffix for n in names} - {"", ".md", ".gitattributes"})
        seen = f", only {', '.join(others)}" if others else ""
        remedy = "convert it to JSON lines"
        if any(ending in READ_ENDINGS for ending in others):
            remedy = "give the path of the file that you want"
        raise BadInput(
            f"data {repo}: the dataset holds no .json or .jsonl file{seen}; download it and"
            f" {remedy}"
        )
    shown = ", ".join(sorted(found)[:4]) + (" ..." if len(found) > 4 else "")
    raise BadInput(
        f"data {repo}: the dataset holds {len(found)} JSON files ({shown}), one is needed; download"
        " the one you want and give its path"
    )


def _is_json(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in {".json", ".jsonl"} and path.name not in _NOT_DATA
