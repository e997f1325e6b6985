"""Workers that have loaded torch before they are asked for."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from autotune.trials import process
from autotune.trials.environment import worker_environment
from tests.faults.entries import WORKER_MODULES
from tests.faults.forked import forking
from tests.faults.forkserver import Server
from tests.faults.toyrun import ONE_THREAD


@pytest.fixture(scope="session")
def worker_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path | None]:
    """The socket of a process that forks workers; None on a system where each is started anew."""
    if sys.platform != "linux" or not hasattr(os, "fork"):
        yield None
        return
    folder = tmp_path_factory.mktemp("workers")
    environment = worker_environment() | ONE_THREAD
    server = Server(folder, "tests.faults.entries:worker", WORKER_MODULES, environment)
    try:
        server.wait_until_ready()
        yield Path(server.path)
    finally:
        server.close()


@pytest.fixture(scope="module")
def forked_workers(worker_server: Path | None) -> Iterator[None]:
    """Spare each worker of a module the seconds in which it loads torch.

    For tests of what a worker does in its job. How one is started, what environment it has and
    what memory it takes are shown by those that really are.
    """
    if worker_server is None:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "subprocess", forking(str(worker_server)))
        yield
