"""The conversations that a strategy trains on: the run's own, or those that it names itself.

`[[strategy]] data` and `max_conversations` stand in for what `[data]` and `[train]` say; how rows
are read, supervised, truncated and left out stays the profile's. With `mix` both are one file.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from autotune.base.errors import BadInput, EnvironmentFault
from autotune.config.own_data import data_of, strategy_of, trained_on
from autotune.config.profile import Profile
from autotune.protocol.choices import SYNTH
from autotune.protocol.events import Content, DataMixed
from autotune.protocol.plan import SEARCH, DataSpec, Strategy
from autotune.sources.dataset import DataSource, resolve_data
from autotune.sources.prompts import dropped_prompts, topics_held_apart


@dataclass(frozen=True, slots=True)
class TrainingData:
    """A data file and how it is read, what it is called, and its content.

    `scored_prompts` is the file of all prompts to look for in it, None where none can be. `named`
    is the file that was named, where that is known: what is trained on, unless it was mixed.
    """

    spec: DataSpec
    label: str
    sha256: str | None
    scored_prompts: Path | None

    named: DataSource | None = None
    mixed: DataMixed | None = None

    @property
    def source(self) -> DataSource:
        """The file that was named, and what that is called."""
        return self.named or DataSource(Path(self.spec.path), self.label)

    @property
    def digest(self) -> str:
        """Of what is trained on: the content, and how many conversations of it."""
        return f"{(self.sha256 or '')[:16]}-{self.spec.max_conversations or 'all'}"


@dataclass(frozen=True, slots=True)
class MixedData:
    """A file that was mixed of a strategy's own data and the run's, and of what."""

    source: DataSource
    mixed: DataMixed


@contextmanager
def named_strategy(strategy: Strategy) -> Iterator[None]:
    """Begin what is wrong with a strategy's own data with the strategy's name."""
    try:
        yield
    except (BadInput, EnvironmentFault) as error:
        if strategy.data is None:
            raise
        raise type(error)(f"strategy {strategy.name}: {error}") from error


def own_sources(profile: Profile) -> dict[str, DataSource]:
    """The files of the strategies that name data of their own, by strategy.

    Practice data that the run makes itself is no file yet, and not among them.

    Raises:
        BadInput: there is no such file or dataset; the strategy is named.
        EnvironmentFault: one of the hub cannot be reached.
    """
    found: dict[str, DataSource] = {}
    for strategy in trained_on(profile):
        if strategy.data is not None and strategy.data != SYNTH:
            with named_strategy(strategy):
                found[strategy.name] = resolve_data(strategy.data)
    return found


def training_data(
    profile: Profile,
    data: DataSource | None,
    sources: Mapping[str, DataSource],
    prompts: Path,
    content: Content,
    mixtures: Mapping[str, MixedData] | None = None,
) -> dict[str, TrainingData]:
    """What the run trains on under "", and by its name each strategy that trains on something else.

    The search after the strategies trains on what the first of them does.

    `data` is the run's own, None where nothing is trained; `sources` are those of strategies,
    `prompts` is the prompts file. `mixtures` are in place of the own data of those that mix.
    """

    def of(strategy: Strategy | None) -> TrainingData:
        name = strategy.name if strategy else ""
        choice = data_of(profile, strategy) if strategy else profile.data
        mixed = (mixtures or {}).get(name)
        named = sources.get(name, data)
        source = mixed.source if mixed else named
        label = source.label if source else ""
        most = strategy.max_conversations if strategy else None
        sha256 = content.own_data.get(name, content.data)
        return TrainingData(
            spec=DataSpec.from_parts(
                choice,
                profile.train,
                path=str(source.path) if source else "",
                drop_prompts=dropped_prompts(profile, prompts),
                **({} if most is None else {"max_conversations": most}),
            ),
            label=label if most is None or mixed else f"{label} (at most {most})",
            sha256=mixed.mixed.sha256 if mixed else next(iter(sha256.values()), None),
            scored_prompts=None if topics_held_apart(choice, profile.prompts) else prompts,
            named=named,
            mixed=mixed.mixed if mixed else None,
        )

    found = {"": of(None)}
    for strategy in trained_on(profile) if data is not None else ():
        if strategy.data == SYNTH and strategy.name not in sources:
            continue  # not made yet
        own = of(strategy)
        if own.spec != found[""].spec:
            found[strategy.name] = own
    first = strategy_of(profile, SEARCH).name
    if profile.study.search is not None and first in found:
        found[SEARCH] = found[first]
    return found
