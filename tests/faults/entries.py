"""Where the children of the fork servers begin: the command line, and a worker."""

import os
import sys

from tests.faults.control import ROLE, Role, obey

WORKERS = "FAULTS_WORKERS"
"""Environment variable with the socket of the server that starts workers."""

RUN_MODULES = [
    "autotune.cli.app",
    "autotune.cli.run",
    "autotune.study.tuner",
    "tests.faults.run_modules",
]
WORKER_MODULES = ["autotune.worker.__main__", "tests.faults.worker_modules"]


def run() -> int:
    """`python -m autotune`, whose workers are forked."""
    from autotune.cli.start import main
    from autotune.launch import process
    from autotune.report import write
    from tests.faults.forked import forking

    role = {ROLE: str(Role.WORKER.value)}
    process.subprocess = forking(os.environ[WORKERS], **role)  # type: ignore[attr-defined]
    write.draw_png = lambda picture, dark=False: b""  # a third of the time, and touches no file
    obey(os.environ)
    main()
    return 0


def worker() -> int:
    """`python -m autotune.worker JOB`."""
    from autotune.worker.__main__ import main

    obey(os.environ)
    code = main()
    sys.stderr.flush()
    return code
