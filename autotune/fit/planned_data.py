"""How many conversations a plan counts with: those of data that is here, else so many are assumed.

A plan needs neither a card nor a network, and may be made where the data is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from autotune.base.errors import AutotuneError
from autotune.base.home import from_home
from autotune.config.own_data import data_of
from autotune.config.profile import DataChoice, Profile
from autotune.config.synth import SynthChoice
from autotune.data.assumed import CONVERSATIONS
from autotune.data.files import RecordStream
from autotune.data.mixture import mixed_counts
from autotune.fit.answer_lengths import CHAT_SHARE
from autotune.protocol.choices import SYNTH
from autotune.protocol.plan import Strategy
from autotune.run.inputs import on_hub
from autotune.sources.dataset import resolve_data

MOST_BYTES = 32 * 2**20
"""A file up to this size is counted, in a second or two: six thousand chats have less."""


@dataclass(frozen=True, slots=True)
class PlannedData:
    """So many conversations that a strategy would train on, of how many where they are counted.

    `words` says which, or why their number is assumed.
    """

    conversations: int
    words: str
    of: int | None = None


def planned_data(profile: Profile, strategies: Sequence[Strategy]) -> tuple[PlannedData, ...]:
    """What each strategy would train on, in their order; a file is counted once."""
    found: dict[DataChoice, PlannedData] = {}

    def whole(choice: DataChoice) -> PlannedData:
        if choice not in found:
            found[choice] = _whole(choice, profile.synth)
        return found[choice]

    def used(strategy: Strategy) -> PlannedData:
        most = strategy.max_conversations or profile.train.max_conversations
        own = whole(data_of(profile, strategy))
        if strategy.mix is None or strategy.mix == 1:
            return replace(own, conversations=min(own.conversations, most or own.conversations))
        run = whole(profile.data)
        parts = mixed_counts(own.conversations, run.conversations, strategy.mix, most)
        mixed = f"{own.words} mixed with {run.words}"
        words = next((each.words for each in (own, run) if each.of is None), mixed)
        return PlannedData(sum(parts), words)

    return tuple(map(used, strategies))


def _whole(choice: DataChoice, practice: SynthChoice) -> PlannedData:
    """All conversations of a choice: counted, or assumed."""
    source = choice.source
    if source == SYNTH:
        chats = max(1, round(CHAT_SHARE * practice.tasks * practice.variants))
        likely = min(chats, practice.max_conversations or chats)
        return PlannedData(likely, "assumed: the run makes its practice data itself")
    if on_hub(source) is not None:
        return PlannedData(CONVERSATIONS, f"assumed: {source} is not fetched for a plan")
    try:
        data = resolve_data(source)
        if data.path.stat().st_size > MOST_BYTES:
            return PlannedData(CONVERSATIONS, f"assumed: {source} is too large to be counted")
        count = sum(1 for _ in RecordStream(data.path, choice.skip_bad))
    except AutotuneError:
        why = "cannot be read" if from_home(source).exists() else "is not on this machine"
        return PlannedData(CONVERSATIONS, f"assumed: {source} {why}")
    return PlannedData(count, data.label, of=count)
