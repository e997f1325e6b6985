"""Whether process ids that the driver gives are counted as ours are.

The driver counts processes as the host does. In a container (or in another pid namespace) the same
number is nobody, or somebody else.
"""

import os
import sys
from pathlib import Path

INITIAL_NAMESPACE = 0xEFFFFFFC
"""The inode of Linux' first pid namespace, fixed in the kernel (PROC_PID_INIT_INO, proc_ns.h)."""

NAMESPACE = Path("/proc/self/ns/pid")


def counts_as_the_driver() -> bool:
    """Whether this process is in the namespace whose ids NVML gives.

    Only Linux has such namespaces. Where that cannot be read it is taken for a container: a name
    that is missing does less harm than a wrong one.
    """
    if sys.platform != "linux":
        return True
    try:
        return os.stat(NAMESPACE).st_ino == INITIAL_NAMESPACE
    except OSError:
        return False
