"""Doubled conversations and gaps that nobody filled are counted, shown by row, and kept."""

import pytest

from autotune.data.oddities import oddities
from autotune.protocol.data_notes import note_sentence
from tests.wholefiles import adapt


def said(*pairs: tuple[str, str]) -> list[str]:
    rows = [
        {"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]}
        for q, a in pairs
    ]
    adapted = adapt(rows, "messages")
    assert len(adapted.conversations) == len(rows)
    return [note_sentence(note) for note in oddities(adapted.conversations, adapted.rows)]


def test_a_conversation_said_twice_is_named_by_the_later_row() -> None:
    assert said(("a", "b c"), ("x", "y"), ("a ", " b\n c"), ("a", "b c")) == [
        "2 rows: the same conversation as an earlier row, white space apart (rows 3, 4)"
    ]
    # The same prompt with another answer, or the same letters otherwise shared out.
    assert said(("a", "b"), ("a", "c"), ("ab", "c"), ("a", "bc")) == []


@pytest.mark.parametrize(
    "gap",
    [
        "{{name}}",
        "{{ user.name }}",
        "{{{name}}}",
        "{{first_name | title}}",
        "{NAME}",
        "{First_Name}",
        "<USER_NAME>",
        "[PLACEHOLDER]",
        "${company}",
        "{customer_name}",
        "<|topic|>",
        "%(city)s",
        "[INSERT NAME HERE]",
        "[Your Name]",
        "[your company]",
        "[Company Name]",
        "<insert date>",
    ],
)
def test_a_gap_that_nobody_filled_is_shown(gap: str) -> None:
    line = f"what looks like a placeholder that nobody filled, such as {gap} (row 2)"
    assert said(("hi", "there"), ("q", f"Dear {gap}, hello")) == [f"1 row: {line}"]
    assert said(("hi", "there"), (f"I am {gap}.", "Hello.")) == [f"1 row: {line}"]


@pytest.mark.parametrize(
    "text",
    [
        "`{{name}}` is Jinja",
        "```python\nprint(f'{name}')\n{{ x }}\n```",
        r"\frac{{a}}{{b}} and \text{name} and x_{max}",
        "f(x) = {x : x > 0}, {a, b}",
        '{"name": "Ann"}',
        "a[i] and [1] and [link name](http://x) and [note]",
        "<|im_end|> and <b>bold</b> and <name>",
        "${x}$",
        "50 %(about)",
    ],
)
def test_code_mathematics_and_links_are_no_gaps(text: str) -> None:
    assert said(("q", text)) == []


def test_a_few_of_the_gaps_are_shown_and_the_rows_counted() -> None:
    pairs = [(str(n), f"{{{{gap_{n}}}}}") for n in range(9)]
    assert said(*pairs) == [
        "9 rows: what looks like a placeholder that nobody filled, such as {{gap_0}}, {{gap_1}},"
        " {{gap_2}} (rows 1, 2, 3, 4, 5 and 4 more)"
    ]
