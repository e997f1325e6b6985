"""The beginning of an answer that is practised on: whole, and so that no cut shows."""

import pytest

from autotune.synth.lengths import beginning

TEXT = "One two three four five. Six seven eight nine. Ten.\n\nEleven twelve. And so on."
LIST = "One.\n\nTwo three:\n\n1. Four five.\n2. Six.\n3. Seven.\n4. Eight.\n\nNine."


@pytest.mark.parametrize(
    ("text", "words", "begun"),
    [
        (TEXT, 5, "One two three four five."),
        (TEXT, 8, "One two three four five. Six seven eight nine. Ten."),
        (TEXT, 99, TEXT),
        (LIST, 5, "One.\n\nTwo three:\n\n1. Four five.\n2. Six."),
        ('"One two three. Four five six."', 3, "One two three."),
    ],
)
def test_a_beginning_ends_where_a_reader_expects_it(text: str, words: int, begun: str) -> None:
    assert beginning(text, words) == begun
