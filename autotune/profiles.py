"""Profiles on disk: found by name or path, read from TOML, all faults of a file told at once."""

import difflib
import json
import tomllib
from pathlib import Path
from typing import Any

from autotune.device import Device
from autotune.errors import BadInput
from autotune.profile import Profile
from autotune.profile_faults import faults_of

GPU_PROFILE = "rtx4060-laptop-8gb"
CPU_PROFILE = "cpu-smollm2"


def profiles_folder() -> Path:
    """The folder of the profiles that come with the tool: in the wheel, or in the source tree."""
    package = Path(__file__).resolve().parent
    shipped = package / "_profiles"
    return shipped if shipped.is_dir() else package.parent / "profiles"


def list_profiles() -> tuple[Profile, ...]:
    """The profiles that come with the tool, by name."""
    return tuple(read_profile(path) for path in sorted(profiles_folder().glob("*.toml")))


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
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    near = difflib.get_close_matches(name_or_path, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise BadInput(
        f"profile {name_or_path}: no such profile or file; {hint}known are {', '.join(known)}"
    )


def pick_profile(device: Device) -> str:
    """The name of the profile for a machine: with an NVIDIA card, or without one."""
    return GPU_PROFILE if device.kind == "cuda" else CPU_PROFILE


def read_profile(path: Path) -> Profile:
    """The profile in a TOML file.

    Raises:
        BadInput: not UTF-8 or not TOML in one line; else one line for the file and one more for
            each fault in it.
    """
    document = _parse(path)
    # Read as JSON, where strictness still takes a list for a tuple and a string for an enum. What
    # JSON has no word for (a date) becomes a string, which no key of another type accepts.
    text = json.dumps(document, default=str)
    faults = faults_of(document, text)
    if not faults:
        return Profile.model_validate_json(text)
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    raise BadInput("\n".join([f"profile {path}: {count}", *(f"  {fault}" for fault in faults)]))


def _parse(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes().decode("utf-8-sig")  # Notepad writes a byte order mark
    except UnicodeDecodeError as error:
        raise BadInput(
            f"profile {path}: not UTF-8 at byte {error.start}; save the file as UTF-8"
        ) from error
    except OSError as error:
        raise BadInput(f"profile {path}: cannot be read ({error.strerror or error})") from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason = " ".join(str(error).split())
        raise BadInput(f"profile {path}: not TOML: {reason}; a key may stand only once") from error
