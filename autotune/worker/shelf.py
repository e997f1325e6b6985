"""What one trial leaves for the next in the same process: the model and the conversations.

Loading both takes longer than many a trial. The weights stay as the last trial's few small steps
left them: memory and speed do not depend on their values.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from autotune.data.conversation import Conversation
from autotune.data.load import load_conversations
from autotune.plan import DataSpec, Supervision

if TYPE_CHECKING:
    from autotune.worker.model import Loaded


class Shelf:
    """One model and one data file, kept until another is asked for.

    `trials` counts the trials of this process so far; the first one ran in a fresh process.
    """

    def __init__(self) -> None:
        self.trials = 0
        self._model: tuple[tuple[Path, torch.device, Supervision], Loaded] | None = None
        self._data: tuple[tuple[DataSpec, str | None], tuple[Conversation, ...]] | None = None

    def model(self, folder: Path, device: torch.device, supervision: Supervision) -> "Loaded":
        """The model of a folder on a device, without gradients."""
        from autotune.worker.model import load  # seconds and megabytes that a survey has no need of

        key = (folder, device, supervision)
        if self._model is None or self._model[0] != key:
            self._model = None
            self._model = (key, load(folder, device, supervision))
        loaded = self._model[1]
        loaded.model.zero_grad(set_to_none=True)
        return loaded

    def conversations(self, data: DataSpec, no_tools: str | None) -> tuple[Conversation, ...]:
        """The conversations of a data spec, as `load_conversations` reads them."""
        key = (data, no_tools)
        if self._data is None or self._data[0] != key:
            self._data = (key, load_conversations(data, no_tools=no_tools).conversations)
        return self._data[1]
