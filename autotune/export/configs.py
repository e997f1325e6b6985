"""Configurations by which trl, axolotl and LLaMA-Factory train as the run did.

Keys as in trl 1.16 (`SFTConfig`, `ModelConfig`, `DatasetMixtureConfig`), axolotl 0.19
(`utils/schemas`) and LLaMA-Factory 0.9.5 (`hparams`); those of transformers' `TrainingArguments`,
which all three pass on, as in transformers 5. What none of them can do as the run did is said in
`differences`, which goes into the export's README.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from autotune.base.format import counted
from autotune.export.batches import rows_and_repeats
from autotune.export.chats import CHATS
from autotune.export.training import Training
from autotune.protocol.choices import Precision, Supervision, Truncation
from autotune.protocol.export_jobs import TrainedChats

Trainer = Literal["trl", "axolotl", "llamafactory"]

CONFIG = {"trl": "trl.yaml", "axolotl": "axolotl.yaml", "llamafactory": "llamafactory.yaml"}

COMMAND = {
    "trl": "trl sft --config trl.yaml",
    "axolotl": "axolotl train axolotl.yaml",
    "llamafactory": "llamafactory-cli train llamafactory.yaml",
}

INSTALL = {"trl": "pip install trl", "axolotl": "pip install axolotl",
           "llamafactory": "pip install llamafactory"}  # fmt: skip

TRAINING_TEMPLATE = "training_template.jinja"
DATASET_INFO = "dataset_info.json"
OUT = "model"


@dataclass(frozen=True, slots=True)
class Config:
    """A trainer's settings, files beside them by their names, and what will not be as it was."""

    settings: dict[str, Any]
    files: dict[str, str]
    differences: tuple[str, ...]


def config_of(trainer: Trainer, training: Training, chats: TrainedChats) -> Config:
    """The configuration for a trainer."""
    make = {"trl": _trl, "axolotl": _axolotl, "llamafactory": _llamafactory}[trainer]
    return make(training, chats)


def _of_transformers(training: Training) -> dict[str, Any]:
    """What is said by transformers' own names in each of them."""
    plan = training.plan
    rows, repeats = rows_and_repeats(plan)
    return {
        "per_device_train_batch_size": rows,
        "gradient_accumulation_steps": repeats,
        "num_train_epochs": plan.num_train_epochs,
        "learning_rate": plan.learning_rate,
        "lr_scheduler_type": plan.lr_scheduler_type,
        "warmup_steps": plan.warmup_steps,
        "weight_decay": plan.weight_decay,
        "max_grad_norm": plan.max_grad_norm,
        "optim": "adamw_torch_fused",
        "fp16": plan.precision is Precision.FP16,
        "bf16": plan.precision is Precision.BF16,
        **({"use_cpu": True} if _told_to_use_the_cpu(training) else {}),
        **_noise(training),
        "seed": plan.seed,
        "save_strategy": "steps",
        "save_steps": training.checkpoint.step,
        "save_only_model": True,
        "logging_steps": 1,
        "report_to": "none",
        "output_dir": OUT,
    }


def _told_to_use_the_cpu(training: Training) -> bool:
    """Whether transformers has to be told: without a GPU it refuses bf16 unless it is."""
    return training.on_cpu and training.plan.precision is Precision.BF16


def _noise(training: Training) -> dict[str, Any]:
    alpha = training.plan.neftune_noise_alpha
    return {"neftune_noise_alpha": alpha} if alpha else {}


def _trl(training: Training, chats: TrainedChats) -> Config:
    plan = training.plan
    settings = {
        "model_name_or_path": training.model,
        "dtype": "float32",
        "datasets": [{"path": "json", "data_files": CHATS}],
        "chat_template_path": TRAINING_TEMPLATE,
        "eos_token": chats.end_token,
        "assistant_only_loss": True,
        "max_length": plan.model_max_length,
        "packing": False,
        "gradient_checkpointing": plan.gradient_checkpointing,
        **_of_transformers(training),
    }
    files = {TRAINING_TEMPLATE: training_template(plan.data.supervision)}
    return Config(settings, files, tuple(_differences("trl", training, chats)))


def _axolotl(training: Training, chats: TrainedChats) -> Config:
    plan = training.plan
    rows, repeats = rows_and_repeats(plan)
    settings = {
        "base_model": training.model,
        "datasets": [
            {
                "path": CHATS,
                "ds_type": "json",
                "type": "chat_template",
                "field_messages": "messages",
                "roles_to_train": ["assistant"],
                "train_on_eos": "turn",
            }
        ],
        "chat_template": "jinja",
        "chat_template_jinja": chats.chat_template,
        "special_tokens": {"eos_token": chats.end_token},
        "sequence_len": plan.model_max_length,
        "excess_length_strategy": "truncate",
        "sample_packing": False,
        "micro_batch_size": rows,
        "gradient_accumulation_steps": repeats,
        "num_epochs": plan.num_train_epochs,
        "learning_rate": plan.learning_rate,
        "lr_scheduler": plan.lr_scheduler_type,
        "warmup_steps": plan.warmup_steps,
        "weight_decay": plan.weight_decay,
        "max_grad_norm": plan.max_grad_norm,
        "optimizer": "adamw_torch_fused",
        "bf16": False,
        "fp16": False,
        "tf32": False,
        "gradient_checkpointing": plan.gradient_checkpointing,
        **_noise(training),
        "seed": plan.seed,
        "save_steps": training.checkpoint.step,
        "save_only_model": True,
        "logging_steps": 1,
        "val_set_size": 0.0,
        "output_dir": OUT,
    }
    return Config(settings, {}, tuple(_differences("axolotl", training, chats)))


