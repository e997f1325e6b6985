"""What a run was asked for, as `run.toml` has it, and whether that is asked for again.

Files and folders that the user named stand there from the root, so that the same is meant in every
working directory. Where such a path differs, content decides, which the record keeps by its sha256.
"""

import json
import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from autotune.base.errors import BadInput, EnvironmentFault
from autotune.base.home import from_home
from autotune.cli.folder_work import RUN
from autotune.config.difference import difference_of
from autotune.config.load import profile_names
from autotune.config.profile import Profile
from autotune.run.content import recorded_content, same_content
from autotune.run.folder import RunDir
from autotune.sources.hub import as_hub_id
from autotune.sources.named import NAMES

SOURCES = ("model", "data", "prompts")
"""The tables of a profile whose `source` may be a path."""


@dataclass(frozen=True, slots=True)
class Source:
    """A key of settings whose value may be a path: `table[key]`, a `part` of what a run works with.

    `strategy` is whose own data it is, None where it is the run's.
    """

    part: str
    strategy: str | None
    table: dict[str, Any]
    key: str

    @property
    def text(self) -> str:
        """What stands there."""
        return str(self.table[self.key])

    def change(self, text: str) -> None:
        """Put something else there."""
        self.table[self.key] = text


def sources_in(tree: dict[str, Any]) -> list[Source]:
    """Every source that settings name."""
    found = [Source(part, None, tree[part], "source") for part in SOURCES if part in tree]
    for table in tree.get("strategy", ()):
        if "data" in table:
            found.append(Source("data", str(table.get("name")), table, "data"))
    return found


def settings_text(profile: Profile) -> str:
    """A profile as TOML, as it stands in `run.toml`."""
    tree = profile.model_dump(mode="json", exclude_none=True, by_alias=True)
    for source in sources_in(tree):
        source.change(from_root(source.text))
    return tomli_w.dumps(tree)


def from_root(source: str) -> str:
    """A path with all that is above it; names, hub ids, and what is no valid text, as they are."""
    path = from_home(source)
    if source in NAMES or (as_hub_id(source) is not None and not path.exists()):
        return source
    whole = os.path.abspath(path)
    return whole if is_text(whole) else source


def is_text(path: str) -> bool:
    """Whether a path can be written down: a name in Linux may hold bytes that are no UTF-8."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def stored_settings(folder: Path) -> str | None:
    """The settings that a folder's run was started with; None where no run was.

    Raises:
        EnvironmentFault: they are there and cannot be read.
    """
    path = RunDir(folder).run_toml
    try:
        text = path.read_bytes().decode("utf-8")
        tomllib.loads(text)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        return None
    except UnicodeDecodeError as error:
        raise damaged(path, f"not UTF-8 at byte {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        raise damaged(path, f"not TOML: {' '.join(str(error).split())}") from None
    except OSError as error:
        raise damaged(path, error.strerror or str(error)) from None
    if not text.strip():
        raise damaged(path, "empty")
    return text


def damaged(path: Path, why: str) -> EnvironmentFault:
    """What a run was asked for cannot be read: nothing may go on in its folder."""
    return EnvironmentFault(
        f"{path}: damaged ({why}), so what this run was asked for is not known; put the file back"
        " from a copy, or start a new run with another --run-dir (checkpoints and answers of this"
        " one stay)"
    )


def difference(
    stored: str, profile: Profile, folder: Path, may_change: Sequence[str] = RUN.may_change
) -> str | None:
    """With what a run was started, where that is not what is asked for now, and what to do.

    None for the same run. Places of the profile that `may_change` are not looked at.

    A setting that the run's version of the tool did not know has its default. Two paths are the
    same where the record says that what was there is what is here now.
    """
    wanted = settings_text(profile)
    if stored == wanted:
        return None
    old, new = tomllib.loads(stored), tomllib.loads(wanted)
    filled = _filled(old)
    if filled is None and _lacks_keys(old):
        raise damaged(RunDir(folder).run_toml, "its end is missing")
    if old.get("name") != profile.name:
        return _another_profile(str(old.get("name")))
    if filled is None:
        return _other_settings(old, new)
    for place in may_change:
        table, _, key = place.partition(".")
        for tree in (filled, new):
            if key:
                tree.get(table, {}).pop(key, None)
            else:
                tree.pop(table, None)
    now = {(source.part, source.strategy): source for source in sources_in(new)}
    for before in sources_in(filled):
        after = now.get((before.part, before.strategy))
        if after is not None and _same_source(before, after.text, profile, folder):
            before.change(after.text)
    if filled == new:
        return None
    return _other_settings(filled, new)


def _lacks_keys(tree: dict[str, Any]) -> bool:
    """Whether a setting is not there that every version writes: the end of the file is lost."""
    try:
        Profile.model_validate_json(json.dumps(tree, default=str))
    except ValidationError as error:
        return any(each["type"] == "missing" for each in error.errors(include_url=False))
    return False


def _filled(tree: dict[str, Any]) -> dict[str, Any] | None:
    """Settings with the defaults of this version; None where it does not know them all."""
    try:
        known = Profile.model_validate_json(json.dumps(tree, default=str))
    except ValidationError:
        return None
    return known.model_dump(mode="json", exclude_none=True, by_alias=True)


def _same_source(source: Source, now: str, profile: Profile, folder: Path) -> bool:
    """Whether another path stands for the same content, as far as that is known here.

    A relative path, of an older version, is where it would be found from here, or by the same name:
    from where it was typed then is not on record. What is there is held against the record later.
    """
    before = source.text
    if before == now or not os.path.isabs(now):
        return False
    if not os.path.isabs(before):
        typed = Path(before.replace("\\", "/"))
        return os.path.abspath(typed) == now or Path(now).name == typed.name
    began = recorded_content(RunDir(folder))
    try:
        return began is not None and same_content(source.part, began, Path(now), source.strategy)
    except (BadInput, OSError):
        return False


def _another_profile(name: str) -> str:
    """The profile of a run, and how it is given again: one of a file is not found by its name."""
    shipped = name in profile_names()
    return f"profile {name}; add --profile {name if shipped else 'with its file'}"


def _other_settings(before: dict[str, Any], now: dict[str, Any]) -> str:
    return f"other settings ({difference_of(before, now)}); use those"
