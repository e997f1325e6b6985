"""One step of training and one token of an answer in miniature, so that their kernels are loaded.

CUDA loads a kernel when it is first needed, and cuBLAS, the attention kernels and the fused
optimizer each bring megabytes that torch's allocator does not see. What is loaded here is counted
before the allocator gets its cap; without it, a trial would find its card smaller than it was.

Letters: B rows, T tokens, A attention heads, D their size, H = A x D, V vocabulary.
"""

from typing import Any

import torch
from torch import Tensor, nn

from autotune.protocol.choices import Precision
from autotune.worker.compute import AUTOCAST
from autotune.worker.train.head import head_loss
from autotune.worker.train.optimizer import optimizer_over, scaler_of

ROWS, TOKENS, HEADS, HEAD_SIZE, VOCABULARY = 2, 128, 3, 64, 1024
"""Small, and of the kind of the models that are trained here: heads of 64, sizes that are multiples
of 64, so that the same kernels are chosen. What a true size brings besides is seen at its peak."""


def warm_up(device: torch.device, precision: Precision) -> None:
    """Run the miniature on the device in the precision of the job.

    No random number is drawn, so what a seed gives afterwards is not changed. Everything that is
    made here is given up again; cuBLAS keeps its workspace, which torch's allocator counts.
    """
    layer = _Layer().to(device)
    optimizer = optimizer_over(layer.parameters(), 1e-3)
    scaler: Any = scaler_of(precision, device)
    tokens = torch.arange(ROWS * TOKENS, device=device) % VOCABULARY  # (B x T,)
    dtype = AUTOCAST.get(precision)
    with torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
        states = layer(tokens.view(ROWS, TOKENS))  # (B, T, H)
        loss = head_loss(layer.head, states.flatten(0, 1), tokens) / len(tokens)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad(set_to_none=True)
    with torch.no_grad(), torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
        last = layer(tokens.view(ROWS, TOKENS), answering=True)[:, -1]  # (B, H)
        layer.head(last).float().log_softmax(-1).argmax(-1)


class _Layer(nn.Module):
    """An embedding, one block of a Llama, and its head; all weights are the same small number."""

    def __init__(self) -> None:
        super().__init__()
        size = HEADS * HEAD_SIZE
        with torch.device("meta"):
            self.embedding = nn.Embedding(VOCABULARY, size)
            self.mixed = nn.Linear(size, 3 * size, bias=False)
            self.out = nn.Linear(size, size, bias=False)
            self.up = nn.Linear(size, 4 * size, bias=False)
            self.down = nn.Linear(4 * size, size, bias=False)
            self.norm = nn.RMSNorm(size)
            self.head = nn.Linear(size, VOCABULARY, bias=False)
        self.to_empty(device="cpu")
        for parameter in self.parameters():
            nn.init.constant_(parameter, 0.01)

    def forward(self, input_ids: Tensor, *, answering: bool = False) -> Tensor:
        """Hidden states (B, T, H) of tokens (B, T); `answering` attends by one query and a mask."""
        states = self.embedding(input_ids)  # (B, T, H)
        mixed = self.mixed(self.norm(states)).unflatten(-1, (3, HEADS, HEAD_SIZE))
        query, key, value = mixed.permute(2, 0, 3, 1, 4)  # each (B, A, T, D)
        attend = nn.functional.scaled_dot_product_attention
        if answering:
            mask = torch.ones((ROWS, 1, 1, TOKENS), dtype=torch.bool, device=query.device)
            attended = attend(query[:, :, -1:], key, value, attn_mask=mask)  # (B, A, 1, D)
            states = states[:, -1:]
        else:
            attended = attend(query, key, value, is_causal=True)  # (B, A, T, D)
        states = states + self.out(attended.transpose(1, 2).flatten(2))
        gated = nn.functional.silu(self.up(self.norm(states)))  # (B, T, 4H)
        result: Tensor = states + self.down(gated)
        return result
