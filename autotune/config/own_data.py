"""Which conversations the strategies of a profile train on: the profile's, or those they name."""

from autotune.config.profile import DataChoice, Profile
from autotune.protocol.choices import AUTO, SYNTH
from autotune.protocol.plan import SEARCH, Strategy


def data_of(profile: Profile, strategy: Strategy) -> DataChoice:
    """The conversations that a strategy trains on; the format of its own is looked for."""
    if strategy.data is None:
        return profile.data
    return profile.data.model_copy(update={"source": strategy.data, "format": AUTO})


def strategy_of(profile: Profile, stage: str) -> Strategy:
    """Whose data a stage of the run trains on: the strategy's; of the search the first's."""
    return next((s for s in profile.strategies if s.name == stage), profile.strategies[0])


def trained_on(profile: Profile) -> tuple[Strategy, ...]:
    """The strategies whose data a run may train on: those that it tries, and the search's."""
    search = () if profile.study.search is None else (strategy_of(profile, SEARCH),)
    return tuple({s.name: s for s in (*profile.tried, *search)}.values())


def practising(profile: Profile) -> tuple[Strategy, ...]:
    """The strategies that train on practice data which the run makes itself."""
    return tuple(s for s in trained_on(profile) if s.data == SYNTH)


def by_data(profile: Profile) -> tuple[Profile, ...]:
    """A profile once for each data: the run's first, each with the strategies that train on it.

    The run's own may have no strategy left. Practice data that the run makes itself is not among
    them: it is not there before.
    """
    found: dict[DataChoice, list[Strategy]] = {profile.data: []}
    for strategy in trained_on(profile):
        if strategy.data == SYNTH:
            continue
        found.setdefault(data_of(profile, strategy), []).append(strategy)
    return tuple(
        profile.model_copy(update={"data": data, "strategies": tuple(strategies)})
        for data, strategies in found.items()
    )
