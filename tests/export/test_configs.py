"""Configurations for other trainers say what the plan says, in keys and types that they read."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autotune.export.batches import rows_and_repeats
from autotune.export.configs import Trainer, config_of
from autotune.export.modelfile import modelfile
from autotune.export.training import Training
from autotune.export.yaml_text import yaml_text
from autotune.protocol.choices import Precision, Supervision, Truncation
from autotune.protocol.export_jobs import ChatForm, ExactRow, TrainedChats
from autotune.protocol.results import Checkpoint
from tests import records

TRAINERS: tuple[Trainer, ...] = ("trl", "axolotl", "llamafactory")


def training(**changes: Any) -> Training:
    plan = records.plan("A", **changes)
    return Training(
        number=0,
        plan=plan,
        checkpoint=Checkpoint(step=7, progress=0.9, folder="x"),
        averaged_steps=(),
        model="HuggingFaceTB/SmolLM2-135M",
        model_folder=Path("model"),
        data=Path("chats.jsonl"),
        data_label="chats",
        data_sha256=None,
        drop_prompts=None,
        losses={},
    )


def chats(exact: dict[int, ExactRow] | None = None, with_tools: int = 0) -> TrainedChats:
    return TrainedChats(
        conversations=10,
        with_tools=with_tools,
        chat_template="{{ messages }}",
        end_token="<|im_end|>",
        stop_ids=(0, 2),
        pad_token_id=2,
        exact=exact or {},
    )


@pytest.mark.parametrize("trainer", TRAINERS)
def test_a_configuration_reads_back_as_the_plan(trainer: Trainer) -> None:
    yaml = pytest.importorskip("yaml")
    made = training(learning_rate=4e-5, batch_size=48, micro_batch_tokens=4096)
    read = yaml.safe_load(yaml_text(config_of(trainer, made, chats()).settings, "of a run\nx"))
    plan = made.plan
    assert read["learning_rate"] == plan.learning_rate  # and no text, as PyYAML has 4e-05
    assert read["warmup_steps"] == plan.warmup_steps
    assert read["weight_decay"] == plan.weight_decay
    assert read["save_steps"] == 7
    rows = read.get("micro_batch_size", read.get("per_device_train_batch_size"))
    assert rows * read["gradient_accumulation_steps"] == plan.batch_size
    length = {"trl": "max_length", "axolotl": "sequence_len", "llamafactory": "cutoff_len"}
    assert read[length[trainer]] == plan.model_max_length


def test_rows_divide_a_step_and_fit_the_micro_batch() -> None:
    for tokens, wanted in ((100, (1, 48)), (5 * 1024, (4, 12)), (10**6, (48, 1))):
        plan = records.plan(batch_size=48, model_max_length=1024, micro_batch_tokens=tokens)
        assert rows_and_repeats(plan) == wanted


def test_what_a_trainer_cannot_do_as_the_run_did_is_said() -> None:
    exact = {3: ExactRow(input_ids=(1,), labels=(1,))}
    made = training(precision=Precision.BF16)
    spec = made.plan.data.model_copy(
        update={"supervision": Supervision.COURSE, "truncation": Truncation.LEFT}
    )
    plan = made.plan.model_copy(update={"data": spec})
    made = Training(**{f: getattr(made, f) for f in made.__slots__} | {"plan": plan})
    words = {t: " ".join(config_of(t, made, chats(exact)).differences) for t in TRAINERS}
    assert all("1 of 10 conversations are read otherwise" in each for each in words.values())
    assert "the run computed in bf16 with fp32 weights" in words["axolotl"]
    assert "newline after an answer is supervised" in words["llamafactory"]
    assert "lost their beginning" in words["trl"]


@pytest.mark.parametrize("trainer", ["trl", "llamafactory"])
def test_transformers_is_told_to_use_the_processor_where_it_refuses_bf16(trainer: Trainer) -> None:
    bf16, fp32 = training(precision=Precision.BF16), training(precision=Precision.FP32)
    said = config_of(trainer, replace(bf16, on_cpu=True), chats())
    assert said.settings["use_cpu"] is True
    assert "To train on a GPU, take that line out" in " ".join(said.differences)
    for made in (bf16, replace(fp32, on_cpu=True)):  # either trains on whatever is there
        unsaid = config_of(trainer, made, chats())
        assert "use_cpu" not in unsaid.settings
        assert "use_cpu" not in " ".join(unsaid.differences)


def test_a_second_training_with_llamafactory_does_not_resume_from_the_first() -> None:
    assert config_of("llamafactory", training(), chats()).settings["overwrite_output_dir"] is True


def test_llamafactory_is_said_to_leave_out_conversations_with_a_tools_result() -> None:
    def words(trainer: Trainer, with_tools: int) -> str:
        return " ".join(config_of(trainer, training(), chats(with_tools=with_tools)).differences)

    assert "3 of 10 conversations use tools" in words("llamafactory", 3)
    assert "a conversation with a result is left out" in words("llamafactory", 3)
    assert "tools" not in words("llamafactory", 0) + words("trl", 3)


def test_a_modelfile_writes_chatml_turn_by_turn_and_answers_as_scored() -> None:
    text = modelfile("model-f16.gguf", ChatForm(lead="\n", system="Be brief."), ["<|im_end|>"], 99)
    assert text.startswith("FROM ./model-f16.gguf\n")
    (template,) = re.findall('TEMPLATE """(.*?)"""', text, re.DOTALL)
    assert template == (
        '{{ "\\n" }}{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n'
        "{{ end }}<|im_start|>assistant\n"
    )
    assert 'SYSTEM """Be brief."""' in text
    assert 'PARAMETER stop "<|im_end|>"' in text
    assert "PARAMETER repeat_penalty 1\n" in text
    assert "TEMPLATE" not in modelfile("m.gguf", None, [], 99)
