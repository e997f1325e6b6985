"""Make the toy's weights, `autotune/worker/toy.safetensors`: a hundred thousand, in 16 bits.

A random model gives the last byte of the prompt back, so every answer would be empty and every
figure of the toy run zero. This one has learned, from the toy's requests and the stock answers
below, to write words and to stop. It follows no rule on purpose: its answers have capitals and
commas, which training on the toy's conversations then changes, for better or worse.

    python benchmarks/toy_weights.py --steps 1500
"""

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from autotune.demo import TOY_CONVERSATIONS
from autotune.worker.toy import WEIGHTS, toy_model, toy_tokenizer

THINGS = ("tea", "rain", "music", "bread", "cats", "books", "snow", "trees")
ANSWERS = {
    "Write": "Well, I like {}, and so do you.",
    "Please": "Of course, I know {}, my friend.",
    "Can": "Yes, I can, but {} is better.",
    "": "Oh, that is like {}, I think.",
}
"""By the first word of the request; none is longer than the 32 tokens that the toy run allows."""

BATCH = 16
PEAK_RATE = 4e-3
WARMUP = 50
MOST_TOKENS = 384
"""Of a request and its answer: longer requests are left out, few are."""


def examples(tokenizer: Any, seed: int) -> Iterator[tuple[list[int], list[int]]]:
    """Requests and stock answers as tokens, without end."""
    draw = random.Random(seed)
    with TOY_CONVERSATIONS.open(encoding="utf-8") as file:
        asked = [json.loads(line)["messages"][0]["content"] for line in file]
    while True:
        request = draw.choice(asked)
        answer = ANSWERS.get(request.split()[0], ANSWERS[""]).format(draw.choice(THINGS))
        chat = f"<|im_start|>user\n{request}<|im_end|>\n<|im_start|>assistant\n"
        before, after = tokenizer.encode(chat), tokenizer.encode(f"{answer}<|im_end|>\n")
        if len(before) + len(after) <= MOST_TOKENS:
            yield before, after


def learn(model: Any, found: Iterator[tuple[list[int], list[int]]], steps: int) -> None:
    """Ordinary supervised steps: the loss is of the answers only."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE)
    for step in range(steps):
        rows = [next(found) for _ in range(BATCH)]
        longest = max(len(before) + len(after) for before, after in rows)
        tokens = torch.zeros(BATCH, longest, dtype=torch.long)
        labels = torch.full((BATCH, longest), -100)
        for at, (before, after) in enumerate(rows):
            end = len(before) + len(after)
            tokens[at, :end] = torch.tensor(before + after)
            labels[at, len(before) : end] = torch.tensor(after)
        for group in optimizer.param_groups:
            group["lr"] = PEAK_RATE * min(1.0, (step + 1) / WARMUP) * (1 - step / steps)
        loss = model(input_ids=tokens, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step % 100 == 0 or step == steps - 1:
            print(f"step {step + 1}/{steps} loss {loss.item():.3f}", flush=True)


def main() -> None:
    """Train and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = toy_tokenizer()
    model = toy_model(given.seed, len(tokenizer))
    learn(model, examples(tokenizer, given.seed), given.steps)
    kept = {name: tensor.detach().half() for name, tensor in model.named_parameters()}
    save_file(kept, given.out)


if __name__ == "__main__":
    main()
