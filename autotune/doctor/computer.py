"""The computer around the card: versions, libraries, memory, disk, power, and the terminal."""

import codecs
import platform
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from autotune.base.disk import BYTES_A_PROMPT, BYTES_A_TOKEN, Sizes, Writes, needed_bytes
from autotune.base.optimizer_state import WEIGHT_BYTES
from autotune.base.sizes import MIB, show_size
from autotune.config.own_data import trained_on
from autotune.config.profile import Profile
from autotune.device.torch_wheels import called
from autotune.doctor.finding import Finding, blocks, note, ok
from autotune.doctor.machine import Machine
from autotune.run.machine import program_version
from autotune.run.setup import MIN_WORK_BYTES

PARAMETERS = 134_515_008
"""Of SmolLM2-135M, whose checkpoints the disk is measured by."""

TEXTS_BYTES = 4 * MIB
"""What a checkpoint of it has beside tensors: tokenizer, configuration, chat template."""

IFEVAL_PROMPTS = 541

LIBRARIES = (
    *("transformers", "tokenizers", "safetensors", "huggingface_hub", "optuna", "matplotlib"),
    *("gguf", "accelerate", "jinja2"),
)
"""What a command loads when it needs it, so that one that is missing shows late."""

OPTIONAL = {"pyarrow": "for Parquet, Arrow and .zst", "psycopg": "for --storage postgresql"}

TABLES = frozenset({".parquet", ".arrow", ".feather", ".zst"})
"""Ends of names of files that pyarrow reads."""


def check_system(machine: Machine) -> Finding:
    """What a report of a fault begins with."""
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    own = program_version()
    return ok("system", f"smolsft-autotune {own}, Python {platform.python_version()}, {system}")


def check_libraries(machine: Machine) -> Finding:
    """Whether all libraries are installed, as far as that shows without loading them."""
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        command = f"{called(sys.executable)} -m pip install {' '.join(missing)}"
        return blocks("libraries", f"missing: {', '.join(missing)}", command)
    without = [f"{name} ({what})" for name, what in OPTIONAL.items() if find_spec(name) is None]
    tables = [path for path in data_files(machine.profile) if path.suffix.lower() in TABLES]
    if tables and find_spec("pyarrow") is None:
        command = f"{called(sys.executable)} -m pip install pyarrow"
        return blocks("libraries", f"{tables[0]} is read by pyarrow, which is missing", command)
    few = f"; not there, since few need them: {', '.join(without)}" if without else ""
    return ok("libraries", f"all are installed{few}")


def data_files(profile: Profile) -> list[Path]:
    """What the profile and its strategies name as data, as paths."""
    named = [profile.data.source, *(s.data for s in trained_on(profile) if s.data is not None)]
    return [Path(source) for source in named]


def check_ram(machine: Machine) -> Finding:
    """The computer's memory, which loads models and holds the data."""
    free, whole = show_size(machine.available_bytes), show_size(machine.memory_bytes)
    if machine.available_bytes < MIN_WORK_BYTES:
        return note(
            "computer",
            f"{free} of {whole} memory free, less than the {show_size(MIN_WORK_BYTES)} that a"
            " worker may take",
            "close other programs",
        )
    return ok("computer", f"{free} of {whole} memory free")


def check_disk(machine: Machine) -> Finding:
    """Whether runs can be written here, and how many bytes of one there is room for."""
    try:
        with tempfile.TemporaryFile(dir=machine.folder):
            pass
    except OSError as error:
        why = error.strerror or str(error)
        remedy = "work in another folder, or name one with --run-dir"
        return blocks("disk", f"{machine.folder} cannot be written ({why})", remedy)
    needed, free = run_bytes(machine), show_size(machine.disk_bytes)
    source = machine.profile.model.source
    fact = f"{free} free; a run of SmolLM2-135M needs {show_size(needed)} at most"
    if machine.disk_bytes >= needed or source == "toy":
        return ok("disk", fact)
    remedy = "free disk space, or work on another disk (--run-dir)"
    found = blocks if "135m" in source.lower() else note
    return found("disk", fact, remedy)


def run_bytes(machine: Machine) -> int:
    """The most that a run of this profile keeps, in bytes, were its model SmolLM2-135M."""
    profile = machine.profile
    tokens = profile.evaluate.max_new_tokens
    limit = profile.prompts.limit
    prompts = IFEVAL_PROMPTS if limit == "all" else limit
    return needed_bytes(
        Sizes(weights=WEIGHT_BYTES * PARAMETERS, rest=TEXTS_BYTES),
        Writes(
            trials=sum(s.n_trials for s in profile.tried),
            scored=len(profile.train.checkpoint_fractions),
            averaged=any(s.average_checkpoints for s in profile.tried),
            answer_bytes=prompts * (BYTES_A_PROMPT + tokens * BYTES_A_TOKEN),
        ),
    )


def check_power(machine: Machine) -> Finding:
    """Where the power comes from; a battery slows cards and processors."""
    if machine.battery:
        return note(
            "power",
            "on battery: card and processor run at a part of their speed, and may stop",
            "plug it in; times measured on battery do not hold afterwards",
        )
    if machine.battery is None:
        return ok("power", "no battery, or the system does not report one")
    return ok("power", "on mains")


def check_terminal(machine: Machine) -> Finding:
    """Whether the terminal takes every character."""
    if machine.encoding is None:
        return ok("terminal", "none: output is not shown")
    try:
        name = codecs.lookup(machine.encoding).name
    except LookupError:
        name = machine.encoding
    if name.startswith("utf"):
        return ok("terminal", f"{name} takes every character")
    return note(
        "terminal",
        f"{name} lacks characters, which are shown as look-alikes or ?",
        "set PYTHONUTF8=1; in a Windows console also: chcp 65001",
    )
