"""Which engine answers: what there is, what each can serve, and which is a device's own."""

from collections.abc import Callable
from dataclasses import dataclass

from autotune.protocol.job import EngineName
from autotune.worker.compute import Compute
from autotune.worker.device_kinds import traits_of
from autotune.worker.generate import continuous
from autotune.worker.generate.batches import BatchesEngine
from autotune.worker.generate.continuous import ContinuousEngine
from autotune.worker.generate.engine import EngineFactory
from autotune.worker.generate.graphed import GraphedEngine
from autotune.worker.generate.rows import RowsEngine
from autotune.worker.generate.rows_check import can_answer_by_rows
from autotune.worker.model import Loaded


@dataclass(frozen=True, slots=True)
class Entry:
    """An engine, and whether it can answer for a model where that is computed.

    `by_rows`: see `Engine`. `samples`: whether it can draw tokens (`GenerationSettings.draws`).
    """

    make: EngineFactory
    by_rows: bool
    samples: bool
    serves: Callable[[Loaded, Compute], bool]


def _by_rows(loaded: Loaded, _: Compute) -> bool:
    return can_answer_by_rows(loaded.model)


ENGINES: dict[EngineName, Entry] = {
    "rows": Entry(RowsEngine, True, True, _by_rows),
    "graphed": Entry(GraphedEngine, True, True, _by_rows),
    "continuous": Entry(ContinuousEngine, False, False, continuous.serves),
    "batches": Entry(BatchesEngine, False, True, lambda _, __: True),
}

ANY: EngineName = "batches"
"""What serves every model, and samples."""


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """The engine that answers, and a warning where it is not the one that was asked for."""

    name: EngineName
    warning: str | None = None

    @property
    def entry(self) -> Entry:
        """Its row of the table."""
        return ENGINES[self.name]


def chosen(
    requested: EngineName | None, loaded: Loaded, compute: Compute, *, sampling: bool = False
) -> EngineChoice:
    """The engine that was asked for, or else the device's own, where it serves the model.

    With `sampling` it must be able to draw as well.
    """

    def serves(name: EngineName) -> bool:
        entry = ENGINES[name]
        return (entry.samples or not sampling) and entry.serves(loaded, compute)

    own = traits_of(compute.device).engine
    if serves(requested or own):
        return EngineChoice(requested or own)
    other = own if serves(own) else ANY
    if requested is None:
        return EngineChoice(other)
    cannot = "cannot answer for this model here"
    if sampling and not ENGINES[requested].samples:
        cannot = "cannot sample"
    return EngineChoice(other, f"engine {requested} {cannot}; {other} does")
