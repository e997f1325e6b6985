"""What a person sees of `inspect`: the table with its marks, the sentences, the samples."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from autotune.fit.data_report import DataReport
from autotune.protocol.choices import Supervision
from autotune.protocol.inspection import Sample, StopTokens, TextRun
from autotune.screen.data import inspected_summary, marks_of
from tests import inspections, setups
from tests.screens import WIDTHS, console, printed, squeezed, text_of


def chats(**changes: object) -> DataReport:
    """Six conversations; strategies at 64 and 128 tokens, and one that takes what fits."""
    data = setups.survey([60, 100], [60], [60], [60], [300], [40, 40, 40], prompt=20)
    profile = setups.profile(
        setups.strategy("A", model_max_length=128, max_rounds=2),
        setups.strategy("As", model_max_length=64, max_rounds=1),
        setups.strategy("C", model_max_length="fits", max_rounds="all"),
        max_length=4096,
    )
    return inspections.inspected(data, profile, **changes)


def shown(seen: DataReport, width: int = 140, tokens: bool = False) -> str:
    return squeezed(printed(inspected_summary(seen, tokens), width).replace("│", ""))


def test_each_strategy_stands_in_the_table_and_has_its_sentence() -> None:
    text = printed(inspected_summary(chats()))
    rows = {line.split()[1]: line for line in text.splitlines() if line[2:9].strip().isdigit()}
    assert list(rows) == ["64", "128", "256", "320", "1024", "4096"]
    assert "A" in rows["128"] and "C" not in rows["128"]
    assert "s" in rows["64"]
    assert "C" in rows["4096"] and "100.0 C" in rows["4096"]
    text = squeezed(text.replace("│", ""))
    # Answers within 128 tokens and two rounds, conversation by conversation.
    kept = (39 + 48) + 39 * 3 + 108 + 19 * 2
    total = 39 + 79 + 39 * 3 + 279 + 19 * 3
    share = kept * 1000 // total / 10
    assert (
        f"A: 128 tokens and 2 rounds keep {share} % of the supervised tokens; 2 conversations are"
        " truncated, none loses every answer" in text
    )
    assert "As (s): 64 tokens and 1 round keep" in text
    assert "1 conversation is truncated, none loses every answer" in text
    assert (
        "C: as long as fits, at most 4096 tokens and all rounds keep 100.0 % of the supervised"
        " tokens; no conversation is truncated by the length" in text
    )


def test_a_share_is_rounded_down_so_that_100_means_every_token() -> None:
    data = setups.survey(*([[1000]] * 30), [1028])
    text = shown(inspections.inspected(data, length=1024))
    assert "1024 100.0" not in text
    assert "1024 99.9" in text


def test_origin_sizes_roles_drop_reasons_and_the_end_token_are_reported() -> None:
    seen = chats(
        roles={"user": 9, "assistant": 9},
        source_roles={"human": 8, "observation": 1, "gpt": 9},
        left_out=5,
    )
    text = shown(seen, 200)
    assert "chat.jsonl, format messages (4 of 4 records have a list under 'messages')" in text
    assert "conversations: 11 in the file, 6 kept, 0 dropped, 5 left out" in text
    assert (
        "turns: 9 user, 9 assistant (in the file: 8 human read as user, 1 observation read as"
        " user, 9 gpt read as assistant)" in text
    )
    assert "tokens a conversation: p50 60, p90 300, p95 300, p99 300, max 300" in text
    assert "rounds a conversation: p50 1, p90 3" in text
    assert "<|im_end|> (id 2), supervised after each answer" in text
    assert "the tokenizer's own eos is <|endoftext|> (id 0)" in text


def test_results_that_a_template_writes_are_the_tools_own() -> None:
    text = shown(
        chats(
            roles={"user": 8, "assistant": 9, "tool": 1},
            source_roles={"human": 8, "observation": 1, "gpt": 9},
        ),
        200,
    )
    assert "1 tool (in the file: 8 human read as user, 1 observation read as tool, 9 gpt" in text


def test_a_tokenizer_whose_eos_ends_the_turn_needs_no_more_words() -> None:
    stop = StopTokens(end_token="<|im_end|>", end_id=2, eos_token="<|im_end|>", eos_id=2)
    assert "eos" not in shown(chats(stop=stop))


def test_what_is_dropped_is_listed_by_reason_and_a_loss_is_warned_of() -> None:
    data = setups.survey([60], [60], [300], prompt=20)
    file = data.file.model_copy(
        update={
            "dropped": {"no assistant": 1, "unknown role 'narrator'": 3},
            "literal_markers": 4,
        }
    )
    late = replace(file.conversations[2][0], start=200)
    file = file.model_copy(update={"conversations": (*file.conversations[:2], (late,))})
    text = shown(inspections.inspected(type(data)(file, data.truncation), length=128), 200)
    assert "7 in the file, 2 kept, 5 dropped" in text
    assert text.index("3 rows dropped: unknown role 'narrator'") < text.index(
        "1 row dropped: no assistant"
    )
    assert "1 row dropped: no supervised token left" in text
    assert "a template token is written out 4 times; it stays text and ends no turn" in text
    assert "warning: A, B: 128 tokens keep no answer of 1 of 3 conversations (33.3 %)" in text


@pytest.mark.parametrize(("row", "named"), [(1, "conversation 1:"), (3, "conversation 1 (row 3):")])
def test_a_conversation_is_named_by_its_row_where_that_is_another_number(
    row: int, named: str
) -> None:
    data = setups.survey([60], [60])
    file = data.file.model_copy(update={"rows": (row, row + 1)})
    assert named in shown(inspections.inspected(type(data)(file, data.truncation)))


def test_what_is_trained_on_stands_between_marks_that_need_no_colour() -> None:
    text = shown(chats())
    assert "<|im_start|>user 2 + 2?<|im_end|> <|im_start|>assistant «Four.<|im_end|>»" in text
    assert "conversation 1: 9 tokens, 3 of them supervised" in text
    assert "the answer and the token that ends it (supervision content)" in text
    course = shown(chats(supervision=Supervision.COURSE))
    assert "the assistant's header, the answer, the token that ends it and the newline" in course


def test_what_is_trained_on_is_green_on_a_terminal_and_plain_under_no_color() -> None:
    out = console(terminal=True)
    out.print(inspected_summary(chats()))
    assert "\x1b[32mFour." in text_of(out)
    plain = Console(file=io.StringIO(), width=140, force_terminal=True, _environ={"NO_COLOR": "1"})
    plain.print(inspected_summary(chats()))
    assert "\x1b[32m" not in text_of(plain)
    assert "«Four." in text_of(plain)


def test_token_ids_are_shown_when_they_are_asked_for() -> None:
    assert "ids" not in shown(chats())
    assert "ids 0 1 2 3 4 5 « 6 7 » 8" in shown(chats(), tokens=True)


def test_long_runs_say_how_much_they_leave_out() -> None:
    sample = Sample(
        conversation=3,
        tokens=600,
        supervised_tokens=500,
        runs=(
            TextRun(text="Once", trained=True, ids=(1,)),
            TextRun(text="", trained=True, hidden_tokens=420),
            TextRun(text="end.", trained=True, ids=(2,)),
        ),
    )
    assert "«Once[... 420 tokens ...]end.»" in shown(chats(samples=(sample,)))


def test_markup_and_escape_codes_in_a_text_are_shown_and_not_obeyed() -> None:
    run = TextRun(text="[bold]x[/bold]\x1b[31m\r\n[/x]", trained=False)
    sample = Sample(conversation=0, tokens=1, supervised_tokens=1, runs=(run,))
    seen = chats(samples=(sample,), reason="[/y]\x1b[2J", source_roles={"[/z]\x07": 1})
    text = printed(inspected_summary(seen), 200)
    for part in ("[bold]x[/bold]\\x1b[31m\\r", "[/x]", "[/y]\\x1b[2J", "1 [/z]\\x07"):
        assert part in text
    assert "\x1b" not in text


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    text = printed(inspected_summary(chats(), tokens=True), width)
    assert max(map(len, text.splitlines())) <= width
    assert "100.0" in text


@pytest.mark.parametrize(("encoding", "around"), [("cp1252", "«Four."), ("ascii", "<Four.")])
def test_a_terminal_of_few_characters_shows_the_marks_all_the_same(
    encoding: str, around: str
) -> None:
    raw = io.BytesIO()
    out = Console(file=io.TextIOWrapper(raw, encoding=encoding), width=100, _environ={})
    out.print(inspected_summary(chats()))
    out.file.flush()
    assert around in raw.getvalue().decode(encoding)


def test_every_strategy_has_a_mark_of_its_own() -> None:
    requests = chats().requests
    assert marks_of(requests) == {"A": "A", "As": "s", "C": "C"}


def test_a_terminal_of_80_columns_shows_the_whole_table_and_the_letters() -> None:
    data = setups.survey(*([[100], [100, 200], [100, 200, 300, 400]] * 40))
    text = printed(inspected_summary(inspections.inspected(data)), 80)
    (title,) = [line for line in text.splitlines() if "tokens" in line and "lost" in line]
    assert "1 round" in title and "trunc." in title
    assert "Letters: strategies of the profile" in squeezed(text.replace("│", ""))


def deep(width: int) -> tuple[list[str], str]:
    """The titles of the table of data with up to 30 rounds, and all of it as one line."""
    data = setups.survey(*([[20] * 30, [40] * 3] * 5))
    rounds = (2, 6, "all")
    strategies = [setups.strategy(n, max_rounds=r) for n, r in zip("ABC", rounds, strict=True)]
    seen = inspections.inspected(data, setups.profile(*strategies))
    text = printed(inspected_summary(seen), width)
    (title,) = [line for line in text.splitlines() if "tokens" in line and "lost" in line]
    return title.strip("│ ").split(), squeezed(text.replace("│", ""))


def test_a_narrow_terminal_keeps_the_rounds_of_the_strategies_and_names_those_left_out() -> None:
    whole, text = deep(140)
    assert "Left out" not in text
    some, text = deep(70)
    assert {"2", "6", "all"} <= set(some) < set(whole)
    gone = ", ".join(title for title in whole if title not in some)
    assert f"Letters: strategies of the profile. Left out for lack of room: {gone} rounds." in text
    fewest, text = deep(60)
    assert "Left out for lack of room: 1," in text
    assert {"2", "6", "all"} <= set(fewest) < set(some)
