"""The loss where it is needed: logits for supervised positions only, a chunk of them at a time.

Shapes: B rows, T tokens a row, H hidden size, V vocabulary, S supervised positions of the batch.
One fp32 copy of T x V logits is 201 MB at T = 1024 and V = 49 152, and several live at once; that
is the memory that gradient checkpointing does not touch.
"""

from typing import Any

import torch
from torch import Tensor, nn

from autotune.worker.compute import sent
from autotune.worker.tokens.encode import IGNORED
from autotune.worker.train.head import head_loss


def summed_loss(
    model: Any,
    input_ids: Tensor,
    labels: Tensor,
    *,
    own_head: bool = False,
    **inputs: Any,
) -> Tensor:
    """Cross-entropy summed over the supervised positions of a padded batch, a scalar in fp32.

    Args:
        model: a transformers causal LM.
        input_ids: (B, T) token ids, short rows filled up on the right; on the model's device.
        labels: (B, T) token ids, or -100 where a token is not supervised. Position t is
            predicted from the hidden state at t - 1, so a label at position 0 never counts. Best
            on the CPU: to find the labels on a card, one would have to wait for the card.
        own_head: what `needs_own_head` says of the model; then all logits exist at once.
        inputs: what else the model is given, such as position_ids (B, T).
    """
    if own_head:
        logits = model(input_ids=input_ids, use_cache=False, **inputs).logits
        whole: Tensor = nn.functional.cross_entropy(
            logits[:, :-1].float().flatten(0, 1),
            sent(labels[:, 1:], logits.device).flatten(),
            ignore_index=IGNORED,
            reduction="sum",
        )
        return whole
    # What each position is to say: (B*T,), nothing at the end of a row.
    following = nn.functional.pad(labels[:, 1:], (0, 1), value=IGNORED).flatten()
    places = (following != IGNORED).nonzero()[:, 0]  # (S,)
    # Without use_cache=False every layer would copy its keys and values for a generation to come.
    body = model.base_model(input_ids=input_ids, use_cache=False, **inputs)
    hidden = body.last_hidden_state  # (B, T, H)
    if not len(places):
        # Rows without a label in this micro-batch: nothing to learn, yet a backward pass to make.
        nothing: Tensor = (hidden * 0).sum().float()
        return nothing
    states = hidden.flatten(0, 1)[sent(places, hidden.device)]  # (S, H)
    targets = sent(following[places], hidden.device)  # (S,)
    return head_loss(model.get_output_embeddings(), states, targets)


@torch.no_grad()
def needs_own_head(model: Any) -> bool:
    """Whether the model does more than one linear layer between hidden states and logits.

    Gemma caps its logits, Cohere, Granite and Falcon-H1 scale them; such models keep their own
    path. The known ones are recognized by their configuration (a cap hardly shows in an untrained
    model), all others by comparing both paths on a few tokens.
    """
    marks = ("final_logit_softcapping", "logit_scale", "logits_scaling", "lm_head_multiplier")
    if any(getattr(model.config, mark, None) not in (None, 1, 1.0) for mark in marks):
        return True
    if type(model.get_output_embeddings()) is not nn.Linear:
        return True
    was_training = model.training
    model.eval()
    input_ids = torch.arange(4, device=model.device)[None]
    try:
        whole = model(input_ids=input_ids, use_cache=False).logits
        body = model.base_model(input_ids=input_ids, use_cache=False)
        ours = model.get_output_embeddings()(body.last_hidden_state)
    except (AttributeError, TypeError, RuntimeError):
        return True  # a head or a body of another shape
    finally:
        model.train(was_training)
    if ours.shape != whole.shape:
        return True
    return not torch.allclose(ours, whole, rtol=1e-3, atol=1e-3, equal_nan=True)
