"""A folder's weights as a model, whole and unchanged: what is loaded is what is in the folder.

transformers fills what a file lacks with random numbers, leaves out what it has no place for and
says both in a log; here each is the end, with its own sentence.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from autotune.base.errors import BadInput
from autotune.worker.attention.fusable import register
from autotune.worker.tokens.tokenizer import reading

_COMPUTED = re.compile(r"\.(?:attn|attention)\.(?:masked_)?bias$|inv_freq$|position_ids$")
"""Tables that old releases saved with the weights and that models now compute themselves."""

_COPY = "copy the whole folder again, or give the config.json that was saved with these weights"
_DAMAGED = (
    "the file is damaged, or its training diverged: download it again, or choose an earlier"
    " checkpoint"
)


def load_weights(folder: Path) -> Any:
    """The folder's model on the CPU, its weights as fp32 whatever the file holds.

    fp16 weights cannot be unscaled by GradScaler, and bf16 weights are too coarse for a rate of
    4e-5: most updates round away. So masters are fp32, and checked to be.

    Raises:
        BadInput: the model cannot be loaded, or would not be what is in the folder: weights are
            missing, left over, of another shape than the configuration says, or no numbers.
    """
    register()
    auto: Any = AutoModelForCausalLM
    with reading(folder):
        model, info = auto.from_pretrained(
            str(folder),
            dtype=torch.float32,
            trust_remote_code=False,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # reported, and refused below
        )
    check_loaded(folder, model, info)
    return model


def check_loaded(folder: Path, model: Any, info: Mapping[str, Any]) -> None:
    """Refuse a model that is not what its files hold.

    `info` is what `from_pretrained` tells with `output_loading_info`.

    Raises:
        BadInput: the first fault, with the weight at fault.
    """
    for what, remedy in faults(model, info):
        raise BadInput(f"model folder {folder}: {what}; {remedy}")


def faults(model: Any, info: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with a model that was just loaded: (what, remedy) each."""
    for name, there, wanted in sorted(info["mismatched_keys"], key=lambda found: str(found[0])):
        more = len(info["mismatched_keys"]) - 1
        others = f", and {more} more do not match" if more else ""
        yield (
            f"{name} is {shape_text(there)} in the file, and {shape_text(wanted)} by its"
            f" config.json{others}",
            _COPY,
        )
    missing = sorted(info["missing_keys"])
    if missing and missing == head_names(model):
        yield (
            f"lacks {missing[0]}, and its config.json says tie_word_embeddings false",
            "copy the file that holds it; or, if the model was trained with its embedding for a"
            " head, say true there",
        )
    if missing:
        yield (
            f"lacks {counted(missing)} of its model ({some(missing)}), which would be random"
            " numbers",
            "choose a complete causal LM, or give the config.json that was saved with it",
        )
    left = sorted(key for key in info["unexpected_keys"] if _COMPUTED.search(key) is None)
    if left:
        yield (
            f"has {counted(left)} that its config.json has no place for ({some(left)}), which would"
            " be left out",
            _COPY,
        )
    if info.get("error_msgs"):
        yield f"cannot be loaded ({info['error_msgs'][0]})", _COPY
    if wrong := {str(p.dtype) for p in model.parameters() if p.dtype != torch.float32}:
        yield f"weights load as {wrong}, must be float32", "choose another model"
    if says_tied(model) and not is_tied(model):
        yield (
            "its head is not its embedding, and its config.json says tie_word_embeddings true",
            "say false there if the head was trained by itself, else save the model again",
        )
    bad = [name for name, parameter in model.named_parameters() if not all_finite(parameter)]
    if bad:
        verb = "is" if len(bad) == 1 else "are"
        yield f"{counted(bad)} {verb} not finite ({some(bad)} has NaN or infinity)", _DAMAGED


def all_finite(tensor: Tensor) -> bool:
    """Whether every number is one: the extremes of a tensor show NaN and infinity both.

    In one pass and without a copy: 0.1 s for the 134 million weights of SmolLM2-135M on one core,
    a twelfth of what `isfinite` takes (docs/LOG.md).
    """
    if not tensor.numel():
        return True
    low, high = torch.aminmax(tensor.detach())
    return bool(torch.isfinite(low) & torch.isfinite(high))


def head_names(model: Any) -> list[str]:
    """Names of the weights of the layer that makes logits."""
    head = model.get_output_embeddings()
    return sorted(
        f"{name}.weight" for name, module in model.named_modules() if module is head is not None
    )


def says_tied(model: Any) -> bool:
    """Whether the configuration makes the embedding the head as well, for a model that can."""
    tied = getattr(model.config.get_text_config(), "tie_word_embeddings", False)
    return bool(tied and getattr(type(model), "_tied_weights_keys", None))


def is_tied(model: Any) -> bool:
    """Whether embedding and head are one tensor."""
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    return head is None or head.weight is embedding.weight


def shape_text(shape: Sequence[int]) -> str:
    """A shape as a person writes it: `259 x 64`."""
    return " x ".join(map(str, shape)) or "one number"


def counted(names: Sequence[str]) -> str:
    """How many weights."""
    return "1 weight" if len(names) == 1 else f"{len(names)} weights"


def some(names: Sequence[str]) -> str:
    """The first of them, and that there are more."""
    return names[0] if len(names) == 1 else f"{names[0]}, ..."
