"""A pass that a card records, over a played `torch.cuda`: on which streams it is called."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from autotune.worker.generate import graphed
from autotune.worker.generate.graphed import Recorded

pytestmark = pytest.mark.torch

CARD = torch.device("cuda", 0)


class Stream:
    def __init__(self, name: str, said: list[str]) -> None:
        self.name, self.said = name, said

    def wait_stream(self, other: "Stream") -> None:
        self.said.append(f"{self.name} waits for {other.name}")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is asked of the card, in order."""
    told: list[str] = []
    made: list[Stream] = []

    def new(_: torch.device) -> Stream:
        made.append(Stream(f"stream {len(made) + 1}", told))
        return made[-1]

    @contextmanager
    def on(stream: Stream) -> Iterator[None]:
        told.append(f"on {stream.name}")
        yield

    @contextmanager
    def recording(_: Any, *, stream: Stream) -> Iterator[None]:
        told.append(f"record on {stream.name}")
        yield

    class Graph:
        def replay(self) -> None:
            told.append("replay")

    played = {
        "current_stream": lambda _: Stream("the program", told),
        "Stream": new,
        "stream": on,
        "graph": recording,
        "CUDAGraph": Graph,
    }
    for name, answer in played.items():
        monkeypatch.setattr(torch.cuda, name, answer)
    graphed.side_stream.cache_clear()
    yield told
    graphed.side_stream.cache_clear()


def adding(said: list[str]) -> Callable[[], tuple[Tensor, None]]:
    def call() -> tuple[Tensor, None]:
        said.append("call")
        return torch.zeros(1), None

    return call


def test_a_pass_is_called_once_recorded_and_then_only_replayed(said: list[str]) -> None:
    recorded = Recorded(adding(said), CARD)
    assert said == [
        "stream 1 waits for the program",
        "on stream 1",
        "call",
        "the program waits for stream 1",
        "record on stream 1",
        "call",
    ]
    assert recorded() is recorded.result
    assert said[6:] == ["replay"]


def test_all_passes_are_recorded_on_one_stream_since_each_keeps_a_workspace(
    said: list[str],
) -> None:
    for _ in range(3):
        Recorded(adding(said), CARD)
    assert {words for words in said if words.startswith(("on ", "record"))} == {
        "on stream 1",
        "record on stream 1",
    }
