"""A score and the figures beside it: under which keys files hold them, whatever the scorer."""

from typing import Annotated, Any

from pydantic import AliasChoices, ConfigDict, Field

from autotune.base.model import Boundary


class Metric(Boundary):
    """Passes out of a total; `accuracy` is their ratio, 0..1."""

    passes: int
    total: int
    accuracy: float

    @classmethod
    def of(cls, passes: int, total: int) -> "Metric":
        """The metric of a count; an empty total counts as 0."""
        return cls(passes=passes, total=total, accuracy=passes / total if total else 0.0)


class Lift(Boundary):
    """How much of a score is following (`score.lift`).

    `genuine` are the passes by what an answer says itself, out of all prompts; `shuffled` how many
    of the other prompts that they were held against the same answers pass. `p_value` is how
    probable so many genuine passes are where nothing is followed.
    """

    genuine: Metric
    shuffled: Metric
    p_value: float

    @property
    def share(self) -> float:
        """Genuine less shuffled, -1..1."""
        return self.genuine.accuracy - self.shuffled.accuracy


DEFAULT_SCORER = "ifeval"
"""The scorer of files from before there were others, which name none."""

_SCORE_KEY = "prompt_strict"
"""What files call a score, whatever the scorer calls it: the name that IFEval's has."""

_SCORE = Field(validation_alias=AliasChoices(_SCORE_KEY, "score"), serialization_alias=_SCORE_KEY)
Score = Annotated[Metric, _SCORE]
"""The prompts that pass, by the scorer's main figure: what a target is held against."""

MaybeScore = Annotated[Metric | None, _SCORE]
"""The same where there may be none."""


class Scored(Boundary):
    """What holds a `Score`, under the same key in every file."""

    model_config = ConfigDict(serialize_by_alias=True)


class Figures(Scored):
    """The figures of a scorer beside its score, by their keys.

    Those of IFEval have fields of their own, which files had before there were other scorers; those
    of any other stand in `figures`.
    """

    instruction_strict: Metric | None = None
    prompt_loose: Metric | None = None
    instruction_loose: Metric | None = None
    figures: dict[str, Metric] = {}

    def figure(self, key: str) -> Metric | None:
        """The figure of a key; None where there is none."""
        return self.named_figures.get(key)

    @property
    def named_figures(self) -> dict[str, Metric]:
        """Every figure that there is, by its key."""
        own = {name: getattr(self, name) for name in _OWN_FIELDS}
        return {name: metric for name, metric in own.items() if metric is not None} | self.figures

    @property
    def beside(self) -> dict[str, Any]:
        """These fields, for another value that carries the same figures on."""
        return {name: getattr(self, name) for name in (*_OWN_FIELDS, "figures")}


_OWN_FIELDS = ("instruction_strict", "prompt_loose", "instruction_loose")
