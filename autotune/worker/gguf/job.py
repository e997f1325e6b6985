"""The GGUF job: write a Llama as one file, read that back as any GGUF file, and compare.

The file is what this tool reads as well (`worker.convert`), so what is compared is what others get.
"""

import json
from pathlib import Path
from typing import Any

import gguf
import torch
from torch import Tensor

from autotune.base.errors import BadInput
from autotune.base.files import write_text_atomic
from autotune.protocol.export_jobs import ChatForm, GgufFound, GgufJob
from autotune.worker.channel import Pipe
from autotune.worker.convert import gguf_model, gguf_tokenizer
from autotune.worker.faults import JobFault
from autotune.worker.gguf.form import form_of
from autotune.worker.gguf.tensors import FILE_TYPES, stored_tensors
from autotune.worker.gguf.vocabulary import ENDS, vocabulary_of
from autotune.worker.model import Loaded, load
from autotune.worker.tokens.template import FolderTemplate

TEXTS = (
    "Name three rivers in Europe, without commas.",
    "Write a haiku about winter. Wrap it in double quotation marks.",
    "What is 17 times 23? Explain it in two sentences.",
    "Grüße an alle; naïve café, 你好, and an emoji: 🙂\n\n\tdef f(x):\n        return x + 1",
)
"""What both are asked: prose, numbers, other scripts, white space."""

MOST_OFF = {"f32": 1e-3, "f16": 0.05, "q8_0": 0.25}
"""How far a logit may be from its source's, as a share of the largest. A wrong order of heads or a
wrong scale is off by as much as the logits themselves; f16 by about 1e-3, q8_0 by some 1e-2."""


class Differs(JobFault):
    """The file that was written does not say what the model says."""


def write_gguf(job: GgufJob, pipe: Pipe) -> None:
    """Write the file and what was found of it.

    Raises:
        BadInput: the model is no plain Llama, or has a tokenizer that GGUF has no name for.
        Differs: what was written is another model.
    """
    pipe.enter("loading")
    folder, out = Path(job.model_folder), Path(job.out)
    loaded = load(folder, torch.device("cpu"), job.supervision)
    demand_plain(folder, loaded.model)
    pipe.enter("writing")
    write(loaded, folder, job, out)
    pipe.enter("comparing")
    found = compare(loaded, out)
    limit = MOST_OFF[job.type] * max(found.largest, 1.0)
    if not found.max_error <= limit:
        raise Differs(
            f"{out.name}: read back, its logits differ from the model's by {found.max_error:.3g}"
            f" (at most {limit:.3g} is rounding), so it was not kept"
        )
    write_text_atomic(Path(job.found), found.model_dump_json(indent=1))


def demand_plain(folder: Path, model: Any) -> None:
    """Refuse what a GGUF file of a Llama does not say.

    Raises:
        BadInput: another architecture, or positions that are scaled.
    """
    config = model.config
    if config.model_type != "llama":
        raise BadInput(
            f"model folder {folder}: is a {config.model_type}; export --to gguf writes Llamas, as"
            " SmolLM2 is; convert others with llama.cpp's convert_hf_to_gguf.py"
        )
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type", "default") != "default":
        raise BadInput(
            f"model folder {folder}: scales its positions ({rope['rope_type']}), which export --to"
            " gguf does not write; convert it with llama.cpp's convert_hf_to_gguf.py"
        )


def write(loaded: Loaded, folder: Path, job: GgufJob, out: Path) -> None:
    """The whole file: configuration, tokenizer, weights."""
    model = loaded.model
    config = model.config
    writer: Any = gguf.GGUFWriter(out, gguf.MODEL_ARCH_NAMES[gguf.MODEL_ARCH.LLAMA])
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(job.name)
    writer.add_file_type(FILE_TYPES[job.type])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(float((config.rope_parameters or {}).get("rope_theta", 10000.0)))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    rows = int(model.get_input_embeddings().weight.shape[0])
    writer.add_vocab_size(rows)
    add_vocabulary(writer, loaded, folder, rows)
    for name, numbers, kind in stored_tensors(model, job.type):
        writer.add_tensor(name, numbers, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_vocabulary(writer: Any, loaded: Loaded, folder: Path, rows: int) -> None:
    """Tokens, merges, special tokens and the chat template."""
    vocabulary = vocabulary_of(folder, rows)
    tokenizer = loaded.tokenizer
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(vocabulary.pre)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.kinds)
    writer.add_token_merges(vocabulary.merges)
    for name in ENDS:
        number = getattr(tokenizer, f"{name}_id")
        if number is not None:
            getattr(writer, f"add_{name}_id")(number)
    writer.add_eot_token_id(loaded.codec.end_id)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    if loaded.own_template:
        writer.add_chat_template(tokenizer.get_chat_template())


@torch.inference_mode()
def compare(loaded: Loaded, out: Path) -> GgufFound:
    """What the file says beside its source, on the source's tokens of `TEXTS`."""
    model = gguf_model(out)
    asked = [loaded.prompt_ids(text) for text in TEXTS]
    loaded.model.eval()
    model.eval()
    source = torch.cat([logits(loaded.model, ids) for ids in asked])  # (N, V)
    written = torch.cat([logits(model, ids) for ids in asked])
    off = (source - written).abs()
    return GgufFound(
        tokens=len(source),
        max_error=float(off.max()),
        mean_error=float(off.mean()),
        largest=float(source.abs().max()),
        same_choice=float((source.argmax(-1) == written.argmax(-1)).float().mean()),
        same_tokens=same_tokens(loaded.tokenizer, out),
        form=chat_form(loaded),
        stop=tuple(loaded.tokenizer.convert_ids_to_tokens(list(loaded.stop_ids))),
    )


def logits(model: Any, ids: list[int]) -> Tensor:
    """Of every position of one text: (T, V), fp32."""
    found: Tensor = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]
    return found.float()


def same_tokens(tokenizer: Any, out: Path) -> bool | None:
    """Whether the file's tokenizer makes the same tokens of `TEXTS`.

    None for one without merges, such as the toy's: those who read GGUF do not know such.
    """
    if not json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]:
        return None
    written = gguf_tokenizer(out)
    return all(own(tokenizer, text) == own(written, text) for text in TEXTS)


def own(tokenizer: Any, text: str) -> list[int]:
    """A text in a tokenizer's ids."""
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def chat_form(loaded: Loaded) -> ChatForm | None:
    """How the model is asked, where that is ChatML."""
    if not loaded.own_template:
        return None
    tokens = {name: str(t) for name, t in loaded.tokenizer.special_tokens_map.items() if t}
    asks = loaded.asks
    if isinstance(asks, FolderTemplate):
        return None if asks.fault else form_of(asks.source, asks.tokens)
    return form_of(loaded.tokenizer.get_chat_template(), tokens)