def _llamafactory(training: Training, chats: TrainedChats) -> Config:
    plan = training.plan
    settings = {
        "model_name_or_path": training.model,
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "full",
        "dataset": "chats",
        "dataset_dir": ".",
        "template": "chatml",
        "cutoff_len": plan.model_max_length,
        "train_on_prompt": False,
        "mask_history": False,
        "packing": False,
        "disable_gradient_checkpointing": not plan.gradient_checkpointing,
        **_of_transformers(training),
        # Else a second training resumes from the last checkpoint of the first, whose optimizer was
        # not saved, or does nothing where that one was complete.
        "overwrite_output_dir": True,
    }
    info = DATASET_INFO_TEXT.replace("@@FILE@@", CHATS)
    return Config(
        settings, {DATASET_INFO: info}, tuple(_differences("llamafactory", training, chats))
    )


DATASET_INFO_TEXT = """{
  "chats": {
    "file_name": "@@FILE@@",
    "formatting": "sharegpt",
    "columns": {"messages": "messages"},
    "tags": {
      "role_tag": "role",
      "content_tag": "content",
      "user_tag": "user",
      "assistant_tag": "assistant",
      "system_tag": "system"
    }
  }
}
"""


def training_template(supervision: Supervision) -> str:
    """ChatML as a chat template whose answers trl finds: what is supervised is marked.

    Without the marks it writes what the checkpoint's own template writes.
    """
    course = supervision is Supervision.COURSE
    lead = r"{{ '\n' }}" if course else ""
    header = r"{{ '<|im_start|>' + message['role'] + '\n' }}"
    answer = r"{{ message['content'] + '<|im_end|>' }}"
    begin, end = "{% generation %}", "{% endgeneration %}"
    marked = (
        f"{begin}{header}{answer}{{{{ '\\n' }}}}{end}"
        if course
        else f"{header}{begin}{answer}{end}{{{{ '\\n' }}}}"
    )
    return (
        lead + "{% for message in messages %}{% if message['role'] == 'assistant' %}"
        f"{marked}{{% else %}}{header}{answer}{{{{ '\\n' }}}}{{% endif %}}{{% endfor %}}"
        r"{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )


def _differences(trainer: Trainer, training: Training, chats: TrainedChats) -> Iterator[str]:
    """What will not be as in the run, a sentence each."""
    plan = training.plan
    yield (
        "The order of the conversations: each trainer shuffles its own way, so losses are alike and"
        " not equal. `export --to script` has the run's order and its losses."
    )
    if trainer == "axolotl" and plan.precision is not Precision.FP32:
        yield (
            f"Precision: the run computed in {plan.precision.value} with fp32 weights. axolotl"
            " loads the weights in 16 bits for that, where small updates round away; here"
            " it computes in fp32, which is slower."
        )
    if trainer == "llamafactory":
        yield "The newline after an answer is supervised as well."
        yield (
            "Long conversations: of the round that passes the limit, question and answer are"
            " shortened by their lengths; a question that is cut loses the header of its answer."
        )
        if plan.data.supervision is Supervision.COURSE:
            yield "The header of an answer is not supervised, and no newline begins the text."
    if trainer == "axolotl" and plan.data.supervision is Supervision.COURSE:
        yield "The header of an answer and the newline after it are not supervised."
    if plan.data.truncation is Truncation.LEFT and trainer != "llamafactory":
        yield "Long conversations lose their end; in the run they lost their beginning."
    if training.averaged_steps:
        steps = ", ".join(map(str, training.averaged_steps))
        yield f"The run's best is the mean of the weights after steps {steps}; none is made here."
    if chats.exact:
        of = counted(chats.conversations, "conversation")
        # LLaMA-Factory reads an answer apart from its header, as the run did in `content` form.
        most = "Up to " if trainer == "llamafactory" else ""
        yield (
            f"{most}{len(chats.exact)} of {of} are read otherwise: they hold a special token"
            " written out, an answer that begins with white space, turns that are not supervised,"
            " or tools."
        )
    if trainer == "llamafactory" and chats.with_tools:
        of = counted(chats.conversations, "conversation")
        yield (
            f"{chats.with_tools} of {of} use tools, which are not described to the model; a call is"
            " read as the text beside it, and a conversation with a result is left out, so an"
            " epoch has fewer steps."
        )
    if trainer != "axolotl" and _told_to_use_the_cpu(training):
        yield (
            "`use_cpu` is set: the run computed on the processor in bf16, which is refused without"
            " it where there is no GPU. To train on a GPU, take that line out."
        )
    yield (
        f"The run's best is of step {training.checkpoint.step} of {plan.total_steps}: take"
        f" `{OUT}/checkpoint-{training.checkpoint.step}`."
    )
