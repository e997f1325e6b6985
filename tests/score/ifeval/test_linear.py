"""The linear forms give the verdicts of the published patterns."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from autotune.score.ifeval.linear import (
    count_bullets,
    count_placeholders,
    has_postscript,
    has_title,
)

GAPS = st.sampled_from(["", " ", "  ", "\n", "\u00a0\n", "a"])
EXAMPLES = settings(max_examples=400, derandomize=True, database=None, deadline=None)


def texts(alphabet: list[str]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(alphabet), max_size=30).map("".join)


@EXAMPLES
@given(texts(["*", "-", "\n", " ", "\t", "\r", "\x0b", "\x85", "\u2028", "a", "**", "\n\n"]))
def test_bullets_are_counted_as_the_published_patterns_count_them(text: str) -> None:
    stars = re.findall(r"^\s*\*[^\*].*$", text, flags=re.MULTILINE)
    dashes = re.findall(r"^\s*-.*$", text, flags=re.MULTILINE)
    assert count_bullets(text) == len(stars) + len(dashes)


@EXAMPLES
@given(texts(["[", "]", "\n", "\r", " ", "a", "[]", "\u2028"]))
def test_placeholders_are_counted_as_the_published_pattern_counts_them(text: str) -> None:
    assert count_placeholders(text) == len(re.findall(r"\[.*?\]", text))


@EXAMPLES
@given(texts(["<", ">", "<<", ">>", "\n", "\r", " ", "a"]))
def test_a_title_is_found_where_the_published_pattern_finds_one(text: str) -> None:
    titles = re.findall(r"<<[^\n]+>>", text)
    assert has_title(text) == any(t.lstrip("<").rstrip(">").strip() for t in titles)


@EXAMPLES
@given(
    st.tuples(
        st.sampled_from(["", "Bye ", "\n\n"]),
        st.sampled_from(["p.", "P."]),
        GAPS,
        st.sampled_from(["", "p", "P."]),
        GAPS,
        st.sampled_from(["s", "S.", "note"]),
        GAPS,
    ).map("".join),
    st.sampled_from(["P.S.", "P.P.S", "Note"]),
)
def test_a_postscript_is_found_where_the_published_patterns_find_one(
    text: str, marker: str
) -> None:
    patterns = {"P.P.S": r"\s*p\.\s?p\.\s?s.*$", "P.S.": r"\s*p\.\s?s\..*$"}
    pattern = patterns.get(marker, r"\s*" + marker.lower() + r".*$")
    found = re.findall(pattern, text.lower(), flags=re.MULTILINE)
    assert has_postscript(text, marker) == bool(found)
