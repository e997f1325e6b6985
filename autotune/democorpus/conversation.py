"""The words of the demo corpus: a conversation whose answers carry what they must satisfy."""

from typing import Literal

from autotune.boundary import Boundary

KwargValue = int | str | list[str]
"""A value of an instruction's arguments, as in the public IFEval files."""


class DemoConstraint(Boundary):
    """One verifiable instruction: its IFEval id and its arguments, without unused keys."""

    instruction_id: str
    kwargs: dict[str, KwargValue]


class DemoMessage(Boundary):
    """One message of a conversation."""

    role: Literal["user", "assistant"]
    content: str


class DemoConversation(Boundary):
    """Alternating user and assistant messages, starting with the user.

    `constraints[i]` holds what the i-th assistant message satisfies, at least one each.
    """

    messages: tuple[DemoMessage, ...]
    constraints: tuple[tuple[DemoConstraint, ...], ...]

    @property
    def answers(self) -> tuple[str, ...]:
        """The assistant's messages, in order."""
        return tuple(m.content for m in self.messages if m.role == "assistant")


class DemoPrompt(Boundary):
    """One evaluation prompt in the format of the public IFEval files; `kwargs` runs parallel."""

    key: int
    prompt: str
    instruction_id_list: tuple[str, ...]
    kwargs: tuple[dict[str, KwargValue], ...]
