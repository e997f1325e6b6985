"""What the beginning of an answer decides about one instruction, whatever follows it.

Each rule is true of the checker that scores: `rule(beginning)` is False only if every text that
begins so fails, and True only if every one passes (short of the cap on an answer's length, which
`early` sees to). Why is said where it is not plain; `tests/score/ifeval/test_early_verdicts.py`
looks for a text that proves a rule wrong.
"""

import re
from collections.abc import Callable, Mapping

from autotune.score.ifeval.checkers import Check, build_check
from autotune.score.ifeval.early_json import is_lost
from autotune.score.ifeval.instructions import Argument
from autotune.score.ifeval.linear import count_bullets
from autotune.score.ifeval.words import capital_words, count_words, sentences

Rule = Callable[[str], bool | None]
"""Beginning of an answer -> the strict verdict on the whole of it, None while it is open."""

Arguments = Mapping[str, Argument]

_PARAGRAPHS = re.compile(r"\s?\*\*\*\s?")
_LAST_WHOLE_WORD = re.compile(r".*\w(?=[ \t\n\r\v\f])", re.DOTALL)
_END_OF_WORD = frozenset(".,?!'\"")


def build_rule(instruction: str, kwargs: Arguments) -> Rule:
    """The rule of one instruction with arguments as `read_arguments` gives them.

    Raises:
        EnvironmentFault: the published checkers are not installed.
    """
    if instruction in _GROWING:
        return _once(build_check(instruction, kwargs))
    builder = _BUILDERS.get(instruction)
    return builder(kwargs) if builder is not None else _open


def settled_part(beginning: str) -> str:
    """The longest part of `beginning` whose sentences are settled, all but where the last one ends.

    It ends with a word that white space follows. Then Punkt sees every candidate for an end of
    sentence in it, with all the context that it looks at, just as it will see them in any longer
    text: a candidate's context ends with the next word, and runs of full stops end before the
    last word. So a longer text has the same sentences, the last of them perhaps longer, and more.
    """
    found = _LAST_WHOLE_WORD.match(beginning)
    return found.group() if found else ""


def _open(_: str) -> None:
    """The end of an answer decides, or its whole."""
    return None


def _once(check: Check) -> Rule:
    """A check of something that, once it is there, stays."""
    return lambda text: True if check(text) else None


def _counted(count: Callable[[str], int], relation: Argument, limit: Argument) -> Rule:
    """A comparison of a count that no further text makes smaller."""
    if not isinstance(limit, int):
        raise TypeError(f"{limit!r} is no count")
    reached = relation == "at least"
    return lambda text: reached if count(text) >= limit else None


def _frequency(kwargs: Arguments) -> Rule:
    # A literal matches as many characters as it has, so matches do not change as the text grows.
    keyword = re.compile(re.escape(str(kwargs["keyword"]).strip()), re.IGNORECASE)
    return _counted(
        lambda text: len(keyword.findall(text)), kwargs["relation"], kwargs["frequency"]
    )


def _letter_frequency(kwargs: Arguments) -> Rule:
    letter = str(kwargs["letter"]).lower()
    if letter in "σς":  # which of the two a capital becomes depends on what follows
        return _open
    return _counted(
        lambda text: text.lower().count(letter), kwargs["let_relation"], kwargs["let_frequency"]
    )


def _number_words(kwargs: Arguments) -> Rule:
    return _counted(count_words, kwargs["relation"], kwargs["num_words"])


def _number_sentences(kwargs: Arguments) -> Rule:
    return _counted(
        lambda text: len(sentences(settled_part(text))),
        kwargs["relation"],
        kwargs["num_sentences"],
    )


def _capital_word_frequency(kwargs: Arguments) -> Rule:
    # The words at the end of the last sentence may still change.
    return _counted(
        lambda text: sum(map(capital_words, sentences(settled_part(text))[:-1])),
        kwargs["capital_relation"],
        kwargs["capital_frequency"],
    )


def _number_bullet_lists(kwargs: Arguments) -> Rule:
    wanted = kwargs["num_bullets"]
    if not isinstance(wanted, int):
        raise TypeError(f"{wanted!r} is no count")
    return lambda text: False if count_bullets(text) > wanted else None


def _postscript(kwargs: Arguments) -> Rule:
    if set(str(kwargs["postscript_marker"]).lower()) & set("σς"):
        return _open
    return _once(build_check("detectable_content:postscript", kwargs))


def _forbidden_words(kwargs: Arguments) -> Rule:
    words = kwargs["forbidden_words"]
    if not isinstance(words, tuple):
        raise TypeError(f"{words!r} is no list of words")
    patterns = [re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE) for word in words]

    def rule(text: str) -> bool | None:
        # A word at the very end may go on: `sea` becomes `season`.
        found = (pattern.search(text) for pattern in patterns)
        return False if any(match and match.end() < len(text) for match in found) else None

    return rule


