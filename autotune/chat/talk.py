"""A talk with a model, line by line: what a person typed, commands, answers, and how each ended.

On a terminal the answer streams, and a line behind it says how it ended. From a pipe each line is a
question; the answers alone go to standard output, and the rest to standard error.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

from autotune.base.format import counted, duration, safe
from autotune.chat.answerer import Answer
from autotune.protocol.export_jobs import Turn

COMMANDS = {
    "/reset": "begin a new conversation",
    "/system TEXT": "begin a new one with this system prompt; without a text with none",
    "/help": "show these commands",
    "/quit": "end (or Ctrl-D)",
}


class LineInterrupted(KeyboardInterrupt):
    """Ctrl-C while nothing is answered."""


class Answers(Protocol):
    """What answers: `answerer.Answerer`."""

    def answer(self, turns: Sequence[Turn], on_text: Callable[[str], None]) -> Answer:
        """See `Answerer.answer`."""
        ...


class Tell(Protocol):
    """Shows a line beside the answers; one with a label beside or below it."""

    def __call__(self, line: str, label: str = "") -> None:
        """Show it."""
        ...


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and the answer to it."""

    question: str
    answer: Answer


@dataclass
class Talk:
    """A conversation that goes on until there are no more lines.

    `read` gives the next line, None at the end; `say` shows text of the answer as it is, `tell` a
    line beside it. Ctrl-C while a line is read ends a talk that is not `interactive`. `waiting`
    shows that an answer is awaited, until its first text is there.
    """

    answers: Answers
    read: Callable[[], str | None]
    say: Callable[[str], None]
    tell: Tell
    max_new_tokens: int
    interactive: bool = True
    waiting: Callable[[], AbstractContextManager[object]] = nullcontext
    turns: list[Turn] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)

    def run(self) -> None:
        """Answer line after line.

        Raises:
            KeyboardInterrupt: not an answer is to end, but the talk.
            AutotuneError: the model cannot answer.
        """
        while True:
            try:
                line = self.read()
            except LineInterrupted:
                if not self.interactive:
                    raise
                self.tell("")
                self.tell("/quit or Ctrl-D ends the talk")
                continue
            if line is None:
                return
            text = line.strip()
            if not text:
                continue
            if text.startswith("/"):
                if self.obey(text):
                    return
                continue
            self.ask(text)

    def obey(self, text: str) -> bool:
        """Do what a command says; whether it ends the talk."""
        word, _, rest = text.partition(" ")
        match word.lower():
            case "/quit" | "/exit" | "/q":
                return True
            case "/reset":
                self.turns = [turn for turn in self.turns if turn.role == "system"]
                self.tell("a new conversation")
            case "/system":
                prompt = rest.strip()
                self.turns = [Turn(role="system", content=prompt)] if prompt else []
                self.tell(f"a new conversation, {'with' if prompt else 'without'} a system prompt")
            case "/help" | "/?":
                for name, meaning in COMMANDS.items():
                    self.tell(meaning, label=name)
            case _:
                self.tell(f"{safe(word)}: no such command; {', '.join(COMMANDS)}")
        return False

    def ask(self, text: str) -> None:
        """Have a question answered, and keep both for what follows."""
        question = Turn(role="user", content=text)
        with ExitStack() as waits:
            waits.enter_context(self.waiting())

            def on_text(piece: str) -> None:
                waits.close()
                self.say(shown(piece))

            answer = self.answers.answer([*self.turns, question], on_text)
        self.say("\n")
        self.exchanges.append(Exchange(text, answer))
        if answer.forgotten:
            # What does not fit now never fits again.
            head = [turn for turn in self.turns if turn.role == "system"]
            rest = self.turns[len(head) + 2 * answer.forgotten :]
            self.turns = [*head, *rest]
        if answer.text.strip():  # templates refuse an empty turn
            self.turns += [question, Turn(role="assistant", content=answer.text)]
        self.tell(ending(answer, self.max_new_tokens))


def shown(text: str) -> str:
    """A text for a terminal: lines and tabs as they are, other control codes spelled out."""
    return "".join(ch if ch in "\n\t" else safe(ch) for ch in text)


def ending(answer: Answer, max_new_tokens: int) -> str:
    """How an answer ended, for a person."""
    tokens = counted(answer.new_tokens, "token")
    match answer.finish:
        case "stop":
            text = f"ended by itself after {tokens}, {duration(answer.seconds)}"
        case "length":
            text = (
                f"truncated at {tokens}: it had not ended by itself (--max-new-tokens"
                f" {max_new_tokens})"
            )
        case "interrupted":
            text = f"stopped by you after {tokens}"
    if not answer.text.strip():
        text = f"an empty answer, {text}"
    if answer.forgotten:
        rounds = counted(answer.forgotten, "oldest round")
        text += f"; {rounds} forgotten, the model has no room for more"
    return f"[{text}]"
