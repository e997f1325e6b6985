"""Which wheel of torch suits a card and its driver, and the command that installs it.

Sources, as of torch 2.14: which index holds which releases and code for which cards is the table
"PyTorch CUDA Support Matrix" in RELEASE.md of pytorch/pytorch and its history (pull requests
164471, 175253, 182849, 197555; issue 190385 for the end of cu126). Which driver a CUDA release
needs is NVIDIA's "CUDA Compatibility", minor version compatibility, table 1: a driver runs every
release of its major version, and older ones.
"""

import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from autotune.device.torch_build import TorchBuild

INDEX_URL = "https://download.pytorch.org/whl/"

Release = tuple[int, int]

DRIVERS = {11: 450, 12: 525, 13: 580}
"""The oldest branch of NVIDIA's driver that runs any CUDA release of a major version."""

OLDEST_CAPABILITY = (5, 0)
"""Maxwell (2014); no torch that this tool takes has code for older cards."""


@dataclass(frozen=True, slots=True)
class WheelIndex:
    """One index of wheels: its name, its CUDA release, and what it has code for.

    `first` and `last` are the releases of torch in it, `oldest` and `newest` capabilities of cards;
    None where there is no last one yet.
    """

    name: str
    cuda_major: int
    first: Release
    last: Release | None
    oldest: tuple[int, int]
    newest: tuple[int, int] | None

    @property
    def driver(self) -> int:
        """The oldest driver branch that runs what is in it."""
        return DRIVERS[self.cuda_major]

    def suits(self, capability: tuple[int, int]) -> bool:
        """Whether it has code for such a card."""
        return self.oldest <= capability and (self.newest is None or capability <= self.newest)


INDEXES = (
    WheelIndex("cu130", 13, (2, 9), None, (7, 5), None),
    WheelIndex("cu128", 12, (2, 7), (2, 11), (7, 5), None),
    WheelIndex("cu126", 12, (2, 6), (2, 14), (5, 0), (9, 0)),
)
"""The best first. cu128 had code for Volta up to torch 2.10 and for Pascal up to 2.7; cu126, which
has both in every release, is named for them."""


def driver_branch(driver: str | None) -> int | None:
    """The first number of a driver's version: 580 of `580.95.05`, 566 of Windows' `566.36`."""
    match = re.match(r"(\d+)\.", driver or "")
    return int(match.group(1)) if match else None


def choose_index(capability: tuple[int, int] | None, driver: str | None) -> WheelIndex | None:
    """The index for a card and its driver; None where no torch has code for the card.

    A driver too old for all of them gets the index for that driver's successor with the lowest
    demand. A card whose capability is unknown is taken for one since Turing (2018), and a
    driver without a version for the oldest that runs CUDA 12.
    """
    fitting = [index for index in INDEXES if index.suits(capability or (7, 5))]
    branch = driver_branch(driver) or DRIVERS[12]
    ready = [index for index in fitting if index.driver <= branch]
    if ready:
        return ready[0]
    return min(fitting, key=lambda index: index.driver, default=None)


def driver_needed(cuda: str | None) -> int | None:
    """The oldest driver branch for a torch built with this CUDA release, None if not known."""
    major = (cuda or "").partition(".")[0]
    return DRIVERS.get(int(major)) if major.isdigit() else None


def requirement(build: TorchBuild | None, index: WheelIndex) -> str:
    """What to ask the index for, in place of the torch that is installed.

    The same release where the index has it, named in full: `torch` alone counts as installed, and
    reinstalling it by force would take its dependencies, which other packages need newer, from the
    index too. Else the newest that it has, by a bound that the installed one breaks.
    """
    match = re.fullmatch(r"(\d+)\.(\d+)\.\d+", build.release if build is not None else "")
    if build is None or match is None:
        return "torch"
    release = (int(match.group(1)), int(match.group(2)))
    if index.last is not None and release > index.last:
        return f'"torch<{index.last[0]}.{index.last[1] + 1}"'
    if release < index.first:
        return f'"torch>={index.first[0]}.{index.first[1]}"'
    return f"torch=={build.release}+{index.name}"


@dataclass(frozen=True, slots=True)
class Installer:
    """How packages get into this environment: with pip or with uv, and into which Python.

    `python` is empty where the command finds this environment by itself.
    """

    uv: bool
    python: str

    def command(self, asked: str, index: WheelIndex) -> str:
        """The command to type, for bash and PowerShell alike."""
        return self._command(asked, index.name)

    def cpu_command(self) -> str:
        """The command that installs a torch without CUDA; on Linux it has an index of its own."""
        return self._command("torch", "cpu")

    def _command(self, asked: str, name: str) -> str:
        url = f"--index-url {INDEX_URL}{name}"
        if self.uv:
            where = f" --python {quoted(self.python)}" if self.python else ""
            return f"uv pip install{where} {asked} {url}"
        python = called(self.python) if self.python else "python"
        return f"{python} -m pip install {asked} {url}"


def installer(
    prefix: Path | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    has_pip: bool | None = None,
) -> Installer:
    """How packages get into the environment at `prefix`, by default the one that runs this.

    An environment that uv made names uv in its pyvenv.cfg; one without pip is most likely
    uv's too.
    """
    here = Path(sys.prefix) if prefix is None else prefix
    environ = os.environ if environ is None else environ
    try:
        settings = (here / "pyvenv.cfg").read_text(encoding="utf-8")
    except OSError:
        settings = ""
    made_by_uv = re.search(r"^uv\s*=", settings, re.MULTILINE) is not None
    uv = made_by_uv or not (find_spec("pip") is not None if has_pip is None else has_pip)
    if uv:
        known = environ.get("VIRTUAL_ENV") or str(Path.cwd() / ".venv")
        found = Path(known) == here
    else:
        first = shutil.which("python", path=environ.get("PATH"))
        found = first is not None and Path(first).parent == Path(sys.executable).parent
    return Installer(uv, "" if found else sys.executable)


def quoted(path: str) -> str:
    """A path as one word of a command."""
    return f'"{path}"' if " " in path else path


def called(path: str) -> str:
    """A program's path as the start of a command; PowerShell takes a quoted one for a text."""
    return f"& {quoted(path)}" if " " in path and sys.platform == "win32" else quoted(path)
