"""Which packages the tool needs and this machine lacks, and how they come from a folder of wheels.

Standard library only: this runs where nothing is installed yet. What is brought along goes into a
folder of its own that the steps are told of; the machine's own packages stay as they are.
"""

import importlib
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

EXTRA = ("pytest>=8.3", "hypothesis>=6.100", "tokenizers")
"""What the checks need beside the tool's own requirements."""

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


def canonical(name: str) -> str:
    """A package's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(requirement: str) -> str:
    """The package that a requirement names."""
    found = _NAME.match(requirement.strip())
    if found is None:
        raise ValueError(f"requirement {requirement!r}: names no package")
    return canonical(found.group())


def requirements(root: Path) -> list[str]:
    """What the tool in this checkout requires, by its pyproject.toml, and `EXTRA`."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *EXTRA]


def missing(asked: Iterable[str]) -> dict[str, str]:
    """Package -> what is wrong, for all that is asked for and all that it needs in turn."""
    faults: dict[str, str] = {}
    seen: set[str] = set()
    queue = list(asked)
    while queue:
        requirement = queue.pop()
        name = name_of(requirement)
        if not applies(requirement):
            continue
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            faults.setdefault(name, "missing")
            continue
        if not satisfies(found, requirement):
            faults[name] = f"{found} is here, {requirement} is needed"
        if name not in seen:
            seen.add(name)
            queue += importlib.metadata.requires(name) or []
    return dict(sorted(faults.items()))


def applies(requirement: str) -> bool:
    """Whether it is for this machine; one of an optional extra is not."""
    if "extra ==" in requirement.replace('"', "'").replace("extra==", "extra =="):
        return False
    if ";" not in requirement:
        return True
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return False  # what needs it is missing too, and asked for again once it is there
    marker = Requirement(requirement).marker
    return marker is None or marker.evaluate()


def satisfies(version: str, requirement: str) -> bool:
    """Whether a version meets the requirement; True where nothing can compare them yet."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return True
    return Requirement(requirement).specifier.contains(version, prereleases=True)


def wheels_for(names: Iterable[str], folder: Path) -> dict[str, Path]:
    """Package -> its wheel in the folder, for those that have one."""
    found = {canonical(wheel.name.split("-")[0]): wheel for wheel in sorted(folder.glob("*.whl"))}
    return {name: found[name] for name in names if name in found}


def install(wheels: Iterable[Path], site: Path) -> None:
    """Unpack wheels into the folder `site`, without an index and without what they ask for.

    Raises:
        OSError: pip is not here, or it refused one of them.
    """
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    command += ["--disable-pip-version-check", "--no-warn-script-location", "--upgrade"]
    command += ["--target", str(site), *map(str, wheels)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(last_line(done.stderr) or f"pip ended with {done.returncode}")


def install_missing(root: Path, folder: Path, site: Path) -> Iterator[str]:
    """Install what is missing and lies in the folder, round by round; a line for each round.

    One round shows what the next needs: a package's own requirements are known once it is there.
    """
    before: set[str] = set()
    while wheels := wheels_for(set(missing(requirements(root))) - before, folder):
        before |= set(wheels)
        yield f"installing {len(wheels)} wheels from {folder} into {site}"
        install(wheels.values(), site)
        importlib.invalidate_caches()


def command_for(faults: Iterable[str]) -> str:
    """The command that brings them where there is a network; else `card_pack.py` gathers them."""
    return f"{sys.executable} -m pip install {' '.join(faults)}"


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
