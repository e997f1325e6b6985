"""Every verdict is that of the checkers published with IFEval, so that scores can be compared.

The table's verdicts hold without them too; what compares is skipped where they are not installed.
"""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autotune.score.answers import Answer, match, read_answers
from autotune.score.ifeval.instructions import CLASSES, read_arguments
from autotune.score.ifeval.prompts import IFEvalPrompt, read_ifeval_prompts
from autotune.score.ifeval.scorer import judge
from autotune.score.ifeval.words import sentences
from tests.asked import ARGUMENTS
from tests.published import Published, nltk_punkt, published
from tests.score.ifeval.edge_cases import EDGES, ENGLISH, GERMAN, Edge

__all__ = ["published"]

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"
SLOW = (
    "language:response_language",
    "change_case:english_capital",
    "change_case:english_lowercase",
)
"""Kinds that ask for the language of a text, a hundredth of a second each."""

DRAWN_AT_RANDOM = {1122, 1129}
"""Keys whose letters, `#` and `!`, are none to the published checker, so it draws one."""


def ours(kind: str, arguments: dict[str, Any], text: str) -> tuple[bool, bool]:
    asked = IFEvalPrompt(
        key=1,
        prompt="p",
        instruction_id_list=(kind,),
        kwargs=(read_arguments(kind, arguments),),
    )
    (verdict,) = judge(asked, Answer(prompt="p", response=text)).instructions
    return verdict.strict, verdict.loose


@pytest.mark.parametrize("kind", CLASSES)
def test_a_text_at_the_edge_of_a_rule_has_the_rule_s_verdict(kind: str) -> None:
    edges = [edge for edge in EDGES if edge.kind == kind]
    assert any(edge.follow for edge in edges)
    assert any(edge.fail for edge in edges)
    for edge in edges:
        for text in edge.follow:
            assert ours(kind, edge.given, text)[0] is bool(text.strip()), (edge.given, text)
        for text in edge.fail:
            assert not ours(kind, edge.given, text)[0], (edge.given, text)


@pytest.mark.parametrize("kind", CLASSES)
def test_a_text_at_the_edge_of_any_rule_has_the_published_verdict(
    kind: str, published: Published
) -> None:
    for edge in EDGES:
        if edge.kind != kind:
            continue
        for text in _texts(edge):
            expected = published.verdicts(kind, edge.given, text)
            assert ours(kind, edge.given, text) == expected, (edge.given, text)


def _texts(edge: Edge) -> list[str]:
    """Its own texts; of the quick kinds those of all others too."""
    among = [edge] if edge.kind in SLOW else EDGES
    return [text for each in among for text in (*each.follow, *each.fail)]


def test_all_the_published_kinds_are_here_and_no_others(published: Published) -> None:
    assert published.kinds == set(CLASSES)


PIECES = st.sampled_from(
    [
        *("\n", "\n\n", " ", "  ", "\t", "\r\n", "\x0b", "\x1c", "\x85", "\u00a0", "\u2028"),
        *("*", "**", "***", "******", "-", "[", "]", "<<", ">>", '"', "'", "`", "```", "```json"),
        *("{", "}", ":", ",", ".", "...", "!", "?", '."', "(", ")", "P.S.", "p. p.", "s"),
        *("sea", "Sea", "SEA", "C++", "season", "name", "Name a sea.", "Section", "SECTION", "1"),
        *("I", "NASA", "U.S.", "Dr.", "e.g.", "word", "My answer is no.", "That is all.", "٣"),
        *("ΟΔΟΣ", "ΑΣ", "ας", "ſ", "İ", "ß", "ẞ", "é", "e\u0301", "हिन्दी", "日本", "\ufeff", "ﷺ"),
        *(ENGLISH, ENGLISH.upper(), GERMAN),
    ]
)
TEXTS = st.lists(PIECES, min_size=1, max_size=12).map("".join) | st.text(max_size=40)
ASKED = [
    (kind, given)
    for kind, several in ARGUMENTS.items()
    for given in several
    if kind not in SLOW
    and given.get("letter", "a").isascii()
    and given.get("letter", "a").isalpha()
]
"""What their published checkers judge quickly, and letters that these take for letters."""


@settings(
    max_examples=100,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(TEXTS)
def test_any_text_has_the_published_verdicts(published: Published, text: str) -> None:
    for kind, arguments in ASKED:
        assert ours(kind, arguments, text) == published.verdicts(kind, arguments, text), kind


WORDS = st.sampled_from(
    [
        *("sea", "The", "I", "He", "NASA", "Dr.", "Mr.", "U.S.", "e.g.", "p.m."),
        *("3.5", "St.", "J.", "No.", "word,", "*b*", "(so)", "it's", "ok"),
    ]
)
ENDS = st.sampled_from([".", "!", "?", "...", '."', ".)", ".*", ":", "", "!!!", "?!", ".”", ".’ "])
ORDINARY = st.lists(
    st.tuples(st.lists(WORDS, min_size=1, max_size=5).map(" ".join), ENDS).map("".join), max_size=6
).flatmap(lambda said: st.sampled_from([" ", "\n", "\n\n", "  "]).map(lambda gap: gap.join(said)))


@settings(max_examples=200, derandomize=True, database=None, deadline=None)
@given(ORDINARY)
def test_sentences_are_those_of_nltk_with_the_same_model(text: str) -> None:
    assert sentences(f"{text} End") == nltk_punkt().tokenize(f"{text} End")


@pytest.mark.parametrize(
    ("text", "here", "nltk"),
    [
        ("It is true!!", ["It is true!!"], ["It is true!", "!"]),
        ("Wait . . . what", ["Wait . . .", "what"], ["Wait .", ".", ".", "what"]),
        ("Stop.“ More", ["Stop.", "“ More"], ["Stop.“", "More"]),
    ],
)
def test_where_sentences_are_not_those_of_nltk_is_known(
    text: str, here: list[str], nltk: list[str]
) -> None:
    assert sentences(text) == here
    assert nltk_punkt().tokenize(text) == nltk


@pytest.mark.skipif(
    not DATA.is_dir(), reason="the published prompts and answers are not beside this checkout"
)
@pytest.mark.parametrize(
    ("prompts", "answers", "compared"),
    [
        ("input_data.jsonl", "ifeval/input_response_data_gpt4_20231107_145030.jsonl", 828),
        ("sampled_input_data.jsonl", "responses/base-100.jsonl", 146),
        ("sampled_input_data.jsonl", "responses/sft-100.jsonl", 146),
    ],
)
def test_a_recorded_answer_has_the_published_verdicts(
    prompts: str, answers: str, compared: int, published: Published
) -> None:
    asked = read_ifeval_prompts(DATA / "ifeval" / prompts)
    matched, _ = match(asked, read_answers(DATA / answers))
    seen = 0
    for prompt in asked:
        if prompt.key not in matched or prompt.key in DRAWN_AT_RANDOM:
            continue
        text = matched[prompt.key].response or ""
        verdicts = judge(prompt, matched[prompt.key]).instructions
        for verdict, arguments in zip(verdicts, prompt.kwargs, strict=True):
            # Keywords as patterns, as published: in this set the two are the same.
            theirs = published.verdicts(verdict.instruction, arguments, text, literal=False)
            assert (verdict.strict, verdict.loose) == theirs, (prompt.key, verdict)
            seen += 1
    assert seen == compared
