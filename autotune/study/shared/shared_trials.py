"""This worker's trials in the shared study: which it takes, what it says of them, whether it lives.

Within a trial the worker's own record decides; between trials the study does. So a worker that was
killed takes up its own trial where it was, unless another has it by now.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from autotune.protocol import events
from autotune.run.session import Session
from autotune.run.trial_state import TrialState
from autotune.run.trial_summary import outcome_of, reports_of, value_of
from autotune.score.prompt_order import shuffled
from autotune.score.prompts import Prompt
from autotune.study.shared.carried import HOST, Worker, carried_by
from autotune.study.shared.heartbeat import RETRIES, heartbeat
from autotune.study.shared.patience import patiently
from autotune.study.shared.shared_study import Decide, SharedStudy


class SharedTrials:
    """The trials of one run folder, as the shared study has them.

    `asked` is a trial that this worker has taken and not begun.
    """

    def __init__(
        self,
        session: Session,
        study: SharedStudy,
        worker: Worker,
        prompts: tuple[Prompt, ...],
        seed: int,
    ) -> None:
        """`prompts` in any order; `seed` makes the random one, as in early decisions."""
        self.session, self.study, self.worker = session, study, worker
        self.order = shuffled(prompts, seed)
        self.numbers: dict[int, int] = {}
        self.asked: Any | None = None
        self._beating = ExitStack()

    def take_up(self) -> str | None:
        """Say what came of trials since the study heard last, and take up what was under way.

        Returns:
            Why the unfinished trial of the record cannot go on, None where it can or there is none.
        """
        mine = {t.number: t for t in self._trials() if self.worker.works_at(t)}
        lost = None
        for trial in self.session.state.trials:
            found = self._counterpart(trial)
            if found is None:
                continue
            self.numbers[trial.number] = found.number
            mine.pop(found.number, None)
            if trial.ended is not None:
                if not found.state.is_finished() and self._holds(found):
                    self.publish(trial)
            elif self._holds(found) or self._claims(found.number):
                self._live(found.number)
            else:
                who = found.user_attrs.get(HOST, "another worker")
                lost = f"trial {found.number} of the study was given to {who} meanwhile"
        # Taken, and killed before this run's record had it.
        running = [t for t in mine.values() if t.state.name == "RUNNING"]
        if running and self.session.state.current is None:
            self.asked = running[0]
            self._live(running[0].number)
        return lost

    def ask(self, decide: Decide, accepts: Callable[[Any], bool]) -> Any | None:
        """A trial for this worker, None where there is none now."""
        if self.asked is None:
            self.asked = self._patiently(
                lambda: self.study.ask(decide, self.worker.attributes, accepts)
            )
            if self.asked is not None:
                self._live(self.asked.number)
        return self.asked

    def begun(self, trial: TrialState) -> None:
        """The trial that was asked for is this one of the record."""
        assert self.asked is not None
        self.numbers[trial.number] = self.asked.number
        self.asked = None

    def publish(self, trial: TrialState) -> None:
        """Report a trial's checkpoints, and its end if it is over."""
        number = self.numbers.get(trial.number)
        if number is None:
            return
        reports = reports_of(trial)

        def tell() -> str | None:
            for percent, value in reports.items():
                self.study.report(number, percent, value)
            if trial.ended is None:
                return None
            now = self.session.clock()
            carried = carried_by(trial, self.session.rundir, self.order, now)
            return self.study.tell(number, outcome_of(trial), value_of(trial), carried)

        said = self._patiently(tell)
        if trial.ended is not None:
            self.rest()
        if said is not None:
            self.session.emit(
                events.Warned(
                    message=f"trial {trial.number}: the study did not take it ({said} It has"
                    f" {number} as over, since nothing was heard of this worker for a while);"
                    " it stays in this folder"
                )
            )

    def rest(self) -> None:
        """No trial is under way any more."""
        self._beating.close()

    def _live(self, number: int) -> None:
        self.rest()
        trial_id = self.study.trial_id(number)
        self._beating.enter_context(heartbeat(self.study.storage, trial_id))

    def _counterpart(self, trial: TrialState) -> Any | None:
        """What the study has of a recorded trial: by its number, or begun again by another."""
        wanted = trial.optuna_number
        for found in self._trials():
            if found.number == wanted or wanted in found.system_attrs.get(RETRIES, ()):
                return found
        return None

    def _holds(self, found: Any) -> bool:
        """Whether one of the study's trials runs, and here."""
        return found.state.name == "RUNNING" and self.worker.works_at(found)

    def _claims(self, number: int) -> bool:
        """Take a trial that waits, as long as nobody else has."""
        taken = self._patiently(
            lambda: self.study.ask(
                lambda _: None, self.worker.attributes, lambda t: bool(t.number == number)
            )
        )
        return taken is not None

    def _trials(self) -> list[Any]:
        found: list[Any] = self._patiently(self.study.trials)
        return found

    def _patiently(self, ask: Callable[[], Any]) -> Any:
        return patiently(ask, lambda line: self.session.emit(events.Warned(message=line)))
