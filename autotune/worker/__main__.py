"""The worker: `python -m autotune.worker JOB.json` does one job and reports on its pipe.

File descriptor 1 is pointed at standard error before any library is loaded, so that nothing a
library prints can tear an event apart. Exit codes: 0 done, 3 out of memory, 4 bad job, 1 crashed.
The parent holds standard input open; when it ends, the parent is gone and so are we.
"""

import errno
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

from pydantic import ValidationError

from autotune.errors import AutotuneError, EnvironmentFault
from autotune.events import Failed
from autotune.job import JOB
from autotune.outcome import Fault
from autotune.worker.pipe import Pipe

DONE, CRASHED, OUT_OF_MEMORY, BAD_JOB = 0, 1, 3, 4


def follow_parent() -> None:
    """End the process when standard input does: an orphan must not write into a resumed run.

    Windows lets one operation at a time at a pipe, and libraries look at standard input while
    they are loaded: beside a pending read, importing numpy hangs (numpy#24290). So there the pipe
    is asked now and then, and never read.
    """
    if sys.platform == "win32":
        import _winapi
        import msvcrt

        pipe = msvcrt.get_osfhandle(0)
        try:
            while True:
                _winapi.PeekNamedPipe(pipe, 0)
                time.sleep(0.5)
        except BrokenPipeError:
            os._exit(CRASHED)
        except OSError:
            return  # a console, not a pipe: started by hand, nobody to follow
    while os.read(0, 4096):
        pass
    os._exit(CRASHED)


def main() -> int:
    """Do the job named on the command line."""
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    # Ctrl-C reaches the whole group; the parent decides what becomes of us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=follow_parent, daemon=True).start()

    pipe = Pipe(stream)
    try:
        job = JOB.validate_json(Path(sys.argv[1]).read_bytes())
    except (OSError, IndexError, ValidationError) as error:
        return fail(pipe, Fault.BAD_JOB, f"job file: {str(error).splitlines()[0]}")

    # torch is loaded here, after the streams are in place.
    from autotune.memory.faults import classify
    from autotune.worker import jobs
    from autotune.worker.checkpoint import DiskFull
    from autotune.worker.step import NumericFault
    from autotune.worker.train import BadJob

    try:
        jobs.run(job, pipe)
        return DONE
    except (DiskFull, EnvironmentFault) as error:
        return fail(pipe, Fault.DISK, str(error))
    except (BadJob, AutotuneError) as error:
        return fail(pipe, Fault.BAD_JOB, str(error))
    except NumericFault as error:
        return fail(pipe, Fault.NUMERIC, str(error))
    except Exception as error:
        traceback.print_exc()
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        return fail(pipe, Fault.DISK if full else classify(error), one_line(error))


def one_line(error: Exception) -> str:
    """The error's type and the first line of its text."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def fail(pipe: Pipe, fault: Fault, message: str) -> int:
    """Report the failure and give the exit code that goes with it."""
    pipe.emit(Failed(fault=fault, phase=pipe.phase, message=message))
    return {Fault.OUT_OF_MEMORY: OUT_OF_MEMORY, Fault.BAD_JOB: BAD_JOB}.get(fault, CRASHED)


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Skip interpreter teardown: the thread on standard input and torch's pools would delay it.
    os._exit(code)
