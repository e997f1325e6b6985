"""What a shared study works with, which its coordinator writes into it and its workers read.

Settings as `run.toml` has them, the target, and the sha256 of all content: paths may differ from
host to host, content may not. A password is none of it.
"""

import json
import tomllib
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from autotune.base.errors import BadInput
from autotune.base.model import Boundary
from autotune.config.difference import difference_of
from autotune.config.profile import Profile
from autotune.protocol.events import Content
from autotune.protocol.plan import Strategy
from autotune.study.shared.shared_study import SharedStudy

SETTINGS = "settings"
"""The attribute of a study that holds what is known before anything is computed."""

STAGES = "stages"
"""The attribute that holds what the coordinator's probe made of it; workers wait for it."""


class SharedSettings(Boundary):
    """What is asked for.

    `profile` is the text of `run.toml`. `overlap` is whether the next stage begins although the one
    before may still meet the target.
    """

    profile: str
    target: float
    content: Content
    overlap: bool = False


class SharedStages(Boundary):
    """What is tried on every card: what fits the coordinator's; `longest` is in tokens."""

    strategies: tuple[Strategy, ...]
    longest: int


def write_settings(study: SharedStudy, wanted: SharedSettings) -> None:
    """Keep the settings with a study, or make sure that it has the same.

    Raises:
        BadInput: the study was begun with others.
    """
    there = study.attributes.get(SETTINGS)
    if there is None:
        study.carry(SETTINGS, wanted.model_dump(mode="json"))
        return
    held = _read(study, SharedSettings, there)
    if (difference := _difference(study, held, wanted)) is not None:
        raise BadInput(
            f"--study {study.name}: was begun with {difference}; use those, or give another --study"
        )


def read_settings(study: SharedStudy) -> SharedSettings:
    """The settings of a study.

    Raises:
        BadInput: it has none, so it is another program's, or its coordinator has just begun.
    """
    there = study.attributes.get(SETTINGS)
    if there is None:
        raise BadInput(
            f"--study {study.name}: holds no settings; it is another program's, or its run has only"
            " begun: try again in a minute"
        )
    return _read(study, SharedSettings, there)


def write_stages(study: SharedStudy, stages: SharedStages) -> SharedStages:
    """Keep the stages with a study, once; what is there already is what counts."""
    there = read_stages(study)
    if there is None:
        study.carry(STAGES, stages.model_dump(mode="json"))
    return there or stages


def read_stages(study: SharedStudy) -> SharedStages | None:
    """The stages of a study; None until its coordinator has probed."""
    there = study.attributes.get(STAGES)
    return None if there is None else _read(study, SharedStages, there)


def demand_study_content(study: str, began: Content, now: Content | None) -> None:
    """Refuse to work at a study with other content than it began with.

    Raises:
        BadInput: data, prompts or model are others; the file is named.
    """
    if now is None:
        return
    for part in ("data", "prompts", "model"):
        other = _other_file(part, getattr(began, part), getattr(now, part))
        if other is not None:
            raise BadInput(_with_option(part, _another(study, part, *other)))
    for name in sorted(began.own_data.keys() & now.own_data.keys()):
        other = _other_file("data", began.own_data[name], now.own_data[name])
        if other is not None:
            line = _another(study, f"data of strategy {name},", *other)
            raise BadInput(f"{line}; put the same file where the profile names it")
    if began.scored != now.scored:
        line = _another(study, "prompts", "chosen", began.scored, now.scored)
        raise BadInput(_with_option("prompts", line))


def _other_file(
    part: str, before: Mapping[str, str], after: Mapping[str, str]
) -> tuple[str, str | None, str | None] | None:
    """A file of other content, with its digests there and here; None where all are the same.

    Data and prompts are a file each, whatever it is called; of a model a name says what it is for.
    """
    if part == "model":
        names = sorted(n for n in {*before, *after} if before.get(n) != after.get(n))
        return (names[0], before.get(names[0]), after.get(names[0])) if names else None
    if sorted(before.values()) == sorted(after.values()):
        return None
    name, new = next(iter(after.items()), (part, None))
    return name, next(iter(before.values()), None), new


def _another(study: str, part: str, name: str, old: str | None, new: str | None) -> str:
    digests = f"sha256 {(old or 'none')[:8]}, here {(new or 'none')[:8]}"
    return f"{part} {name}: is not what study {study} began with ({digests})"


def _with_option(part: str, line: str) -> str:
    return f"{line}; name the same content with --{part}"


def _difference(study: SharedStudy, held: SharedSettings, wanted: SharedSettings) -> str | None:
    """The first thing in which two settings differ, in words."""
    if held.target != wanted.target:
        return f"another target ({held.target:g}, now {wanted.target:g})"
    old, new = (_tree(study, settings.profile) for settings in (held, wanted))
    if old != new:
        return f"other settings ({difference_of(old, new)})"
    # Which strategies' own data was read by then is no difference.
    if held.content.with_data_of(wanted.content) != wanted.content.with_data_of(held.content):
        return "other data, prompts or model"
    return None


def profile_of(study: SharedStudy, settings: SharedSettings) -> Profile:
    """The profile of a study for another machine: which of its cards computes is its own matter.

    Raises:
        BadInput: this version does not know all of its settings.
    """
    tree = json.dumps(_tree(study, settings.profile), default=str)
    try:
        profile = Profile.model_validate_json(tree)
    except ValidationError as error:
        raise _another_version(study, str(error).splitlines()[0]) from error
    device = profile.machine.device.split(":")[0]
    machine = profile.machine.model_copy(update={"device": device})
    return profile.model_copy(update={"machine": machine})


def _tree(study: SharedStudy, profile: str) -> dict[str, Any]:
    try:
        return tomllib.loads(profile)
    except tomllib.TOMLDecodeError as error:
        raise _another_version(study, str(error).splitlines()[0]) from error


Kind = TypeVar("Kind", bound=Boundary)


def _read(study: SharedStudy, kind: type[Kind], tree: Any) -> Kind:
    try:
        return kind.model_validate_json(json.dumps(tree))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise _another_version(study, f"{where}: {fault['msg']}") from error


def _another_version(study: SharedStudy, why: str) -> BadInput:
    return BadInput(
        f"--study {study.name}: its settings are not those of this version ({why}); use the version"
        " that began it"
    )
