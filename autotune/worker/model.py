"""A causal LM and its tokenizer from a local folder: fp32 master weights, the right stop tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

from autotune.base.errors import BadInput
from autotune.data.conversation import Message, Unfit
from autotune.protocol.choices import Supervision
from autotune.score.thoughts import CLOSE, OPEN
from autotune.worker.tokens.chatml import chat_template, written_by
from autotune.worker.tokens.encode import ChatCodec
from autotune.worker.tokens.template import FolderTemplate, template_of
from autotune.worker.tokens.tokenizer import load_tokenizer as load_tokenizer
from autotune.worker.weights import load_weights

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

    @cached_property
    def thought_marks(self) -> dict[int, str]:
        """Special tokens that mark a thought, which a decoder that skips such would lose."""
        special = set(self.tokenizer.all_special_ids)
        marks = {self.tokenizer.convert_tokens_to_ids(text): text for text in (OPEN, CLOSE)}
        return {number: text for number, text in marks.items() if number in special}

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

    def talk_ids(self, messages: Sequence[Message]) -> list[int]:
        """Turns of a talk up to where the answer begins, in the form of `prompt_ids`.

        Raises:
            BadInput: the template cannot be rendered, or leaves a turn out.
            Unfit: the tokenizer does not keep the turns apart.
        """
        asks = self.asks or self.codec
        return asks.render(messages)


def load(folder: Path, device: torch.device, supervision: Supervision) -> Loaded:
    """Load model and tokenizer, and set how an answer ends.

    Raises:
        BadInput: the folder's model or tokenizer cannot be used, or not the one with the other.
    """
    model = load_weights(folder)
    tokenizer = load_tokenizer(folder)
    demand_rows(folder, model, tokenizer)
    own_template = bool(tokenizer.chat_template)
    codec = ChatCodec(tokenizer, supervision)
    stop_ids = all_stop_ids(model, tokenizer, codec)
    asks = asks_of(folder, tokenizer, codec) if own_template else codec
    loaded = Loaded(model.to(device), tokenizer, codec, own_template, stop_ids, asks)
    resolve_stop_tokens(loaded)
    return loaded


def asks_of(folder: Path, tokenizer: Any, codec: ChatCodec) -> Asks:
    """What makes prompts for a folder that has a chat template.

    The template of a checkpoint of ours says which form it was trained in. Its codec writes the
    same tokens as the template, and keeps a question from ending its own turn.
    """
    own = template_of(folder, tokenizer, codec.whole)
    ours = written_by(own.source)
    return own if ours is None else ChatCodec(codec.whole, ours[0])


def demand_rows(folder: Path, model: Any, tokenizer: Any) -> None:
    """Refuse a tokenizer with tokens past the model's embedding: the first such is out of range.

    Also those that stand in other files than tokenizer.json.

    Raises:
        BadInput: there is such a token.
    """
    rows = int(model.get_input_embeddings().weight.shape[0])
    token, number = max(tokenizer.get_vocab().items(), key=lambda pair: pair[1], default=("", -1))
    if number >= rows:
        raise BadInput(
            f"model folder {folder}: its tokenizer has tokens up to {number} ({token!r}), and its"
            f" embedding has {rows} rows, 0 to {rows - 1}; give the tokenizer that belongs to these"
            " weights, or resize the embedding and save it"
        )


def adopt_template(loaded: Loaded, supervision: Supervision, *, with_tools: bool = False) -> None:
    """Give the tokenizer the chat template of the form that is trained, for its checkpoints.

    `with_tools` says that there are rows which the model's own template writes.
    """
    own = loaded.codec.tool_rows.template if with_tools else None
    source = "" if own is None else own.source
    loaded.tokenizer.chat_template = chat_template(supervision, source)


def resolve_stop_tokens(loaded: Loaded) -> None:
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
