"""What answers prompts: one port, and what is given to whatever stands behind it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from autotune.worker.compute import Compute
from autotune.worker.generate.reply import GenerationSettings, Reply
from autotune.worker.model import Loaded


class Engine(Protocol):
    """Answers prompts; each is given to `done` as soon as it is finished.

    Tokens are the likeliest or, where the engine can (`registry`), drawn: see `GenerationSettings`.
    Engines that answer by rows see an answer while it grows: one that is decided is left, and one
    that was begun is continued where it was left. The others answer every prompt from begin to end.
    `new_tokens` counts tokens of answers that were made so far.
    """

    new_tokens: int

    def run(self) -> None:
        """Answer all that wait; after an exception of memory it can be called again."""
        ...

    def smaller(self) -> bool:
        """Do less at a time from now on; False where there is no less."""
        ...

    def requeue_rows(self) -> None:
        """Let go of what is on the device; unfinished prompts wait again."""
        ...

    def batch_text(self) -> str:
        """How much is done at a time now, in words: `4 at a time, 512 tokens of prompts`."""
        ...


class EngineFactory(Protocol):
    """Makes an engine; `RowsEngine` says what each of these is."""

    def __call__(
        self,
        loaded: Loaded,
        compute: Compute,
        settings: GenerationSettings,
        prompts: Sequence[list[int]],
        done: Callable[[Reply], None],
        *,
        on_step: Callable[[], None],
        decided: Callable[[Reply], bool],
        begun: Mapping[int, Sequence[int]],
    ) -> Engine:
        """An engine for these prompts; nothing is computed yet."""
        ...
