"""The checkers published with IFEval, as the package `if-verifiable` carries them, to compare with.

Four things are made as a comparison needs them; each is said where it is done. Nothing else of the
package is changed, and a test without it is skipped.
"""

import importlib
import importlib.util
import re
import sys
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

PACKAGE = "if_verifiable"


class Published:
    """The verdicts of the published checkers.

    A keyword, forbidden word or section's word is given as a literal: they read it as a pattern,
    and `C++` would be an error.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        if importlib.util.find_spec(PACKAGE) is None:
            pytest.skip(f"{PACKAGE} 0.1.2, the published checkers, is not installed")
        self._checkers = _module("ifeval.instructions_registry").INSTRUCTION_DICT
        self._variants = _module("common").get_loose_transformations
        _as_if_nltk_had_its_data(monkeypatch)
        # Else langdetect draws.
        monkeypatch.setattr("langdetect.DetectorFactory.seed", 0)
        # It writes a line for every text without a letter.
        monkeypatch.setattr("logging.error", lambda *_: None)

    def verdicts(
        self, kind: str, given: Mapping[str, Any], text: str, literal: bool = True
    ) -> tuple[bool, bool]:
        """Strict and loose, as its own evaluation asks a checker; blank texts never follow."""
        checker = self._checkers[kind](kind)
        checker.build_description(**(_literal(given) if literal else given))
        strict = bool(text.strip()) and bool(checker.check_following(text))
        loose = any(
            checker.check_following(variant)
            for variant in dict.fromkeys(self._variants(text))
            if variant.strip()
        )
        return strict, loose

    @property
    def kinds(self) -> frozenset[str]:
        """The instructions that it has checkers for."""
        return frozenset(self._checkers)


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Published:
    """Import this name into the module of a test that asks for it."""
    return Published(monkeypatch)


def _module(name: str) -> Any:
    """A module of the package, without its `__init__`, which loads data sets and pandas."""
    if PACKAGE in sys.modules:
        return importlib.import_module(f"{PACKAGE}.{name}")
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None
    sys.modules[PACKAGE] = importlib.util.module_from_spec(spec)
    try:
        return importlib.import_module(f"{PACKAGE}.{name}")
    finally:
        del sys.modules[PACKAGE]


def _as_if_nltk_had_its_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentences are those of the package that carries the model of English; nothing is fetched.

    How they differ from NLTK's own is another test's business. And NLTK's counter of words has
    Python's engine, as it had when the figures were published: that of newer ones takes a letter
    with a combining mark for one word.
    """
    import punkt

    model = punkt.tokenizer_for("english")
    util = _module("ifeval.instructions_util")
    monkeypatch.setattr(util, "_get_sentence_tokenizer", lambda: model)
    monkeypatch.setattr("nltk.tokenize._get_punkt_tokenizer", lambda language: model)
    monkeypatch.setattr("nltk.tokenize.RegexpTokenizer", _PythonsRegexpTokenizer)


class _PythonsRegexpTokenizer:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def tokenize(self, text: str) -> list[str]:
        return re.findall(self._pattern, text)


@cache
def nltk_punkt() -> Any:
    """NLTK's own sentence tokenizer with the parameters of the same model of English."""
    import punkt
    from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

    model = punkt.load_model("english")
    parameters = PunktParameters()
    parameters.abbrev_types = set(model.abbrev_types)
    parameters.collocations = set(model.collocations)
    parameters.sent_starters = set(model.sent_starters)
    parameters.ortho_context = defaultdict(int, model.ortho_context)
    return PunktSentenceTokenizer(parameters)


def _literal(given: Mapping[str, Any]) -> dict[str, Any]:
    escaped = dict(given)
    for name in ("keyword", "section_spliter"):
        if name in given:
            escaped[name] = re.escape(given[name].strip())
    for name in ("keywords", "forbidden_words"):
        if name in given:
            escaped[name] = [re.escape(word) for word in given[name]]
    return escaped
