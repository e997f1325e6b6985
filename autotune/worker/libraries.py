"""Loading transformers, with torch or as if there were none."""

import sys
from typing import Any


def hide_torch() -> None:
    """Keep torch from being loaded in this process, unless it is already.

    Without torch, transformers is its tokenizers and configurations, the very same code, and takes
    a third of the time and 200 MiB less to load. Python imports nothing that is None among its
    modules, and says of it that it is not there.
    """
    modules: dict[str, Any] = sys.modules
    modules.setdefault("torch", None)


def quiet_transformers() -> str:
    """Load transformers, let it say nothing, and return its version."""
    import transformers

    logging: Any = transformers.logging
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    return str(transformers.__version__)
