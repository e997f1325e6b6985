"""What stands between an odd prompt, a broken machine or a thread and a wrong verdict."""

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from autotune.base.errors import EnvironmentFault
from autotune.protocol.results import PromptVerdict
from autotune.score.answers import Answer
from autotune.score.ifeval.prompts import IFEvalPrompt
from autotune.score.ifeval.scorer import judge
from autotune.score.ifeval.words import _factory, capital_words
from tests.asked import prompt_of

GERMAN = "Das Wetter ist heute sehr schön und wir gehen in den Garten."
ENGLISH = "the weather is very nice today and we are going to the garden"


def all_verdicts(asked: IFEvalPrompt, response: str) -> PromptVerdict:
    return judge(asked, Answer(prompt=asked.prompt, response=response))


def test_an_instruction_that_nobody_knows_fails_with_the_nearest_name_and_the_run_goes_on() -> None:
    asked = prompt_of(("punctuation:no_comma", {}), ("startend:quotation", {}))
    unknown = asked.model_copy(
        update={"instruction_id_list": ("keywords:no_comma", "startend:quotation")}
    )
    first, second = all_verdicts(unknown, '"One two."').instructions
    assert not first.loose
    assert first.error is not None
    assert "'keywords:no_comma'; the nearest known is 'punctuation:no_comma'" in first.error
    assert second.strict


def test_a_missing_package_ends_the_scoring_and_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "langdetect.lang_detect_exception", None)
    with pytest.raises(EnvironmentFault, match="scoring needs the package langdetect"):
        all_verdicts(prompt_of(("language:response_language", {"language": "de"})), GERMAN)


def test_threads_that_score_together_agree() -> None:
    asked = prompt_of(
        ("language:response_language", {"language": "de"}), ("change_case:english_lowercase", {})
    )
    texts = ["no la casa", "ok", "Hallo hello", GERMAN, ENGLISH] * 8
    alone = [all_verdicts(asked, text) for text in texts]
    _factory.cache_clear()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(partial(all_verdicts, asked), texts)) == alone


def test_a_run_of_spaces_changes_no_count_of_capital_words() -> None:
    from nltk.tokenize.destructive import NLTKWordTokenizer

    for gap in (" ", "  ", "   ", " " * 9, " \n   "):
        for words in (
            "NASA",
            "I'M",
            '"A"',
            "U.S.",
            "CAN'T,",
            "(A:",
            "MORE'N",
            "x'",
            "A.)",
            "''B''",
        ):
            text = f"IT{gap}{words}{gap}IS{gap}"
            expected = sum(word.isupper() for word in NLTKWordTokenizer().tokenize(text))
            assert capital_words(text) == expected, text
