"""What a command reads, looked at before a worker is started and before anything is fetched.

Loading torch takes seconds, prompts and weights are many megabytes, and a folder for a run is made
before them: a file that is empty, or is something else than it should be, is no reason for any of
it, nor is a name that the hub does not know.
"""

from autotune.base.errors import BadInput
from autotune.base.home import from_home
from autotune.config.own_data import by_data, is_trained_on
from autotune.config.profile import Profile
from autotune.data.contamination import read_scored_prompts
from autotune.data.files import RecordStream
from autotune.data.load import ConversationStream
from autotune.protocol.plan import DataSpec
from autotune.run.training_data import named_strategy
from autotune.score.prompt_order import demand_two
from autotune.score.prompts import Prompt, RefusedPrompt
from autotune.score.registry import find_scorer, read_prompts
from autotune.score.scorer import Scorer
from autotune.sources.dataset import demand_hub_data, resolve_data
from autotune.sources.hub import HubId, as_hub_id
from autotune.sources.model import demand_hub_model, resolve_model
from autotune.sources.named import NAMES, PROMPTS
from autotune.sources.positions import demand_positions, positions_of
from autotune.sources.prompts import PromptSource, local_prompts, resolve_prompts

LOOK_BYTES = 2 * 2**20
"""A chat file up to this size is read whole beforehand, which takes a second at most. Of a larger
one the first record is, which tells what kind of file it is; the worker that surveys it finds the
faults of the others."""

PACKED = 8
"""How many times its size a packed file or a table may hold: English text in gzip has a third of
its size, repetitive chats less."""

_PLAIN = {".json", ".jsonl", ".ndjson"}


def demand_data(profile: Profile) -> None:
    """Refuse a data file of this machine that nothing can be learned from.

    Raises:
        BadInput: what `ConversationStream` finds wrong with it, or that there is none; of one that
            strategies name, the first of them is named.
    """
    run, *own = by_data(profile)
    _demand_data(run)
    for each in own:
        with named_strategy(each.strategies[0]):
            _demand_data(each)


def _demand_data(profile: Profile) -> None:
    source = profile.data.source
    if not _is_here(source):
        return
    path = resolve_data(source).path
    few = LOOK_BYTES if path.suffix.lower() in _PLAIN else LOOK_BYTES // PACKED
    if path.stat().st_size > few:
        next(iter(RecordStream(path, profile.data.skip_bad)), None)
        return
    spec = DataSpec(path=str(path), format=profile.data.format, skip_bad=profile.data.skip_bad)
    # Whether the model's chat template takes tools is seen by the process that reads tokenizers.
    for _ in ConversationStream(spec, no_tools=None):
        pass


def demand_prompts(profile: Profile) -> None:
    """Refuse prompts that cannot score, or too few for a holdout; nothing is fetched for that.

    Raises:
        BadInput: what the scorer finds wrong with them, or that there are none.
    """
    source, limit = profile.prompts.source, profile.prompts.limit
    counts = [] if limit == "all" else [limit]
    found = local_prompts(source)
    if found is not None:
        counts.append(len(read_source(find_scorer(profile.prompts.scorer), source, found)))
    if profile.evaluate.holdout and counts:
        demand_two(min(counts))


def read_source(scorer: Scorer, source: str, found: PromptSource) -> tuple[Prompt, ...]:
    """The prompts that were found for a source, read by a scorer.

    Raises:
        BadInput: what the scorer finds wrong with them; of prompts that a word names, and that are
            another scorer's, that they are and which file to give.
    """
    if source not in PROMPTS:
        return read_prompts(scorer, found.path)
    try:
        return scorer.read_prompts(found.path)
    except RefusedPrompt as fault:
        if scorer.takes(fault.record):
            raise
        raise BadInput(
            f"--scorer {scorer.name}: the {found.noun} have no {scorer.judges_by[1]}; give your own"
            f" with --prompts FILE, one {{{', '.join(scorer.fields())}}} a line"
        ) from None


def demand_scored_prompts(profile: Profile) -> None:
    """Refuse a prompts file of this machine with nothing in it to look for in the data.

    Raises:
        BadInput: what `read_scored_prompts` finds wrong with it, or that there is none.
    """
    source = profile.prompts.source
    if _is_here(source):
        read_scored_prompts(resolve_prompts(source).path)


def demand_model(profile: Profile, length: int | None = None, *, weights: bool = True) -> None:
    """Refuse a model folder of this machine that is not whole, or too short for a typed length.

    Raises:
        BadInput: that.
    """
    source = profile.model.source
    if not _is_here(source):
        return
    model = resolve_model(source, weights=weights)
    demand_positions(length, model.label, positions_of(model.folder))


def demand_on_hub(profile: Profile, *, data: bool = True, weights: bool = True) -> None:
    """Refuse a model, and data, that the hub has not; nothing is fetched for that.

    It comes after what this machine knows, which takes no network.

    Raises:
        BadInput: there is none, or nothing that can be used; of data that strategies name, the
            first of them is named.
        EnvironmentFault: the hub cannot be reached, and its cache does not hold it.
    """
    if (model := on_hub(profile.model.source)) is not None:
        demand_hub_model(model, weights=weights)
    if not data:
        return
    run, *own = by_data(profile)
    if is_trained_on(profile) and (found := on_hub(run.data.source)) is not None:
        demand_hub_data(found)
    for each in own:
        if (found := on_hub(each.data.source)) is not None:
            with named_strategy(each.strategies[0]):
                demand_hub_data(found)


def _is_here(source: str) -> bool:
    """Whether a source is a path, or nothing that could be fetched either."""
    return source not in NAMES and on_hub(source) is None


def on_hub(source: str) -> HubId | None:
    """What a source names on the hub; None for a word that is known, or what can only be a path."""
    if source in NAMES or from_home(source).exists():
        return None
    return as_hub_id(source)
