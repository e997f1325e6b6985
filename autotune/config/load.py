"""Profiles on disk: found by name or path, read from TOML, all its faults reported together."""

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autotune.base.errors import BadInput
from autotune.base.format import counted
from autotune.base.home import from_home
from autotune.base.near import near_name
from autotune.base.sizes import GIB
from autotune.config.explain import faults_of
from autotune.config.profile import Profile
from autotune.device.find import Device
from autotune.device.kinds import KINDS

GPU_PROFILE = "rtx4060-laptop-8gb"
"""That of the card which is planned for where none is named: a laptop's, with 8 GB."""

LAPTOP_BYTES = (7 * GIB, 9 * GIB)
"""What a card sold with 8 GB may report; some of it is the driver's own."""

CPU_PROFILE = KINDS["cpu"].profile
DEMO_PROFILE = "cpu-demo"
TOY_PROFILE = "cpu-smoke"


LONGEST_LINE = 60
"""Characters of a faulty line that are shown."""

_PLACE = re.compile(r"\(at line (\d+)")


def profiles_folder() -> Path:
    """The folder of the profiles that come with the tool: in the wheel, or in the source tree."""
    package = Path(__file__).resolve().parents[1]
    shipped = package / "_profiles"
    return shipped if shipped.is_dir() else package.parent / "profiles"


def list_profiles() -> tuple[Profile, ...]:
    """The profiles that come with the tool, by name."""
    return tuple(read_profile(path) for path in sorted(profiles_folder().glob("*.toml")))


def profile_names() -> list[str]:
    """What `--profile` takes beside files."""
    return sorted(path.stem for path in profiles_folder().glob("*.toml"))


def find_profile(name_or_path: str) -> Profile:
    """The profile of that name, else the file at that path.

    Raises:
        BadInput: neither is there, or the file has faults.
    """
    return read_profile(profile_path(name_or_path))


def profile_path(name_or_path: str) -> Path:
    """The TOML file that `--profile` names.

    Raises:
        BadInput: no such profile and no such file.
    """
    known = {path.stem: path for path in sorted(profiles_folder().glob("*.toml"))}
    if name_or_path in known:
        return known[name_or_path]
    path = from_home(name_or_path)
    if path.is_file():
        return path
    if name_or_path.lower() in known:
        return known[name_or_path.lower()]
    if path.is_dir():
        raise BadInput(
            f"profile {name_or_path}: is a folder; give a .toml file"
            + _among(sorted(path.glob("*.toml")))
        )
    own = path.with_name(f"{path.name}.toml")
    near = str(own) if own.is_file() else near_name(name_or_path, known)
    hint = f"did you mean {near}? " if near else ""
    raise BadInput(
        f"profile {name_or_path}: no such profile or file; {hint}known are {', '.join(known)}"
    )


def name_or_file(typed: str) -> str:
    """What names a profile that was typed, from now on: its name if it comes with the tool.

    One of a file is found by its file only, whatever it is called in there.

    Raises:
        BadInput: as `profile_path`.
    """
    path = profile_path(typed)
    return path.stem if path.parent == profiles_folder() else typed


def _among(paths: Sequence[Path]) -> str:
    """The files of a folder that may have been meant."""
    return f", such as {paths[0]}" if paths else ""


def pick_profile(device: Device) -> str:
    """The name of the profile for a machine with this device."""
    low, high = LAPTOP_BYTES
    of_laptop = device.traits.is_card and "laptop" in device.name.lower()
    if of_laptop and low <= (device.total_bytes or 0) <= high:
        return GPU_PROFILE
    return device.traits.profile


def card_profiles() -> list[str]:
    """What `pick_profile` may name for a card."""
    return [GPU_PROFILE, *(entry.profile for entry in KINDS.values() if entry.is_card)]


def read_profile(path: Path) -> Profile:
    """The profile in a TOML file.

    Raises:
        BadInput: not UTF-8 or not TOML in one line; else one line for the file and one more for
            each fault in it.
    """
    return _checked(parse_toml(path, f"profile {path}"), path)


def parse_profile(text: str, path: Path) -> Profile:
    """The profile in a text that is to become a file, or the faults that it would have there.

    Raises:
        BadInput: as `read_profile`.
    """
    return _checked(parse_toml_text(text, f"profile {path}"), path)


def _checked(document: dict[str, Any], path: Path) -> Profile:
    # Read as JSON, where strictness still takes a list for a tuple and a string for an enum. What
    # JSON has no word for (a date) becomes a string, which no key of another type accepts.
    text = json.dumps(document, default=str)
    faults = faults_of(document, text)
    if not faults:
        return Profile.model_validate_json(text)
    count = counted(len(faults), "fault")
    raise BadInput("\n".join([f"profile {path}: {count}", *(f"  {fault}" for fault in faults)]))


def parse_toml(path: Path, what: str) -> dict[str, Any]:
    """The document of a TOML file; `what` is what an error calls the file.

    Raises:
        BadInput: not UTF-8 or not TOML, in one line.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")  # Notepad writes a byte order mark
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{what}: not UTF-8 at byte {error.start}; save the file as UTF-8"
        ) from error
    except OSError as error:
        raise BadInput(f"{what}: cannot be read ({error.strerror or error})") from error
    return parse_toml_text(text, what)


def parse_toml_text(text: str, what: str) -> dict[str, Any]:
    """The document in a text; `what` is what an error calls it.

    Raises:
        BadInput: not TOML, in one line.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{what}{_toml_fault(error, text)}") from error


def _toml_fault(error: tomllib.TOMLDecodeError, text: str) -> str:
    """`:3: not TOML: ...`: TOML's own reason, with the line as it stands in the file."""
    reason = " ".join(str(error).split())
    place = _PLACE.search(reason)
    if place is None:  # "at end of document": something is not closed
        return f": not TOML: {reason}"
    number = int(place.group(1))
    lines = text.splitlines()
    line = lines[number - 1].strip() if number <= len(lines) else ""
    shown = line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}..."
    twice = "; a key or a table may stand only once" if "overwrite" in reason else ""
    return f":{number}: not TOML: {reason}: {shown}{twice}"
