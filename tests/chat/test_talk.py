"""A talk with a model, with a worker that is a real process and needs no model."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pytest

from autotune.base.errors import EnvironmentFault
from autotune.chat.answerer import Answerer
from autotune.chat.talk import LineInterrupted, Talk, shown
from autotune.cli.chat import typed_by
from autotune.protocol.export_jobs import Turn
from autotune.protocol.job import on_the_computer

SPEAKER = (sys.executable, str(Path(__file__).with_name("speaker.py")))


@pytest.fixture
def answerer(tmp_path: Path) -> Iterator[Answerer]:
    made = Answerer(on_the_computer(), tmp_path / "model", 5, 4096, tmp_path / "w", SPEAKER)
    with made:
        yield made


def talk(answerer: Answerer, *lines: str) -> tuple[Talk, str, list[str]]:
    """A talk of these lines: the talk, what was said, what was told beside."""
    given: Iterator[str] = iter(lines)
    said: list[str] = []
    told: list[str] = []

    def tell(line: str, label: str = "") -> None:
        told.append(f"{label} {line}".strip())

    made = Talk(answerer, lambda: next(given, None), said.append, tell, 5)
    made.run()
    return made, "".join(said), told


def test_each_line_has_its_answer_and_its_end_is_told(answerer: Answerer) -> None:
    made, said, told = talk(answerer, "one two", "", "a b c d e f g", "/quit", "never")
    assert said == "one two \na b c d e \n"
    assert told == [
        "[ended by itself after 2 tokens, 0.5 s]",
        "[truncated at 5 tokens: it had not ended by itself (--max-new-tokens 5)]",
    ]
    assert [turn.content for turn in made.turns] == ["one two", "one two ", *made_of(made)]


def test_until_the_first_text_of_an_answer_is_there_it_is_shown_as_awaited(
    answerer: Answerer,
) -> None:
    seen: list[str] = []

    @contextmanager
    def waiting() -> Iterator[None]:
        seen.append("waits")
        yield
        seen.append("no more")

    given = iter(["one two", "three"])
    Talk(
        answerer,
        lambda: next(given, None),
        seen.append,
        lambda line, label="": None,
        5,
        waiting=waiting,
    ).run()
    assert seen == ["waits", "no more", "one ", "two ", "\n", "waits", "no more", "three ", "\n"]


def made_of(made: Talk) -> list[str]:
    return [made.exchanges[1].question, made.exchanges[1].answer.text]


def test_a_conversation_is_kept_until_it_is_reset(answerer: Answerer) -> None:
    lines = ("/system be brief", "one", "/reset", "two", "/unheard", "/help")
    made, _, told = talk(answerer, *lines)
    assert [(t.role, t.content) for t in made.turns] == [
        ("system", "be brief"),
        ("user", "two"),
        ("assistant", "two "),
    ]
    assert told[0] == "a new conversation, with a system prompt"
    assert any(line.startswith("/unheard: no such command; /reset, ") for line in told)
    assert any(line.startswith("/quit") and "end" in line for line in told)


def test_rounds_that_the_model_has_no_room_for_are_forgotten_and_said(answerer: Answerer) -> None:
    made, _, told = talk(answerer, "one", "two", "three", "four")
    assert told[2] == (
        "[ended by itself after 1 token, 0.5 s; 1 oldest round forgotten, the model has no room"
        " for more]"
    )
    assert [t.content for t in made.turns if t.role == "user"] == ["three", "four"]


def test_an_interrupt_ends_the_answer_and_the_same_worker_has_the_next(answerer: Answerer) -> None:
    ask = [Turn(role="user", content="so wait not this")]
    ended = answerer.answer(ask, lambda _: answerer.interrupt())
    assert (ended.text, ended.finish) == ("so ", "interrupted")
    worker = answerer.worker
    assert answerer.answer([Turn(role="user", content="next")], lambda _: None).text == "next "
    assert answerer.worker is worker


def test_a_second_interrupt_ends_a_worker_that_does_not_hear(answerer: Answerer) -> None:
    def twice(_: str) -> None:
        answerer.interrupt()
        answerer.interrupt()

    ended = answerer.answer([Turn(role="user", content="well hang")], twice)
    assert (ended.text, ended.finish) == ("well ", "interrupted")
    assert answerer.answer([Turn(role="user", content="next")], lambda _: None).text == "next "


def test_ctrl_c_between_answers_ends_only_a_talk_that_nobody_types(answerer: Answerer) -> None:
    lines: Iterator[str | type[BaseException]] = iter([LineInterrupted, "/quit"])

    def read() -> str | None:
        line = next(lines)
        if isinstance(line, str):
            return line
        raise line

    told: list[str] = []
    Talk(answerer, read, told.append, told.append, 5).run()
    assert told[-1] == "/quit or Ctrl-D ends the talk"
    lines = iter([LineInterrupted])
    with pytest.raises(KeyboardInterrupt):
        Talk(answerer, read, told.append, told.append, 5, interactive=False).run()


def test_a_worker_that_dies_ends_the_talk_with_its_log(answerer: Answerer) -> None:
    with pytest.raises(EnvironmentFault, match="worker ended with code 7"):
        talk(answerer, "die")


def test_an_answer_cannot_move_the_cursor() -> None:
    assert shown("a\tb\n\x1b[2Jc") == "a\tb\n\\x1b[2Jc"


def test_the_prompts_of_a_talk_are_not_in_its_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("Why?\n"))
    read = typed_by(True)
    assert (read(), read()) == ("Why?", None)
    assert capsys.readouterr() == ("", "you> you> ")
    monkeypatch.setattr("sys.stdin", StringIO("Why?\n"))
    assert typed_by(False)() == "Why?"
    assert capsys.readouterr() == ("you> ", "")
