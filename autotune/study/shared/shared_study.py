"""The trials that several processes share: who works at which, and what came of them.

Of a trial the database always holds one of three things, whenever a process dies: it waits to be
taken, it runs and its worker's last sign of life is known, or it is over.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from autotune.base.errors import BadInput
from autotune.study.shared.address import Address
from autotune.study.shared.heartbeat import give_up_stale, superseded
from autotune.study.shared.lock import deciding
from autotune.study.shared.storage import (
    HEARTBEAT_SECONDS,
    close_storage,
    open_storage,
    quiet,
    set_heartbeat,
    translated,
)

ENDED_BY = "ended_by"
"""The attribute by which a failed trial's own worker says that it is over and not to be retried."""


@dataclass(frozen=True, slots=True)
class Point:
    """A trial to begin: its values, the ranges that they are from, and what it carries."""

    values: Mapping[str, Any]
    ranges: Mapping[str, Any]
    attributes: Mapping[str, Any]


HEARTBEAT = "heartbeat_seconds"
"""The attribute of a study whose workers say at another interval than usual that they live."""

Decide = Callable[[Sequence[Any]], Point | None]
"""Given Optuna's frozen trials, those left out that another stands for: what to begin now."""


class SharedStudy:
    """One study of a database."""

    def __init__(self, address: Address, storage: Any, name: str) -> None:
        import optuna

        self.address, self.storage, self.name = address, storage, name
        with translated(address):
            self.study = optuna.load_study(study_name=name, storage=storage)
            self._id: int = storage.get_study_id_from_name(name)
            set_heartbeat(storage, int(self.attributes.get(HEARTBEAT, HEARTBEAT_SECONDS)))

    def close(self) -> None:
        """Give the connections back."""
        close_storage(self.storage)

    @property
    def attributes(self) -> dict[str, Any]:
        """What the study carries, as it is now."""
        with translated(self.address):
            found: dict[str, Any] = self.storage.get_study_user_attrs(self._id)
            return found

    def carry(self, name: str, value: Any) -> None:
        """Keep something with the study; JSON values only."""
        with translated(self.address):
            self.storage.set_study_user_attr(self._id, name, value)

    def trials(self) -> list[Any]:
        """Optuna's frozen trials, without those in whose place another one stands."""
        with translated(self.address):
            found = self.storage.get_all_trials(self._id, deepcopy=False)
        again = superseded(found)
        return [trial for trial in found if trial.number not in again]

    def ask(
        self,
        decide: Decide,
        carried: Mapping[str, Any],
        accepts: Callable[[Any], bool] = lambda _: True,
    ) -> Any | None:
        """A trial for this process, which `heartbeat` must accompany from now on.

        One that waits and that this process `accepts` comes first, such as one whose worker died;
        else what `decide` says, which nobody else decides at the same time. `carried` are
        attributes of the one who works at it.

        Returns:
            Optuna's frozen trial, None where there is nothing to do now.

        Raises:
            EnvironmentFault: the database cannot be reached, or another process holds the lock.
        """
        from optuna.trial import TrialState

        with deciding(self.storage, self.address, self.name):
            give_up_stale(self.study, self.storage, self._ended())
            trials = self.trials()
            free = [t for t in trials if t.state is TrialState.WAITING and accepts(t)]
            attributes = dict(carried)
            if free:
                trial_id = self.trial_id(free[0].number)
                if ENDED_BY in free[0].user_attrs:  # its worker died as it ended it
                    attributes[ENDED_BY] = None
            else:
                point = decide(trials)
                if point is None:
                    return None
                attributes |= point.attributes
                trial_id = self._enqueue(point)
            for name, value in attributes.items():
                self.storage.set_trial_user_attr(trial_id, name, value)
            # In this order: a trial that runs without a sign of life would run for ever.
            self.storage.record_heartbeat(trial_id)
            self.storage.set_trial_state_values(trial_id, TrialState.RUNNING)
            return self.storage.get_trial(trial_id)

    def report(self, number: int, percent: int, value: float) -> None:
        """What a checkpoint of a running trial counts for, at so many percent of its training."""
        from optuna.exceptions import UpdateFinishedTrialError

        # Of one that is over, its end will say so.
        with translated(self.address), suppress(UpdateFinishedTrialError):
            self.storage.set_trial_intermediate_value(self.trial_id(number), percent, value)

    def tell(
        self, number: int, state: str, value: float | None, attributes: Mapping[str, Any]
    ) -> str | None:
        """End a trial: COMPLETE with a value, PRUNED with its last one, or FAIL.

        Returns:
            None, or why it was not taken: it was over already, as it is for a worker that was
            taken for dead. What was told before it is told again is the same, so no fault.
        """
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        wanted, ended = TrialState[state], {**attributes, ENDED_BY: "its worker"}
        with translated(self.address):
            trial_id = self.trial_id(number)
            try:
                for name, each in ended.items():
                    self.storage.set_trial_user_attr(trial_id, name, each)
                self.study.tell(number, value if wanted is TrialState.COMPLETE else None, wanted)
            except (UpdateFinishedTrialError, ValueError):
                found = self.storage.get_trial(trial_id)
                if not found.state.is_finished():
                    raise
                if not found.user_attrs.get(ENDED_BY) or found.state is not wanted:
                    return f"Cannot tell a {found.state.name} trial."
        return None

    def _enqueue(self, point: Point) -> int:
        from optuna.trial import TrialState, create_trial

        waiting = create_trial(
            state=TrialState.WAITING,
            params=dict(point.values),
            distributions=dict(point.ranges),
            user_attrs=dict(point.attributes),
        )
        created: int = self.storage.create_new_trial(self._id, template_trial=waiting)
        return created

    def trial_id(self, number: int) -> int:
        """What the storage calls a trial; its heartbeat is recorded by that."""
        found: int = self.storage.get_trial_id_from_study_id_trial_number(self._id, number)
        return found

    def _ended(self) -> set[int]:
        """The failed trials that their own worker ended."""
        trials = self.storage.get_all_trials(self._id, deepcopy=False)
        return {trial.number for trial in trials if trial.user_attrs.get(ENDED_BY)}


def make_study(
    address: Address, name: str, *, heartbeat_seconds: int = HEARTBEAT_SECONDS
) -> SharedStudy:
    """A study that is there, or is made; its database's tables too. The coordinator's part."""
    import optuna

    with quiet(), translated(address):
        storage = open_storage(address, make_tables=True)
        made = optuna.create_study(
            storage=storage, study_name=name, direction="maximize", load_if_exists=True
        )
        if heartbeat_seconds != HEARTBEAT_SECONDS:
            made.set_user_attr(HEARTBEAT, heartbeat_seconds)
    return SharedStudy(address, storage, name)


def join_study(address: Address, name: str) -> SharedStudy:
    """A study that is there.

    Raises:
        BadInput: it is not; those that are there are named.
    """
    storage = open_storage(address, make_tables=False)
    with translated(address):
        names = sorted(each.study_name for each in storage.get_all_studies())
    if name not in names:
        close_storage(storage)
        known = ", ".join(names[:10]) or "none"
        raise BadInput(
            f"--study {name}: is not in {address.shown}, which holds: {known}; give one of these,"
            " or begin it with smolsft-autotune run --storage ... --study NAME"
        )
    return SharedStudy(address, storage, name)
