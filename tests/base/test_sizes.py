"""Memory sizes as a person writes and reads them."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotune.base.errors import BadInput
from autotune.base.sizes import GIB, MIB, parse_size, show_apart, show_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8GiB", 8 * GIB),
        ("8192MiB", 8 * GIB),
        ("8GB", 8 * 10**9),
        ("512 mb", 512 * 10**6),
        (" 7.2GiB ", 7730941132),
        ("0.5gib", GIB // 2),
    ],
)
def test_a_size_is_a_number_with_a_unit(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    ["", "GiB", "-1GiB", "8TB", "1e3MB", "nanGiB", "infGiB", "8GiB!", "٣GiB"],
)
def test_what_is_no_size_is_refused_with_the_way_to_write_one(text: str) -> None:
    with pytest.raises(BadInput, match=r"7\.2GiB") as refused:
        parse_size(text)
    assert repr(text) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "meant"),
    [("8", "8GiB"), ("8G", "8GiB"), ("8,5GiB", "8.5GiB"), ("8192", "8192MiB"), ("512m", "512MiB")],
)
def test_what_is_nearly_a_size_is_refused_with_the_one_that_was_meant(
    text: str, meant: str
) -> None:
    with pytest.raises(BadInput, match=f"did you mean {re.escape(meant)}") as refused:
        parse_size(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize("text", ["0GiB", "0.0MB", "0.0000001MB"])
def test_nothing_is_no_size(text: str) -> None:
    with pytest.raises(BadInput, match="above zero"):
        parse_size(text)


@given(st.text(max_size=20) | st.from_regex(r"[0-9]{1,400}(\.[0-9]{1,400})?GiB", fullmatch=True))
def test_any_text_is_a_positive_size_or_refused(text: str) -> None:
    with contextlib.suppress(BadInput):
        assert parse_size(text) > 0


def test_a_size_is_shown_in_gib_and_a_small_one_in_mib() -> None:
    assert show_size(7 * GIB + GIB // 2) == "7.50 GiB"
    assert show_size(300 * MIB) == "300 MiB"


@pytest.mark.parametrize(
    ("sizes", "shown"),
    [
        ((8 * GIB, 7 * GIB), ("8.00 GiB", "7.00 GiB")),
        ((8 * GIB, 8188 * MIB), ("8192 MiB", "8188 MiB")),
        ((8 * GIB, 8 * GIB), ("8.00 GiB", "8.00 GiB")),
        ((439197696, 439504896), ("418.9 MiB", "419.1 MiB")),
        ((8 * GIB, 8 * GIB - MIB // 20), ("8192.00 MiB", "8191.95 MiB")),
        ((GIB + 1, GIB), ("1073741825 bytes", "1073741824 bytes")),
        ((300 * MIB, GIB), ("300 MiB", "1.00 GiB")),
    ],
)
def test_different_sizes_in_one_sentence_look_different(
    sizes: tuple[int, int], shown: tuple[str, str]
) -> None:
    assert show_apart(*sizes) == shown


@given(st.integers(1, 2**45), st.integers(1, 2**45))
def test_two_sizes_look_the_same_only_if_they_are(one: int, other: int) -> None:
    first, second = show_apart(one, other)
    assert (first == second) == (one == other)
