"""The user's cache folder: what is fetched or converted once is kept there."""

import os
from pathlib import Path

from autotune.base.home import from_home

CACHE_VARIABLE = "SMOLSFT_CACHE"
"""Environment variable that moves the cache, for example to a larger disk."""


def cache_folder() -> Path:
    """The cache folder, absolute; it may not exist yet.

    `SMOLSFT_CACHE` if it is set, else the system's place for caches of this user.
    """
    chosen = os.environ.get(CACHE_VARIABLE, "").strip()
    if chosen:
        return from_home(chosen).absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("smolsft-autotune", appauthor=False))
