"""The toy: it answers something, by weights that come with the tool."""

import pytest
import torch

from autotune.worker.toy import toy

pytestmark = pytest.mark.torch

REQUESTS = ("Write a poem about the sea.", "Can you explain rain?", "Tell me of tea.")


def test_a_toy_answers_in_words_that_depend_on_the_request_and_stops() -> None:
    model, tokenizer = toy(seed=0)
    answers = []
    for request in REQUESTS:
        text = f"<|im_start|>user\n{request}<|im_end|>\n<|im_start|>assistant\n"
        ids = torch.tensor([tokenizer.encode(text)])
        out = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=40, do_sample=False,
            eos_token_id=2, pad_token_id=0,
        )  # fmt: skip
        assert int(out[0, -1]) == 2
        answers.append(tokenizer.decode(out[0, ids.shape[1] : -1]))
    assert all(len(answer.split()) > 4 for answer in answers)
    assert len({answer.split()[0] for answer in answers}) == len(REQUESTS)


def test_a_toy_of_another_seed_has_learned_nothing() -> None:
    learned, other = (toy(seed)[0].model.embed_tokens.weight for seed in (0, 1))
    assert not torch.equal(learned, other)
