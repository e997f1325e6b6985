"""Which torch is installed and what it was built for, read from its files.

The parent never imports torch: that takes seconds, and may be just what fails.
"""

import ast
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TorchBuild:
    """A build of torch: `version` as it calls itself (`2.13.0+cpu`), and what it computes with.

    `cuda` is the CUDA release that it was built with (`13.0`), `hip` that of AMD's ROCm; None where
    it was built without.
    """

    version: str
    cuda: str | None
    hip: str | None = None

    @property
    def release(self) -> str:
        """The version without its device suffix: `2.13.0`."""
        return self.version.partition("+")[0]


def torch_folder() -> Path | None:
    """Where the installed torch lies, None where none is installed."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent


def read_build(folder: Path) -> TorchBuild | None:
    """The build of the torch in a folder; None where it does not say.

    Every wheel of torch has a `version.py` with plain assignments; `pip` knows the version as well
    but not always the build: the wheel on PyPI for Windows, which has no CUDA, is `2.13.0` there.
    """
    try:
        tree = ast.parse((folder / "version.py").read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return None
    assigned = _assigned(tree)
    version = assigned.get("__version__")
    if not isinstance(version, str) or "cuda" not in assigned:
        return None
    return TorchBuild(version, _text(assigned["cuda"]), _text(assigned.get("hip")))


def installed_build() -> TorchBuild | None:
    """The build of the installed torch; None where none is installed or it does not say."""
    folder = torch_folder()
    return read_build(folder) if folder is not None else None


def _assigned(tree: ast.Module) -> dict[str, object]:
    """Names that a module gives a plain value, with the value."""
    found: dict[str, object] = {}
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=value)):
                found[name] = value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=value)):
                found[name] = value
    return found


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
