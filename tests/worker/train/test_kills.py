"""Fifty SIGKILLs over one training, inside saves too: the same weights, bit for bit."""

import random
import time
from pathlib import Path

import psutil
import pytest

from autotune.base.manifest import verified
from autotune.launch import SubprocessRunner
from autotune.protocol import events
from autotune.protocol.events import WorkerEvent
from autotune.protocol.results import Checkpoint
from tests.worker.toys import chat_file, losses, of_kind, plan_of, save_toy, train_job, work

pytestmark = [pytest.mark.torch, pytest.mark.slow]

KILLS = 50
STEPS = 60
LATE = 5
"""Kills at most that are left where the training is over: on a busy machine a kill inside the last
save may come after it, and nothing is left to kill."""
MOMENTS = ("forward", "backward", "optimizer", "step")


def saving_seconds(emitted: list[tuple[float, WorkerEvent]]) -> float:
    """How long a save takes, from its beginning to the word that it is done: the median."""
    begun, took = 0.0, []
    for at, event in emitted:
        if isinstance(event, events.Phase) and event.name == "saving":
            begun = at
        if isinstance(event, events.CheckpointSaved) and begun:
            took.append(at - begun)
    return sorted(took)[len(took) // 2]


class Killer:
    """Kills its worker at a moment of a step: so many seconds after an event of that step."""

    def __init__(self, step: int, moment: str, delay: float) -> None:
        self.step, self.moment, self.delay = step, moment, delay
        self.emitted: list[WorkerEvent] = []
        self.pid: int | None = None
        self.done = 0

    def __call__(self, event: WorkerEvent) -> None:
        """Hear an event; `Resumed` says where this worker begins, and a step when one is over."""
        self.emitted.append(event)
        if isinstance(event, events.Ready):
            self.pid = event.pid
        if isinstance(event, events.Resumed | events.StepDone):
            self.done = event.step
        # A save comes after its step, all other moments before the step is over.
        at = self.done if self.moment in ("saving", "step") else self.done + 1
        name = event.name if isinstance(event, events.Phase) else ""
        name = "step" if isinstance(event, events.StepDone) else name
        if self.pid is not None and name == self.moment and at >= self.step:
            time.sleep(self.delay)
            psutil.Process(self.pid).kill()
            self.pid = None

    @property
    def last(self) -> str:
        """The phase that it died in; `saved` where a save had just been told."""
        event = self.emitted[-1]
        return event.name if isinstance(event, events.Phase) else event.kind


def test_a_training_killed_50_times_at_any_moment_ends_with_the_same_bits(tmp_path: Path) -> None:
    plan = plan_of(
        save_toy(tmp_path / "model"),
        chat_file(tmp_path / "chat.jsonl"),
        num_train_epochs=STEPS // 2,
        batch_size=6,
        checkpoint_fractions=(0.2, 0.4, 0.6, 0.8, 0.9, 1.0),
    )
    assert plan.total_steps == STEPS
    quiet: list[tuple[float, WorkerEvent]] = []
    ending = SubprocessRunner().run(
        train_job(plan, tmp_path / "quiet"),
        tmp_path / "quiet_work",
        lambda event: quiet.append((time.perf_counter(), event)),
        silence_seconds=600,
    )
    assert ending.failure is None
    undisturbed = losses([event for _, event in quiet])
    save = saving_seconds(quiet)

    draw = random.Random(4)
    job = train_job(plan, tmp_path / "killed")
    out, folder = Path(job.out), tmp_path / "work"
    emitted: list[WorkerEvent] = []
    inside = torn = 0
    left: set[str] = set()
    for number, step in enumerate(sorted(draw.randint(1, STEPS - 1) for _ in range(KILLS))):
        moment = "saving" if number % 2 else draw.choice(MOMENTS)
        killer = Killer(step, moment, draw.random() * save if moment == "saving" else 0.0)
        ending = SubprocessRunner().run(job, folder, killer, silence_seconds=600)
        if not ending.died and number >= KILLS - LATE and ending.failure is None:
            emitted += killer.emitted  # the last save was over before its kill came
            break
        assert (ending.died, killer.pid) == (True, None), (number, step, moment, killer.last)
        for event in of_kind(killer.emitted, events.Resumed):
            assert set(event.torn) == left
        left = {path.name for path in out.glob(".step-*")}
        inside += killer.last == "saving"
        torn += bool(left)
        emitted += killer.emitted
    assert inside >= 15, "too few kills landed inside a save"
    assert torn >= 5, "too few saves were cut in two"

    said, ending = work(job, folder)
    assert ending.failure is None
    emitted += said
    for event in of_kind(emitted, events.StepDone):
        assert event.loss == undisturbed[event.step]
    assert losses(emitted) == undisturbed

    told = {
        e.checkpoint.step: e.checkpoint
        for e in of_kind(emitted, events.CheckpointSaved)
        if e.scored
    }
    assert sorted(told) == sorted(plan.checkpoint_steps)
    for step, at in told.items():
        assert verified(Path(at.folder))
        assert weights(at) == weights(
            at.model_copy(update={"folder": str(tmp_path / "quiet" / at.name)})
        ), step
    names = sorted(path.name for path in out.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "quiet").iterdir())
    assert not [name for name in names if name.startswith(".")]


def weights(at: Checkpoint) -> bytes:
    return (Path(at.folder) / "model.safetensors").read_bytes()