def _english_capital(_: Arguments) -> Rule:
    # The added letter makes a text without letters count as one in capitals.
    return lambda text: None if (text + "A").isupper() else False


def _english_lowercase(_: Arguments) -> Rule:
    return lambda text: None if (text + "a").islower() else False


def _no_comma(_: Arguments) -> Rule:
    return lambda text: False if "," in text else None


def _quotation(_: Arguments) -> Rule:
    return lambda text: None if text.lstrip()[:1] in ('"', "") else False


def _json_format(_: Arguments) -> Rule:
    return lambda text: False if is_lost(text) else None


def _repeat_prompt(kwargs: Arguments) -> Rule:
    asked = str(kwargs["prompt_to_repeat"]).strip().lower()
    folded = asked.replace("ς", "σ")

    def rule(text: str) -> bool | None:
        said = text.lstrip()[: len(asked)].lower()  # never shorter in small letters
        if "σ" not in folded and said.startswith(asked):
            return True
        common = min(len(said), len(folded))
        same = said.replace("ς", "σ")[:common] == folded[:common]
        return None if same else False

    return rule


def _number_paragraphs(kwargs: Arguments) -> Rule:
    wanted = kwargs["num_paragraphs"]
    if not isinstance(wanted, int):
        raise TypeError(f"{wanted!r} is no count")

    def rule(text: str) -> bool | None:
        *finished, last = _PARAGRAPHS.split(text)
        if any(not part.strip() for part in finished[1:]):
            return False
        count = sum(bool(part.strip()) for part in finished) + _says_something(last)
        return False if count > wanted else None

    return rule


def _two_responses(_: Arguments) -> Rule:
    def rule(text: str) -> bool | None:
        *finished, last = text.split("******")
        if any(not part.strip() for part in finished[1:]):
            return False
        answers = [part.strip() for part in finished if part.strip()]
        if len(answers) + _says_something(last) > 2:
            return False
        return False if len(answers) == 2 and answers[0] == answers[1] else None

    return rule


def _says_something(growing: str) -> bool:
    """Whether a part holds more than white space and asterisks that may begin a divider."""
    return bool(growing.rstrip("*").strip())


def _first_word(kwargs: Arguments) -> Rule:
    total, nth = kwargs["num_paragraphs"], kwargs["nth_paragraph"]
    expected = str(kwargs["first_word"]).lower()
    if not isinstance(total, int) or not isinstance(nth, int):
        raise TypeError(f"{total!r} or {nth!r} is no count")

    def rule(text: str) -> bool | None:
        paragraphs = text.split("\n\n")
        if sum(bool(part.strip()) for part in paragraphs) > total:
            return False
        if nth > len(paragraphs):
            return None
        begun = paragraphs[nth - 1]
        finished = nth < len(paragraphs)
        words = begun.split(maxsplit=1)
        if not words:
            return False if finished else None
        finished = finished or len(words) > 1 or begun[-1].isspace()
        said = ""
        for letter in words[0].lstrip("'").lstrip('"'):
            if letter in _END_OF_WORD:
                finished = True
                break
            said += letter.lower()
        possible = said == expected if finished else expected.startswith(said)
        return None if possible else False

    return rule


_GROWING = frozenset(
    {
        "detectable_content:number_placeholders",
        "detectable_format:constrained_response",
        "detectable_format:multiple_sections",
        "detectable_format:number_highlighted_sections",
        "detectable_format:title",
        "keywords:existence",
    }
)
"""Instructions that ask for something to be there, as often as asked or more."""

_BUILDERS: dict[str, Callable[[Arguments], Rule]] = {
    "change_case:capital_word_frequency": _capital_word_frequency,
    "change_case:english_capital": _english_capital,
    "change_case:english_lowercase": _english_lowercase,
    "combination:repeat_prompt": _repeat_prompt,
    "combination:two_responses": _two_responses,
    "detectable_content:postscript": _postscript,
    "detectable_format:json_format": _json_format,
    "detectable_format:number_bullet_lists": _number_bullet_lists,
    "keywords:forbidden_words": _forbidden_words,
    "keywords:frequency": _frequency,
    "keywords:letter_frequency": _letter_frequency,
    "length_constraints:nth_paragraph_first_word": _first_word,
    "length_constraints:number_paragraphs": _number_paragraphs,
    "length_constraints:number_sentences": _number_sentences,
    "length_constraints:number_words": _number_words,
    "punctuation:no_comma": _no_comma,
    "startend:quotation": _quotation,
}
"""The rest; `language:response_language` and `startend:end_checker` stay open to the end."""
