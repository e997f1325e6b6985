"""What a run remembers of a study that several hosts work at."""

from typing import Literal

from autotune.base.model import Boundary


class HostTrial(Boundary):
    """A trial of a shared study: who worked at it, and what came of it.

    `outcome` is Optuna's state. `checkpoint` is the best one's folder on its own host, where it
    stays. `genuine` are passes, `shuffled` and `counts` shares; `hours` from its beginning.
    """

    number: int
    strategy: str = ""
    outcome: str
    host: str
    card: str
    run_folder: str
    checkpoint: str | None = None
    passes: int | None = None
    n: int | None = None
    genuine: int | None = None
    shuffled: float | None = None
    counts: float | None = None
    met: bool = False
    hours: float | None = None
    failure: str | None = None


class StudyTotal(Boundary):
    """A shared study as its worker saw it when the worker's run was over.

    `best` is the number of the best trial. It was chosen among `candidates` scored checkpoints of
    all hosts; `corrected` is what it is worth without that selection, None where it is not known.
    """

    kind: Literal["study_total"] = "study_total"
    study: str
    trials: tuple[HostTrial, ...]
    best: int | None
    candidates: int
    corrected: float | None = None
    interval: tuple[float, float] | None = None

    @property
    def best_trial(self) -> HostTrial | None:
        """The best trial, None where none has a score."""
        return next((t for t in self.trials if t.number == self.best), None)
