"""What a few layers take of a processor, as the times of the whole model."""

import pytest
import torch
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


def test_a_deep_model_takes_longer_than_the_few_layers_that_are_timed() -> None:
    threads = torch.get_num_threads()
    passes = (TimedPass(rows=8, shortest=4, longest=40),)
    found = [
        work_times(LlamaConfig(num_hidden_layers=depth, **SMALL), Precision.FP32, passes)
        for depth in (9, 90)
    ]
    assert found[0].training_tokens_per_second > 2 * found[1].training_tokens_per_second > 0
    assert found[1].pass_seconds[0] > 2 * found[0].pass_seconds[0] > 0
    assert torch.get_num_threads() == threads
