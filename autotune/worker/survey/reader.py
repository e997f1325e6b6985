"""Reads the conversations of a survey in a process of its own.

`python -m autotune.worker.survey.reader` takes two lines on standard input, a `ReadRequest` and,
once that is known, why no tools are read, as JSON. It gives pickled values on standard output:
lists of packed conversations, and at the end what was counted, or the error that ended it. It ends
with the process that started it.
"""

import json
import os
import pickle
import sys
from collections.abc import Callable
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any

from autotune.base.errors import AutotuneError
from autotune.base.model import Boundary
from autotune.data.contamination import read_scored_prompts
from autotune.data.conversation import Conversation, Message
from autotune.data.load import ConversationStream
from autotune.data.oddities import Oddities
from autotune.protocol.plan import DataSpec
from autotune.worker.channel import JobInbox

BATCH = 256
"""Conversations that are sent together: some 200 KB."""

Packed = tuple[int, str, str, tuple[tuple[Any, ...], ...]]
"""A row number, tools, the task and the fields of messages. Objects take ten times as long."""

_FIELDS = attrgetter(*Message.__slots__)


class ReadRequest(Boundary):
    """The data to read, and the file of prompts to look for in it."""

    data: DataSpec
    prompts: str | None

    def stream(self, no_tools: str | Callable[[], str | None] | None) -> ConversationStream:
        """The conversations, looked at for all that a survey says of them.

        Raises:
            BadInput, EnvironmentFault: there are no such prompts.
        """
        scored = None if self.prompts is None else read_scored_prompts(Path(self.prompts))
        return ConversationStream(self.data, scored, no_tools, Oddities())


def main() -> None:
    """Read the file that is asked for."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not stand between the values
    inbox = JobInbox()
    request = ReadRequest.model_validate_json(inbox.next_line())
    try:
        stream = request.stream(lambda: json.loads(inbox.next_line()))
        left = iter(stream)
        while batch := [packed(row, conversation) for row, conversation in islice(left, BATCH)]:
            pickle.dump(batch, out)
            out.flush()
        pickle.dump(stream.adapted, out)
    except (AutotuneError, MemoryError) as error:
        pickle.dump(error, out)
    out.flush()


def packed(row: int, conversation: Conversation) -> Packed:
    """A conversation as plain values."""
    return row, conversation.tools, conversation.task, tuple(map(_FIELDS, conversation.messages))


def unpacked(found: Packed) -> tuple[int, Conversation]:
    """The row number and the conversation again."""
    row, tools, task, messages = found
    return row, Conversation(tuple(Message(*fields) for fields in messages), tools, task)


if __name__ == "__main__":
    main()
    sys.stderr.flush()
    os._exit(0)  # the thread on standard input would wait for a line
