"""What a few layers take of a processor, as the times of the whole model."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import LlamaConfig

from autotune.protocol.choices import Precision
from autotune.protocol.prediction import TimedPass
from autotune.worker.predict.timing import work_times

pytestmark = pytest.mark.torch

SMALL = {
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "tie_word_embeddings": True,
}


PASSES = (TimedPass(rows=8, shortest=4, longest=40),)


class Operations(TorchDispatchMode):
    """A clock that a busy machine does not hold up: an operation of a tensor is a second."""

    def __init__(self) -> None:
        super().__init__()
        self.done = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.done += 1
        return func(*args, **(kwargs or {}))

    def __call__(self) -> float:
        return float(self.done)


def of_layers(depth: int) -> Any:
    with Operations() as clock:
        config = LlamaConfig(num_hidden_layers=depth, **SMALL)
        return work_times(config, Precision.FP32, PASSES, clock)


def test_a_deep_model_takes_longer_than_the_few_layers_that_are_timed() -> None:
    shallow, deep = of_layers(9), of_layers(90)
    assert shallow.training_tokens_per_second > 5 * deep.training_tokens_per_second > 0
    assert deep.pass_seconds[0] > 5 * shallow.pass_seconds[0] > 0


def test_the_line_of_a_few_layers_meets_the_time_of_all_of_them() -> None:
    timed, followed = of_layers(8), of_layers(9)
    grown = followed.pass_seconds[0] / timed.pass_seconds[0]
    assert grown == pytest.approx(9 / 8, rel=0.05)


def test_the_processor_was_asked_and_its_threads_are_as_before() -> None:
    threads = torch.get_num_threads()
    found = work_times(LlamaConfig(num_hidden_layers=2, **SMALL), Precision.FP32, PASSES)
    assert found.training_tokens_per_second > 0
    assert found.pass_seconds[0] > 0
    assert torch.get_num_threads() == threads
