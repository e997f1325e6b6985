"""A fault put to a run, the run gone on with to its end, and what does not hold of it."""

import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.faults import invariants
from tests.faults.control import Control, Fault, Operation, Role, control, operations
from tests.faults.forked import Forked
from tests.faults.outcome import Outcome, digest, outcome_of
from tests.faults.toyrun import Ended, Place, Starter, ended

AT_A_TIME = 2
"""Cases side by side: most machines that test have two cores or more, and a run waits a lot."""

STARTS = 3
"""How often the command is started again after a fault until it must have ended."""


@dataclass(frozen=True)
class Tried:
    """One case: what went wrong at which operation, how the command ended, what does not hold."""

    name: str
    met: str
    code: int | None
    breaches: tuple[str, ...]

    @property
    def outcome(self) -> str:
        """How the disturbed command ended, in a word or two."""
        if self.code is None:
            return "not reached"
        return f"signal {-self.code}" if self.code < 0 else f"exit {self.code}"

    def __str__(self) -> str:
        return f"{self.name} ({self.met}; {self.outcome}): " + "; ".join(self.breaches)


@dataclass
class FaultRunner:
    """Where cases are tried: the servers, the inputs, and the run that nothing disturbs."""

    folder: Path
    starter: Starter
    server_pids: tuple[int, int]
    inputs: Path
    operations: list[Operation] = field(default_factory=list)
    undisturbed: Outcome | None = None
    seconds: float = 0.0

    def calm(self) -> None:
        """The undisturbed run: what it does is counted, what it comes to is to be met again."""
        place = Place.made(self.folder / "calm", self.inputs)
        trace = self.folder / "trace"
        begin = time.monotonic()
        with control(self.folder / "calm.control", place.run, None, trace) as block:
            end = self.starter.command(place, block.path)
        self.seconds = time.monotonic() - begin
        assert end.code == invariants.BELOW_TARGET, end.human
        self.operations = operations(trace)
        self.undisturbed = outcome_of(place, end.said)
        wrong = list(invariants.breaches(place, end, None))
        assert not wrong, "; ".join(wrong)

    def try_all(self, cases: Sequence[Fault]) -> list[Tried]:
        """Every case, some at a time."""
        return side_by_side(lambda at: self.try_one(at, cases[at]), range(len(cases)))

    def try_one(self, number: int, fault: Fault) -> Tried:
        """One fault, then the same command without it until it is over."""
        place = Place.made(self.folder / f"fault-{fault.role}-{fault.kind}-{fault.at}", self.inputs)
        with control(place.root / "control", place.run, fault, None) as block:
            first = self.starter.command(place, block.path)
        found = list(self.wrong(place, first, fault, block))
        tried = Tried(str(fault), block.met, first.code if block.fired else None, tuple(found))
        self.tidy(place, found)
        return tried

    def wrong(self, place: Place, first: Ended, fault: Fault, block: Control) -> Iterable[str]:
        """What does not hold after the fault, and after the command is run again."""
        dead = fault.kind.kills and fault.role is Role.RUN and block.fired
        if dead and first.code != -signal.SIGKILL:
            yield f"exit {first.code} of a process that was killed"
        if not fault.kind.kills:
            yield from invariants.wrong_end(first, fault.kind.name)
        elif not dead:
            yield from invariants.wrong_end_after_kill(first)
        last = first
        if first.code != invariants.BELOW_TARGET:
            yield from self.gone_on(place, self.undisturbed)
            return
        yield from invariants.breaches(place, last, self.undisturbed)

    def gone_on(self, place: Place, like: Outcome | None) -> Iterable[str]:
        """The same command again, until it has ended; as the one that it must be like, if any."""
        last = None
        for _ in range(STARTS):
            kept = invariants.Kept.of(place)
            last = self.starter.command(place)
            yield from kept.lost(place)
            if last.code == invariants.BELOW_TARGET:
                break
            yield f"exit {last.code} when it is run again: {last.last_line!r}"
        assert last is not None
        yield from invariants.breaches(place, last, like)

    def tidy(self, place: Place, found: Sequence[str]) -> None:
        """Keep the folder of a case that shows something."""
        if not found:
            shutil.rmtree(place.root)

    def try_lost(self, number: int, *, others_too: bool) -> Tried:
        """The undisturbed run without its best weights, gone on with, killed at a random moment.

        With `others_too` no trial has weights left, so one is trained again, to the same ones.
        """
        draw = random.Random(number)
        name = f"lost-{'all' if others_too else 'best'}-{number}"
        root = shutil.copytree(self.folder / "calm", self.folder / name)
        place = Place(root)
        assert self.undisturbed is not None
        best = digest(place.run / "best" / "model.safetensors")
        shutil.rmtree(place.run / "best")
        for weights in place.run.glob("trials/*/checkpoints/*/model.safetensors"):
            if others_too or digest(weights) == best:
                shutil.rmtree(weights.parent)
        process = self.starter.start(place)
        span = self.seconds if others_too else 0.2 * self.seconds
        gone = self.kill(place, process, "run", draw.uniform(0.0, 0.5) * span)
        process.wait()
        found = list(self.gone_on(place, None))
        now = digest(place.run / "best" / "model.safetensors")
        if (now == best) != others_too:
            found.append("trained again to other weights" if others_too else "the best is back")
        tried = Tried(f"kills {name}", "run" if gone else "run too late", -9, tuple(found))
        self.tidy(place, found)
        return tried

    def try_kills(self, number: int, kills: int) -> Tried:
        """A run whose processes are killed at random moments, then left to end."""
        draw = random.Random(number)
        place = Place.made(self.folder / f"kills-{number}", self.inputs)
        found: list[str] = []
        whom = []
        for _ in range(kills):
            kept = invariants.Kept.of(place)
            process = self.starter.start(place)
            victim = draw.choice(("run", "worker", "both"))
            wait = draw.uniform(0.05, 0.7) * self.seconds
            gone = self.kill(place, process, victim, wait)
            if victim == "worker":
                end = ended(process, place)
            else:
                process.wait()
                end = None
            found += kept.lost(place)
            whom.append(victim if gone else f"{victim} too late")
            if end is not None:
                found += invariants.wrong_end_after_kill(end)
        found += self.gone_on(place, self.undisturbed)
        tried = Tried(f"kills {number}", ", ".join(whom), -signal.SIGKILL, tuple(found))
        self.tidy(place, found)
        return tried

    def kill(self, place: Place, process: Forked, victim: str, wait: float) -> bool:
        """Kill the run, its worker of the moment, or both; whether there was one to kill."""
        until = time.monotonic() + wait
        while time.monotonic() < until or (victim == "worker" and not self.workers_of(place)):
            if process.poll() is not None:
                return False
            time.sleep(0.005)
        victims = [] if victim == "worker" else [process.pid]
        if victim != "run":
            victims += self.workers_of(place)
        for one in victims:
            try:
                psutil.Process(one).kill()
            except psutil.NoSuchProcess:
                continue
        return bool(victims)

    def workers_of(self, place: Place) -> list[int]:
        """The workers of a run: children of their fork server, in the folder of their run."""
        found = []
        for child in psutil.Process(self.server_pids[1]).children():
            try:
                if Path(child.cwd()) == place.root:
                    found.append(child.pid)
            except psutil.Error:
                continue
        return found


