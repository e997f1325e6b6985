"""`--gpus all`: a worker process for each card, which it sees alone, by its UUID."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from autotune.base.errors import ExitCode
from autotune.base.interpreter import PYTHON
from autotune.cli.run_folder import RUNS
from autotune.device.nvml_port import Card
from autotune.device.visible import VARIABLE
from autotune.sources.say import Say
from autotune.study.shared.address import Address

END_SECONDS = 30.0
"""How long a worker may take to end its own worker and its record once it is asked to."""


def command_of(address: Address, study: str, words: Sequence[str] = ()) -> list[str]:
    """A worker's command line with further `words`; there is no password in it."""
    told = ["worker", "--storage", address.shown, "--study", study, "--device", "cuda", *words]
    return [*PYTHON, "-m", "autotune", *told]


@contextmanager
def card_workers(
    cards: Sequence[Card], address: Address, study: str, say: Say, words: Sequence[str] = ()
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Workers on these cards, ended with the block; each writes its lines into a file in `runs/`.

    The password, if any, reaches them by the environment, as it reached this process.
    """
    started: list[subprocess.Popen[bytes]] = []
    with ExitStack() as files:
        try:
            for card in cards:
                log = log_of(study, card)
                log.parent.mkdir(parents=True, exist_ok=True)
                started.append(
                    subprocess.Popen(
                        command_of(address, study, words),
                        env={**os.environ, VARIABLE: card.uuid or ""},
                        stdin=subprocess.DEVNULL,
                        stdout=files.enter_context(log.open("ab")),
                        stderr=subprocess.STDOUT,
                    )
                )
                say(f"worker on {card.name} ({card.uuid}): {log}")
            yield started
        finally:
            for process in started:
                if process.poll() is None:
                    process.terminate()
            for process in started:
                try:
                    process.wait(END_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def wait_for(started: Sequence[subprocess.Popen[bytes]]) -> int:
    """Wait until all have ended; the worst of their exit codes."""
    codes = [process.wait() for process in started]
    return max((code if code >= 0 else ExitCode.INTERNAL for code in codes), default=ExitCode.DONE)


def log_of(study: str, card: Card) -> Path:
    """Where a card's worker writes what it would show."""
    import re

    name = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{study}-{card.uuid}").strip("-.")
    return RUNS / f"{name}.log"
