"""Optuna's part of a study: trials as it knows them, and the next point of a space.

A point is drawn from the summaries of the trials that there are and from nothing else. So it is the
same whether or not a process died before it could record one, and whatever became of `study.db`.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from autotune.base.errors import BadInput
from autotune.config.profile import Profile
from autotune.config.study import StudyChoice
from autotune.protocol.choices import Sampler
from autotune.protocol.plan import SEARCH
from autotune.protocol.space import SEARCHABLE, Space, Value, outside, widened
from autotune.run.trial_summary import TrialSummary

STUDY = "smolsft-autotune"
"""The name of a run's study in its `study.db`."""


def draw(
    trials: Sequence[TrialSummary], space: Space, study: StudyChoice, seed: int
) -> dict[str, Value]:
    """The next point of a space, given what the trials so far came to.

    Trials whose values lie outside the space tell the sampler nothing. Every trial has a seed of
    its own, so that none draws again what the one before it drew.

    Raises:
        BadInput: the sampler needs a package that is not installed.
    """
    demand_sampler(study)
    with quiet_optuna() as optuna:
        sampler = make_sampler(study.sampler, study.startup_trials, seed, len(trials))
        known = optuna.create_study(direction="maximize", sampler=sampler)
        for trial in trials:
            if not outside(space, trial.point):
                known.add_trial(frozen(trial, space))
        wanted = {key: distribution(key, ends) for key, ends in space.items()}
        if study.sampler is not Sampler.QMC:
            return dict(known.ask(wanted).params)
        # The sequence's place is counted in the study's storage, which is new each time.
        drawn = sum(t.stage == SEARCH for t in trials)
        for _ in range(drawn):
            known.tell(known.ask(wanted), state=optuna.trial.TrialState.FAIL)
        return dict(known.ask(wanted).params)


def make_sampler(name: Sampler, startup_trials: int, seed: int, number: int) -> Any:
    """Optuna's sampler for trial `number` of a study.

    TPE looks at values together (`multivariate`), since rate and batch only mean something by each
    other, and takes what others are still trying for bad (`constant_liar`), so that machines side
    by side do not try the same. Optuna's default of ten start-up trials would be random search for
    as long as most runs last (docs/LOG.md).
    """
    import optuna

    if name is Sampler.RANDOM:
        return optuna.samplers.RandomSampler(seed=seed + number)
    if name is Sampler.QMC:
        return optuna.samplers.QMCSampler(scramble=True, seed=seed)
    return optuna.samplers.TPESampler(
        seed=seed + number,
        multivariate=True,
        constant_liar=True,
        n_startup_trials=startup_trials,
        gamma=best_quarter,
    )


def best_quarter(count: int) -> int:
    """How many of so many trials TPE takes for good.

    Optuna takes a tenth, which of the 5 to 15 trials of a run is one, and that one is often good by
    chance: 541 prompts measure a score to about 2 points. A quarter needs 0.93 to 0.98 of the
    trials (benchmarks/samplers.py).
    """
    return max(1, math.ceil(count / 4))


def demand_sampler(study: StudyChoice) -> None:
    """Refuse a sampler whose package is missing: before the hours, not when it is to draw.

    Raises:
        BadInput: that.
    """
    from importlib.util import find_spec

    if study.sampler is Sampler.QMC and find_spec("scipy") is None:
        raise BadInput("sampler qmc: needs scipy; pip install scipy, or choose tpe or random")


def frozen(trial: TrialSummary, space: Space) -> Any:
    """A trial as Optuna's, with its values of the keys of a space that holds them."""
    import optuna

    return optuna.trial.create_trial(
        state=optuna.trial.TrialState[trial.outcome],
        value=trial.value,
        params={key: trial.point[key] for key in space},
        distributions={key: distribution(key, ends) for key, ends in space.items()},
        intermediate_values=dict(trial.reports),
        user_attrs=dict(trial.attributes),
    )


def distribution(key: str, ends: Sequence[Value]) -> Any:
    """A key's range or choices as Optuna's."""
    import optuna

    match SEARCHABLE[key]:
        case "choices":
            return optuna.distributions.CategoricalDistribution(tuple(ends))
        case "whole":
            return optuna.distributions.IntDistribution(int(ends[0]), int(ends[1]))
        case scale:
            low, high = map(float, ends)
            return optuna.distributions.FloatDistribution(low, high, log=scale == "log")


def whole_space(profile: Profile, trials: Sequence[TrialSummary]) -> Space:
    """The one space that all trials of a run lie in: what is searched, and every exact point.

    Of a profile alone it is always the same; only trials of older versions can add to it.
    """
    search = profile.study.search
    spaces = [s.search for s in profile.strategies]
    ends = [{key: each} for space in spaces for key, known in space.items() for each in known]
    given = profile.study.enqueue
    points = [*ends, *given, *(s.point for s in profile.strategies), *(t.point for t in trials)]
    return widened(search.space if search is not None else {}, points)


@contextmanager
def quiet_optuna() -> Iterator[Any]:
    """Optuna, loaded here and not before, without its log and its words on new features."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        warnings.filterwarnings("ignore", "`gamma` has been deprecated", FutureWarning)  # until 6
        yield optuna
