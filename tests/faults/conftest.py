"""The fork servers and the undisturbed run."""

import os
from collections.abc import Iterator

import pytest

from tests.faults import toyrun
from tests.faults.control import built
from tests.faults.entries import RUN_MODULES, WORKER_MODULES
from tests.faults.forkserver import Server
from tests.faults.tries import FaultRunner


@pytest.fixture(scope="session")
def fault_runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultRunner]:
    """Ready for faults: the undisturbed run is over."""
    if not hasattr(os, "fork"):
        pytest.skip("runs are forked from a process that has loaded torch; this system has no fork")
    folder = tmp_path_factory.mktemp("faults")
    library = built(folder)
    inputs = folder / "inputs"
    inputs.mkdir()
    toyrun.write_inputs(inputs)
    environment = toyrun.environment()
    loaded = environment | {"LD_PRELOAD": str(library)}
    # Short: a socket's path has a hundred characters at most.
    servers = [
        Server(folder, "tests.faults.entries:run", RUN_MODULES, loaded),
        Server(folder, "tests.faults.entries:worker", WORKER_MODULES, loaded),
    ]
    try:
        for server in servers:
            server.wait_until_ready()
        runs, workers = (str(server.path) for server in servers)
        starter = toyrun.Starter(runs, workers, library, environment)
        made = FaultRunner(
            folder, starter, (servers[0].process.pid, servers[1].process.pid), inputs
        )
        made.calm()
        yield made
    finally:
        for server in servers:
            server.close()
