"""The toy: a Llama of a hundred thousand weights and a byte tokenizer.

It has every part of the real thing (tied embeddings, grouped attention, ChatML tokens), needs no
download, and trains in seconds on a CPU. Its answers are words, and mean nothing.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

WEIGHTS = Path(__file__).with_name("toy.safetensors")
"""What it has learned: to answer a request with a few words and to stop. Made by
`benchmarks/toy_weights.py`, in 16 bits, so that it is the same toy on every machine."""


LEARNED = 0
"""The seed that stands for what it has learned; of any other the weights are random."""


def toy(seed: int) -> tuple[Any, Any]:
    """The toy model and its tokenizer."""
    tokenizer = toy_tokenizer()
    model = toy_model(seed, len(tokenizer))
    if seed == LEARNED:
        model.load_state_dict(load_file(WEIGHTS), strict=False)  # the head is the embedding
    return model, tokenizer


SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
"""The same ids as SmolLM2's: 0, 1 and 2."""


def toy_tokenizer() -> Any:
    """One token a byte, after three special tokens: any text encodes, and exactly."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: at for at, token in enumerate([*SPECIAL, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL])
    fast: Any = PreTrainedTokenizerFast
    return fast(
        tokenizer_object=tokenizer,
        bos_token=SPECIAL[0],
        eos_token=SPECIAL[0],
        pad_token=SPECIAL[0],
        unk_token=SPECIAL[0],
        additional_special_tokens=list(SPECIAL[1:]),
        model_max_length=4096,
    )


def toy_model(seed: int, vocab_size: int) -> Any:
    """A two-layer Llama with random weights; the same seed gives the same weights."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=64,
        intermediate_size=160,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )
    return LlamaForCausalLM(config)
