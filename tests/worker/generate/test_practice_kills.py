"""Practice data of real workers: one is killed, the command is interrupted, nothing differs."""

from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from autotune.config.synth import SynthChoice
from autotune.launch import SubprocessRunner
from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.run.folder import RunDir
from autotune.run.practice import CHATS, make_practice
from autotune.run.session import Session
from autotune.sources.prompts import ifeval_here
from autotune.synth.card_file import CARD, README
from tests import setups
from tests.worker.toys import save_toy

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures("forked_workers")]

CHOICE = SynthChoice(tasks=20, variants=1, samples=2, max_new_tokens=160)
"""Half a second of answering: time enough to be disturbed in its midst."""


@dataclass
class Disturbing:
    """Kills the first worker once `killed` answers are there; Ctrl-C once `interrupted` are."""

    killed: int
    interrupted: int
    pid: int | None = None

    def on_record(self, record: Record) -> None:
        event = record.event
        if isinstance(event, events.Ready) and self.killed:
            self.pid = event.pid
        if not isinstance(event, events.Answered):
            return
        if self.pid is not None and event.done >= self.killed:
            psutil.Process(self.pid).kill()
            self.pid, self.killed = None, 0
        if event.done >= self.interrupted:
            raise KeyboardInterrupt


def made(root: Path, model: Path, view: Disturbing | None = None) -> dict[str, bytes]:
    """What a run folder has, made to its end; the answers in an order of their own."""
    session = Session(RunDir(root), SubprocessRunner(), view=view)
    source = ifeval_here()
    setup = replace(
        setups.setup(setups.profile(), folder=model), prompts_file=source.path if source else None
    )
    where = make_practice(
        session, setup, model, CHOICE, session.rundir.practice_folder("model")
    ).parent
    answers = sorted((where / "responses.jsonl").read_bytes().splitlines())
    assert len(answers) == CHOICE.tasks * CHOICE.samples
    return {name: (where / name).read_bytes() for name in (CHATS, CARD, README)} | {
        "answers": b"\n".join(answers)
    }


def test_a_killed_worker_and_an_interrupt_leave_the_same_practice_data(tmp_path: Path) -> None:
    model = save_toy(tmp_path / "toy")
    whole = made(tmp_path / "whole", model)
    with pytest.raises(KeyboardInterrupt):
        made(tmp_path / "run", model, Disturbing(killed=4, interrupted=12))
    kept = (tmp_path / "run" / "practice" / "model" / "responses.jsonl").read_bytes()
    assert 12 <= kept.count(b"\n") < CHOICE.tasks * CHOICE.samples
    assert made(tmp_path / "run", model) == whole
    workers = [r.event for r in RunDir(tmp_path / "run").records()]
    assert sum(isinstance(event, events.Ready) for event in workers) == 3
