"""The published IFEval checkers, as the package `if-verifiable` carries them."""

import importlib
import importlib.util
import sys
from functools import cache
from threading import Lock
from typing import Any

from autotune.base.errors import EnvironmentFault

_PACKAGE = "if_verifiable"
_REGISTRY = f"{_PACKAGE}.ifeval.instructions_registry"
_lock = Lock()


@cache
def reference_checkers() -> dict[str, Any]:
    """Instruction id -> the published checker class.

    Raises:
        EnvironmentFault: if-verifiable is not installed.
    """
    with _lock:
        return dict(_load().INSTRUCTION_DICT)


def reference_checker(instruction: str) -> Any:
    """The published checker class of an instruction.

    Raises:
        EnvironmentFault: if-verifiable is not installed, or is one without this instruction.
    """
    checkers = reference_checkers()
    if instruction not in checkers:
        raise EnvironmentFault(
            f"if-verifiable has no checker for {instruction}; install if-verifiable 0.1.2"
        )
    return checkers[instruction]


def _load() -> Any:
    """The registry module, without running the package's `__init__` where that can be helped.

    That file imports the data set machinery (`datasets`, pandas: more than a second) for functions
    not used here. So the package is entered empty while its submodule loads, and taken out again:
    a later `import if_verifiable` finds it as it is.
    """
    if _PACKAGE in sys.modules:
        return importlib.import_module(_REGISTRY)
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None:
        raise EnvironmentFault(
            "the package if-verifiable, which scores answers, is not installed;"
            " run: python -m pip install if-verifiable==0.1.2"
        )
    sys.modules[_PACKAGE] = importlib.util.module_from_spec(spec)
    try:
        return importlib.import_module(_REGISTRY)
    finally:
        del sys.modules[_PACKAGE]
