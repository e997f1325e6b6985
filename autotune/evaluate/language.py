"""Which language a text is in, the same verdict every time.

langdetect draws random numbers; unseeded it changes its mind about short texts. The detector here
belongs to this module and is seeded, so langdetect's own global state stays as it was.
"""

from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

SEED = 0

_lock = Lock()


def detect_language(text: str) -> str | None:
    """The code that langdetect gives the language of `text`, None where no letter tells."""
    from langdetect.lang_detect_exception import LangDetectException

    with _lock:  # or threads that are first together load the profiles once each
        factory = _factory()
    detector = factory.create()
    detector.append(text)
    try:
        return str(detector.detect())
    except LangDetectException:
        return None


@cache
def _factory() -> Any:
    from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory

    # The order of the profiles is the order of floating-point sums; a folder's own order differs
    # between machines.
    files = sorted(path for path in Path(PROFILES_DIRECTORY).iterdir() if path.is_file())
    factory = DetectorFactory()
    factory.set_seed(SEED)
    factory.load_json_profile([path.read_text(encoding="utf-8") for path in files])
    return factory
