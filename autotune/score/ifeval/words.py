"""Sentences, words and the language of a text, counted offline and the same every time.

langdetect draws random numbers; unseeded it changes its mind about short texts. The detector here
belongs to this module and is seeded, so langdetect's own global state stays as it was.
"""

import re
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

_WORD = re.compile(r"\w+")
_SPACES = re.compile(r" {3,}")
_LAST_WHOLE_WORD = re.compile(r".*\w(?=[ \t\n\r\v\f])", re.DOTALL)


def count_words(text: str) -> int:
    """Runs of letters, digits and underscores."""
    return len(_WORD.findall(text))


def sentences(text: str) -> list[str]:
    """The sentences that the Punkt model of English finds."""
    found: list[str] = _punkt().tokenize(text)
    return found


def complete_sentences(beginning: str) -> str:
    """The longest part of `beginning` whose sentences are final, all but where the last one ends.

    It ends with a word that white space follows. Then Punkt sees every candidate for an end of
    sentence in it, with all the context that it looks at, just as it will see them in any longer
    text: a candidate's context ends with the next word, and runs of full stops end before the
    last word. So a longer text has the same sentences, the last of them perhaps longer, and more.
    """
    found = _LAST_WHOLE_WORD.match(beginning)
    return found.group() if found else ""


def count_sentences(text: str) -> int:
    """Sentences by the Punkt model of English."""
    return len(sentences(text))


def count_capital_words(text: str) -> int:
    """Words all in capitals; a word with a hyphen is one word.

    Sentences by Punkt, words within them by NLTK's Treebank rules.
    """
    return sum(map(capital_words, sentences(text)))


@lru_cache(maxsize=2**15)
def capital_words(sentence: str) -> int:
    """Words of one sentence that are all in capitals."""
    # Answers that loop, and the variants of one answer, hold the same sentences many times over.
    # NLTK before 3.10 takes quadratic time over a run of spaces after a full stop; to its rules a
    # run is two spaces, one for the word on either side.
    spaced = _SPACES.sub("  ", sentence)
    return sum(word.isupper() for word in _treebank().tokenize(spaced))


@cache
def _punkt() -> Any:
    import punkt

    return punkt.tokenizer_for("english")


@cache
def _treebank() -> Any:
    from nltk.tokenize.destructive import NLTKWordTokenizer

    return NLTKWordTokenizer()


SEED = 0


_lock = Lock()


def detect_language(text: str) -> str | None:
    """The code that langdetect gives the language of `text`, None where there is no letter."""
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
