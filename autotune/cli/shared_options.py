"""The options of a study in a database, and what is wrong with them."""

import re
from collections.abc import Callable
from pathlib import Path

from autotune.base.errors import BadInput
from autotune.base.format import either, strategies_text
from autotune.base.near import did_you_mean
from autotune.cli.options import SETTINGS, Options
from autotune.cli.run_folder import RUNS
from autotune.config.own_data import practising
from autotune.config.profile import Profile
from autotune.device.find import Device
from autotune.protocol.choices import SYNTH
from autotune.run.folder import RunDir
from autotune.study.shared.address import OPTION, PASSWORD, Address, holds_password, read_address

STAGES = ("wait", "overlap")

MAX_NAME = 100
"""Characters of a study's name, which is part of a folder's; file systems allow 255 bytes."""


def demand_shared_options(
    options: Options, stages: str | None = None, final_eval: bool = False
) -> None:
    """Refuse options of a shared study that are wrong or mean nothing, before anything is done.

    Raises:
        BadInput: `--study`, `--gpus` or `--stages` without `--storage`, or one of them is no such
            value; `--final-eval` with it.
    """
    if final_eval and options.storage is not None:
        raise BadInput(
            f"--final-eval: has no effect with {OPTION}, where the best may lie on any host; leave"
            " it out and score the best with smolsft-autotune eval BEST --prompt-limit all"
        )
    given = {"--study": options.study, "--gpus": options.gpus, "--stages": stages}
    for option, value in given.items():
        if value is not None and options.storage is None:
            raise BadInput(
                f"{option} {value}: needs {OPTION}, the database that the workers share; see"
                " docs/many.md"
            )
    overlaps(stages)
    asks_for_all_cards(options)
    if options.storage is not None:
        read_address(options.storage)
    if options.study is not None:
        demand_name(options.study)


def asks_for_all_cards(options: Options) -> bool:
    """Whether `--gpus all` was given.

    Raises:
        BadInput: another word.
    """
    if options.gpus not in (None, "all"):
        raise BadInput(
            f"--gpus {options.gpus}: must be all; to choose some, set CUDA_VISIBLE_DEVICES"
        )
    return options.gpus == "all"


def passed_on(options: Options) -> list[str]:
    """What is typed for a worker on every card, as words.

    Raises:
        BadInput: what each of them must have for itself.
    """
    if options.run_dir is not None or options.device is not None:
        one = "--run-dir" if options.run_dir is not None else "--device"
        raise BadInput(f"{one}: each of --gpus all has its own; leave {one} or --gpus out")
    found: list[str] = []
    for name in ("model", "data", "prompts", "vram_budget", "precision"):
        value = getattr(options, name)
        if value is not None:
            found += [SETTINGS[name].spelling(name), value]
    return found


def overlaps(stages: str | None) -> bool:
    """Whether `--stages` asks for the next stage at once.

    Raises:
        BadInput: another word.
    """
    if stages is not None and stages.lower() not in STAGES:
        raise BadInput(f"--stages {stages}: must be {either(STAGES)}{did_you_mean(stages, STAGES)}")
    return stages is not None and stages.lower() == "overlap"


def demand_same_data(profile: Profile) -> None:
    """Refuse a shared study whose hosts would each make practice data of their own.

    A sample is drawn by probabilities that another card or version of a library computes otherwise
    in their last digits: sooner or later another token, and so other chats on every host.

    Raises:
        BadInput: that.
    """
    if strategies := practising(profile):
        names = strategies_text([strategy.name for strategy in strategies])
        raise BadInput(
            f'{names}: data = "{SYNTH}" would be other chats on every host of a study; make them'
            ' once with smolsft-autotune synth, and give data = "practice.jsonl"'
        )


def demand_name(name: str) -> str:
    """The name of a study, as it was typed.

    Raises:
        BadInput: it is empty, too long, or no text of one line.
    """
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise BadInput(
            f"--study {name[:MAX_NAME]}: must be a name of 1 to {MAX_NAME} printable characters"
        )
    return name


def asked_address(options: Options, say: Callable[[str], None]) -> Address:
    """The database of `--storage`; says so where its password was typed for all to see.

    Raises:
        BadInput: it is none, or none was given.
    """
    if options.storage is None:
        raise BadInput(
            f"worker: needs {OPTION} and --study, as the run that it works for has them; see"
            " docs/many.md"
        )
    if holds_password(options.storage):
        say(
            f"{OPTION}: its password can be read in the list of processes; put it into ~/.pgpass or"
            f" {PASSWORD} instead"
        )
    return read_address(options.storage)


def card_name(device: Device) -> str:
    """A device in short, and which of several it is."""
    if device.uuid is None:
        return device.kind
    return f"{device.kind}-{re.sub('^(GPU|MIG)-', '', device.uuid)[:8]}"


def worker_folder(study: str, host: str, card: str) -> Path:
    """Where a worker keeps its run: the same folder each time, another for one beside it."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{study}-{host}-{card}").strip("-.")
    folder, number = RUNS / name, 1
    while RunDir(folder).in_use:
        number += 1
        folder = RUNS / f"{name}-{number}"
    return folder
