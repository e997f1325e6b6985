"""Which conversations the strategies of a profile train on: the profile's, or those they name."""

from collections.abc import Sequence

from autotune.config.profile import DataChoice, Profile
from autotune.protocol.choices import AUTO, SYNTH
from autotune.protocol.plan import SEARCH, Strategy

PRACTICE_LABEL = "practice data"
"""What practice data that a run makes is called."""


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


def is_trained_on(profile: Profile) -> bool:
    """Whether a strategy that a run may try trains on the profile's data, if only on a share."""
    return any(s.data is None or s.mix is not None for s in trained_on(profile))


def trained_label(profile: Profile, of_run: str, own: Sequence[str]) -> str:
    """What a run trains on, in words.

    Args:
        profile: whose strategies train.
        of_run: what the profile's data is called; nobody needs to hear of it where nobody uses it.
        own: what the data that strategies name themselves is called, as far as it is there.
    """
    if is_trained_on(profile):
        return of_run
    unmade = [PRACTICE_LABEL] if practising(profile) else []
    return ", ".join(dict.fromkeys([*own, *unmade]))


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
