"""A causal LM and its tokenizer from a local folder: fp32 master weights, the right stop tokens."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from autotune.data.conversation import Unfit
from autotune.errors import BadInput
from autotune.plan import Supervision
from autotune.worker.chatml import chat_template
from autotune.worker.encode import ChatCodec
from autotune.worker.fusable import register
from autotune.worker.template import FolderTemplate, template_of

Asks = ChatCodec | FolderTemplate
"""What makes the tokens of a question."""


@dataclass
class Loaded:
    """What a folder gives: the model on its device, its tokenizer and the chat codec."""

    model: Any
    tokenizer: Any
    codec: ChatCodec
    own_template: bool
    stop_ids: tuple[int, ...]
    asks: Asks | None = None

    @property
    def pad_token_id(self) -> int:
        """What fills short rows; never supervised, so any id does: pad, else the model's eos."""
        pad = self.tokenizer.pad_token_id
        return int(pad if pad is not None else self.codec.end_id)

    def prompt_ids(self, prompt: str) -> list[int]:
        """A user's message up to where the answer begins, by the folder's own chat template.

        A folder without a template (a base model) is asked in the form that it will be trained in,
        a checkpoint in the form that it was trained in, token for token.

        Raises:
            BadInput: the template cannot be rendered, or the tokenizer makes no prompt of it.
        """
        try:
            return (self.asks or self.codec).render_prompt(prompt)
        except Unfit as unfit:
            raise BadInput(
                f"prompt {prompt[:40]!r}: cannot be asked ({unfit}); take it out of the prompts"
            ) from None


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a folder; code from the folder is never run.

    Raises:
        BadInput: there is none that can be used.
    """
    try:
        return AutoTokenizer.from_pretrained(
            str(folder), trust_remote_code=False, local_files_only=True
        )
    except (OSError, ValueError, KeyError) as error:
        raise unloadable(folder, error) from error


def load(folder: Path, device: torch.device, supervision: Supervision) -> Loaded:
    """Load model and tokenizer, and set how an answer ends.

    Raises:
        BadInput: the folder's model or tokenizer cannot be used.
    """
    model = load_weights(folder)
    tokenizer = load_tokenizer(folder)
    own_template = bool(tokenizer.chat_template)
    codec = ChatCodec(tokenizer, supervision)
    stop_ids = all_stop_ids(model, tokenizer, codec)
    asks = asks_of(folder, tokenizer, codec) if own_template else codec
    loaded = Loaded(model.to(device), tokenizer, codec, own_template, stop_ids, asks)
    settle_stop_tokens(loaded)
    return loaded


def asks_of(folder: Path, tokenizer: Any, codec: ChatCodec) -> Asks:
    """What makes prompts for a folder that has a chat template.

    The template of a checkpoint of ours says which form it was trained in. Its codec writes the
    same tokens as the template, and keeps a question from ending its own turn.

    Raises:
        BadInput: the folder has several templates and none is the default.
    """
    own = template_of(folder, tokenizer, codec.whole)
    for supervision in Supervision:
        if own.source == chat_template(supervision):
            return ChatCodec(codec.whole, supervision)
    return own


def load_weights(folder: Path) -> Any:
    """The folder's model on the CPU, its weights as fp32 whatever the file holds.

    fp16 weights cannot be unscaled by GradScaler, and bf16 weights are too coarse for a rate of
    4e-5: most updates round away. So masters are fp32, and checked to be.

    Raises:
        BadInput: the model cannot be loaded, or the file lacks some of its weights, which
            transformers would fill with random numbers.
    """
    register()
    auto: Any = AutoModelForCausalLM
    try:
        model, info = auto.from_pretrained(
            str(folder),
            dtype=torch.float32,
            trust_remote_code=False,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise unloadable(folder, error) from error
    missing = sorted(info["missing_keys"])
    if missing:
        raise BadInput(
            f"model folder {folder}: lacks {len(missing)} weights of its model ({missing[0]}, ...);"
            " choose a complete causal LM"
        )
    wrong = {str(p.dtype) for p in model.parameters() if p.dtype != torch.float32}
    if wrong:
        raise BadInput(f"model folder {folder}: weights load as {wrong}, must be float32")
    return model


def unloadable(folder: Path, error: Exception) -> BadInput:
    """The user's line for a folder that transformers refuses, with the reason it gives."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return BadInput(f"model folder {folder}: cannot be loaded ({lines[0]})")


def adopt_template(loaded: Loaded, supervision: Supervision) -> None:
    """Give the tokenizer the chat template of the form that is trained, for its checkpoints."""
    loaded.tokenizer.chat_template = chat_template(supervision)


def settle_stop_tokens(loaded: Loaded) -> None:
    """Make model, generation config and tokenizer agree on what ends a turn.

    SmolLM2's base tokenizer says eos is <|endoftext|>, but a chat turn ends with <|im_end|>: with
    the first as eos the trained model never stops. Every checkpoint carries this agreement.

    Nothing else of the folder's generation config is kept: answers are scored greedily, without a
    repetition penalty, and transformers refuses to save sampling values beside greedy decoding,
    which would end a training at its first checkpoint.
    """
    end = loaded.codec.end_id
    loaded.model.config.eos_token_id = end
    greedy: Any = GenerationConfig
    loaded.model.generation_config = greedy(
        bos_token_id=loaded.model.generation_config.bos_token_id,
        eos_token_id=list(loaded.stop_ids),
        pad_token_id=loaded.pad_token_id,
    )
    loaded.tokenizer.eos_token = loaded.tokenizer.convert_ids_to_tokens(end)


def all_stop_ids(model: Any, tokenizer: Any, codec: ChatCodec) -> tuple[int, ...]:
    """The end of the turn, every eos that the folder names, and <|endoftext|> where it exists."""
    named: set[int] = {codec.end_id}
    for eos in (
        model.generation_config.eos_token_id,
        model.config.eos_token_id,
        tokenizer.eos_token_id,
        tokenizer.get_vocab().get("<|endoftext|>"),
    ):
        named.update(eos if isinstance(eos, list) else [] if eos is None else [int(eos)])
    return tuple(sorted(named))