def side_by_side(one: Callable[[int], Tried], numbers: Iterable[int]) -> list[Tried]:
    """Some at a time, in order."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return list(pool.map(one, numbers))


def counted(what: str, tried: Sequence[Tried], operations: Sequence[Operation]) -> list[str]:
    """Lines for the end of a test session: how many of what kind, and how they ended."""
    by_role = Counter(operation.role.name.lower() for operation in operations)
    of = ", ".join(f"{count} of a {role}" for role, count in sorted(by_role.items()))
    kinds = Counter(one.name.rsplit(" ", 1)[-1] for one in tried)
    ends = Counter(one.outcome for one in tried)
    lines = [f"{what}: {len(tried)} cases; operations of an undisturbed run: {of}"]
    if not all(one.name.startswith("kills") for one in tried):
        lines.append("by kind: " + ", ".join(f"{k} {n}" for k, n in sorted(kinds.items())))
    lines.append("first ended: " + ", ".join(f"{k} {n}" for k, n in sorted(ends.items())))
    lines.append(f"breaches: {sum(bool(one.breaches) for one in tried)}")
    return lines


def check(
    what: str, tried: Sequence[Tried], fault_runner: FaultRunner, say: Callable[[str], None]
) -> None:
    """Say the counts, and fail where something does not hold."""
    for line in counted(what, tried, fault_runner.operations):
        say(line)
    wrong = [str(one) for one in tried if one.breaches]
    assert not wrong, "\n".join(wrong)
