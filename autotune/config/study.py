"""The profile's `[study]`: how long a run goes on, and what it searches after its strategies."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, field_validator

from autotune.base.model import ANY_CASE, Boundary
from autotune.protocol.choices import Sampler
from autotune.protocol.plan import SEARCH, Scheduler, Strategy
from autotune.protocol.space import SEARCHABLE, Space, Value, outside

MAX_EPOCHS = 100
"""Of a range of epochs; more is a slip of the pen."""


class Search(Boundary):
    """What is trained after the strategies: points drawn from `space`, seeded with their results.

    What `space` does not name is the first strategy's. Length and scheduler are the same for all.
    """

    model_max_length: Annotated[Annotated[int, Field(ge=16)] | Literal["fits"], ANY_CASE] = "fits"
    lr_scheduler_type: Annotated[Scheduler, ANY_CASE] = "cosine"
    space: Annotated[Space, Field(min_length=1)]

    @field_validator("space")
    @classmethod
    def _can_be_drawn(cls, space: Space) -> Space:
        if faults := space_faults("", space):
            raise ValueError("; ".join(faults))
        return space

    def strategy(self, first: Strategy, values: Mapping[str, Any]) -> Strategy:
        """A point of the search as a strategy."""
        own = {
            "model_max_length": self.model_max_length,
            "lr_scheduler_type": self.lr_scheduler_type,
        }
        return searched(first, {**values, **own})


class StudyChoice(Boundary):
    """How a run's trials are chosen, and when it ends.

    A run begins no trial that would not end within `max_hours` (of the run, its interruptions left
    out; the first trial always begins) or beyond `max_trials`; absent, neither is limited. With
    `stop_at_target` it ends as soon as a checkpoint meets the target. `startup_trials` are drawn
    without a look at scores; the exact points of the strategies count among them. `strategies` are
    the names of those to try, in this order; absent, all of them in that of the profile. `enqueue`
    are points to try after them, before any is drawn; what one leaves open is the first strategy's.
    """

    max_hours: Annotated[float, Field(gt=0)] | None = None
    max_trials: Annotated[int, Field(ge=1)] | None = None
    stop_at_target: bool = True
    sampler: Annotated[Sampler, ANY_CASE] = Sampler.TPE
    startup_trials: Annotated[int, Field(ge=1)] = 4
    strategies: tuple[str, ...] | None = None
    enqueue: tuple[dict[str, Value], ...] = ()
    search: Search | None = None

    @field_validator("enqueue")
    @classmethod
    def _can_be_trained(cls, points: tuple[dict[str, Value], ...]) -> tuple[dict[str, Value], ...]:
        if faults := point_faults(points):
            raise ValueError("; ".join(faults))
        return points

    @property
    def n_trials(self) -> int | None:
        """How many trials follow the strategies; None: as many as time and number allow."""
        return None if self.search is not None else len(self.enqueue)


def searched(first: Strategy, values: Mapping[str, Any]) -> Strategy:
    """A point that follows the strategies; what it leaves open is the first strategy's."""
    neutral = {"name": SEARCH, "title": "searched", "n_trials": 1, "fallback": False, "search": {}}
    return Strategy.model_validate(first.model_dump() | dict(values) | neutral)


def study_faults(study: StudyChoice, names: Sequence[str]) -> list[str]:
    """What is wrong between the keys of `[study]`; `names` are those of the strategies."""
    asked = study.strategies
    if asked is not None and (not asked or len(set(asked)) < len(asked) or {*asked} - {*names}):
        return [f"strategies must be some of {', '.join(names)}, each once"]
    if study.search is not None and study.max_hours is None and study.max_trials is None:
        return ["a search ends by max_hours or max_trials: set one of them"]
    return []


def space_faults(where: str, space: Mapping[str, Any]) -> list[str]:
    """What is wrong in a space, a sentence for each key; silent about what is no list."""
    faults = []
    for key, ends in space.items():
        name = f"{where}{key}"
        if key not in SEARCHABLE:
            faults.append(f"{name}: must be one of {', '.join(SEARCHABLE)}")
        elif isinstance(ends, list | tuple) and (rule := _broken_rule(key, tuple(ends))):
            faults.append(f"{name} = {_shown(ends)}: {rule}")
    return faults


def own_range_faults(table: Mapping[str, Any]) -> list[str]:
    """The exact values of a strategy that lie outside the strategy's own ranges."""
    space = table.get("search")
    if not isinstance(space, Mapping) or space_faults("", space):
        return []
    known = {key: tuple(ends) for key, ends in space.items() if isinstance(ends, list | tuple)}
    values = {
        key: table.get(key, Strategy.model_fields[key].get_default())
        for key in known
        if key in Strategy.model_fields
    }
    exact = {k: v for k, v in values.items() if isinstance(v, int | float | str)}
    return [
        f"{table.get('name')}.{key} = {_shown(exact[key])}: must lie within its own"
        f" search.{key}, {_shown(known[key])}"
        for key in outside({k: known[k] for k in exact}, exact)
    ]


def point_faults(points: Sequence[Mapping[str, Value]]) -> list[str]:
    """What is wrong in points to try, the first of which has the number 1."""
    return [
        f"point {number}: {key} must be one of {', '.join(SEARCHABLE)}"
        if key not in SEARCHABLE
        else f"point {number}: {key} = {_shown(value)} is no value that {key} can have"
        for number, point in enumerate(points, 1)
        for key, value in point.items()
        if key not in SEARCHABLE or not _allowed(key, value)
    ]


def _broken_rule(key: str, ends: tuple[Any, ...]) -> str | None:
    """The rule of a key that its range or choices break, None where they keep all."""
    if not all(_allowed(key, end) for end in ends):
        return f"must hold values that {key} can have"
    match SEARCHABLE[key]:
        case "choices":
            return None if ends and len(set(ends)) == len(ends) else "must be different choices"
        case "whole":
            rises = len(ends) == 2 and ends[0] < ends[1] <= MAX_EPOCHS
            return None if rises else "must be a lowest and a highest whole number"
        case "log" | "linear":
            return None if len(ends) == 2 and ends[0] < ends[1] else "must be two ends that rise"


def _allowed(key: str, value: Any) -> bool:
    """Whether a strategy may have this value."""
    field = Strategy.model_fields[key]
    rule: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    if isinstance(value, bool):
        return False
    try:
        TypeAdapter(rule).validate_python(value)
    except ValidationError:
        return False
    return True


def _shown(value: Any) -> str:
    import json

    return json.dumps(list(value) if isinstance(value, tuple) else value, default=str)
