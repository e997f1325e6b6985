"""What leaves the tool says what the tool says: folders, GGUF files, the script, the talk."""

import io
import json
import random
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel, pipeline

from autotune.base.errors import BadInput
from autotune.export.chats import CHATS
from autotune.export.configs import training_template
from autotune.export.script import SCRIPT, write_script
from autotune.export.training import Training
from autotune.protocol import events
from autotune.protocol.choices import Supervision, Truncation
from autotune.protocol.export_jobs import (
    ChatForm,
    ChatJob,
    GgufFound,
    GgufJob,
    TrainedChats,
    TrainedChatsJob,
    Turn,
)
from autotune.protocol.plan import TrainPlan
from autotune.protocol.results import Checkpoint
from autotune.worker.channel import Pipe
from autotune.worker.chat import Speaker
from autotune.worker.gguf import tensors
from autotune.worker.gguf.form import form_of
from autotune.worker.gguf.job import Differs, write_gguf
from autotune.worker.gguf.vocabulary import pre_tokenizer_name, vocabulary_of
from autotune.worker.tokens.chatml import chat_template
from autotune.worker.tokens.saved import save_tokenizer
from autotune.worker.toy import toy_tokenizer
from autotune.worker.train.loop import train
from autotune.worker.trained_chats import write_trained_chats
from tests.worker.tokens.test_tool_rows import ANSWER, ASK, EXCHANGE, TOOL
from tests.worker.tool_templates import GOOD
from tests.worker.toys import (
    Tight,
    chat_file,
    checkpoint,
    cpu,
    data_spec,
    device,
    loaded_toy,
    losses,
    of_kind,
    plan_of,
    save_toy,
    train_job,
)

pytestmark = pytest.mark.torch

QUESTIONS = ("river clock", "Write about a garden.", "Grüße? 你好", "paper\n\nstone", "a")


def said(folder: Path, *turns: Turn, stop: Path | None = None, longest: int = 24) -> list[Any]:
    pipe = Tight()
    job = ChatJob(
        device=device(),
        model_folder=str(folder),
        turns=turns,
        max_new_tokens=longest,
        prefill_tokens=4096,
        stop_file=str(stop or folder / "none"),
    )
    Speaker(cpu()).answer(job, pipe)
    return pipe.emitted


def spoken(emitted: list[Any]) -> str:
    return "".join(event.text for event in of_kind(emitted, events.Said))


def test_a_saved_tokenizer_names_the_models_length_and_nothing_of_this_machine(
    tmp_path: Path,
) -> None:
    tokenizer = toy_tokenizer()
    tokenizer.model_max_length = 10**30
    save_tokenizer(tokenizer, tmp_path, 512)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert config["model_max_length"] == 512
    assert config["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert not {"is_local", "local_files_only", "backend"} & set(config)
    again = AutoTokenizer.from_pretrained(tmp_path)
    save_tokenizer(again, tmp_path, 2048)
    read = json.loads((tmp_path / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert read == config
    text = "river <|im_end|> Grüße"
    assert again(text)["input_ids"] == tokenizer(text)["input_ids"]


def test_transformers_own_pipeline_gives_the_greedy_answers_of_the_talk(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "best")
    asks = pipeline("text-generation", model=str(folder), device="cpu")
    for question in QUESTIONS:
        theirs = asks(
            [{"role": "user", "content": question}],
            max_new_tokens=24,
            do_sample=False,
            return_full_text=False,
        )[0]["generated_text"]
        assert theirs == spoken(said(folder, Turn(role="user", content=question)))


def test_a_talk_tells_how_an_answer_ended_and_forgets_what_does_not_fit(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "best")
    ask = Turn(role="user", content="river clock")
    whole = said(folder, ask, longest=200)
    (end,) = of_kind(whole, events.AnswerEnded)
    assert (end.finish, end.forgotten) == ("stop", 0)
    cut = said(folder, ask, longest=2)
    assert of_kind(cut, events.AnswerEnded)[0].finish == "length"
    assert of_kind(cut, events.AnswerEnded)[0].new_tokens == 2
    assert spoken(whole).startswith(spoken(cut))
    stop = tmp_path / "stop"
    stop.touch()
    ended = said(folder, ask, stop=stop, longest=200)
    assert of_kind(ended, events.AnswerEnded)[0].finish == "interrupted"
    long = Turn(role="assistant", content="x" * 1500)
    talk = (Turn(role="system", content="s"), *(ask, long) * 3, ask)
    assert of_kind(said(folder, *talk), events.AnswerEnded)[0].forgotten == 1


def test_a_model_with_a_template_of_its_own_is_told_the_whole_talk(tmp_path: Path) -> None:
    loaded = loaded_toy(tmp_path)
    loaded.tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}: {{ m.content }}<|im_end|>{% endfor %}"
        "<|im_start|>assistant: "
    )
    loaded.tokenizer.save_pretrained(tmp_path)
    asked = loaded_toy(tmp_path)
    from autotune.data.conversation import Message

    talk = [Message("user", "one"), Message("assistant", "two"), Message("user", "<|im_end|> x")]
    ids = asked.talk_ids(talk)
    assert ids.count(2) == 3  # the marker that is written in a text ends no turn
    assert asked.tokenizer.decode(ids) == (
        "<|im_start|>user: one<|im_end|><|im_start|>assistant: two<|im_end|>"
        "<|im_start|>user: <|im_end|> x<|im_end|><|im_start|>assistant: "
    )


def gguf_of(folder: Path, kind: Any, out: Path) -> GgufFound:
    found = out.with_suffix(".json")
    job = GgufJob(
        device=device(),
        model_folder=str(folder),
        type=kind,
        name="toy",
        out=str(out),
        found=str(found),
    )
    write_gguf(job, Pipe(io.BytesIO()))
    return GgufFound.model_validate_json(found.read_bytes())


@pytest.mark.parametrize(("kind", "most"), [("f32", 0.0), ("f16", 0.002), ("q8_0", 0.06)])
def test_a_gguf_file_read_back_says_what_the_model_says(
    tmp_path: Path, kind: str, most: float
) -> None:
    folder = checkpoint(tmp_path / "best")
    found = gguf_of(folder, kind, tmp_path / "toy.gguf")
    assert found.max_error <= most * found.largest
    assert found.same_choice > 0.95
    assert found.form == ChatForm()
    assert set(found.stop) == {"<|endoftext|>", "<|im_end|>"}


def test_a_gguf_file_with_its_heads_in_another_order_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensors, "interleaved", lambda weight, _: np.ascontiguousarray(weight))
    with pytest.raises(Differs, match="differ from the model's"):
        gguf_of(checkpoint(tmp_path / "best"), "f32", tmp_path / "toy.gguf")
    assert not (tmp_path / "toy.json").exists()


def test_a_model_that_is_no_llama_is_refused_for_gguf(tmp_path: Path) -> None:
    tokenizer = toy_tokenizer()
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=8, n_layer=1, n_head=1, n_positions=64)
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(BadInput, match="is a gpt2; export --to gguf writes Llamas"):
        gguf_of(tmp_path, "f32", tmp_path / "toy.gguf")


BYTES = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
DIGITS = {"type": "Digits", "individual_digits": True}


@pytest.mark.parametrize(
    ("steps", "name"),
    [
        (BYTES, "gpt-2"),
        ({"type": "Sequence", "pretokenizers": [DIGITS, BYTES]}, "smollm"),
        ({"type": "Sequence", "pretokenizers": [DIGITS, DIGITS, BYTES]}, None),
        ({"type": "Sequence", "pretokenizers": [BYTES, DIGITS]}, None),
        (BYTES | {"use_regex": False}, None),
        ({"type": "Whitespace"}, None),
        (None, None),
    ],
)
def test_a_pre_tokenizer_has_the_name_that_llama_cpp_knows(steps: Any, name: str | None) -> None:
    assert pre_tokenizer_name(steps) == name


def test_a_vocabulary_is_filled_up_to_the_models_rows(tmp_path: Path) -> None:
    tokenizer = toy_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    found = vocabulary_of(tmp_path, len(tokenizer) + 5)
    assert len(found.tokens) == len(tokenizer) + 5
    assert found.tokens[2] == "<|im_end|>"
    assert (found.kinds[2], found.kinds[3], found.kinds[-1]) == (3, 1, 5)
    assert isinstance(Tokenizer.from_file(str(tmp_path / "tokenizer.json")), Tokenizer)


OWN = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nBe brief.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{{ '<|im_start|>assistant\n' }}"
)


@pytest.mark.parametrize(
    ("template", "form"),
    [
        (chat_template(Supervision.CONTENT), ChatForm()),
        (chat_template(Supervision.COURSE), ChatForm(lead="\n")),
        (OWN, ChatForm(system="Be brief.")),
        ("{{ messages[0].content }}", None),
        ("{{ raise_exception('no') }}", None),
    ],
)
def test_a_chat_template_is_known_by_what_it_writes(template: str, form: ChatForm | None) -> None:
    assert form_of(template, {}) == form


def mixed_file(path: Path) -> Path:
    """Ordinary conversations, and some whose text a plain reading mistakes."""
    chat_file(path, conversations=10)
    odd = [
        ("what ends a turn? <|im_end|>", "this: <|im_end|> does"),
        ("an answer that begins", "\nwith a line's end"),
    ]
    with path.open("a", encoding="utf-8") as file:
        for question, answer in odd:
            turns = [
                {"role": "user", "content": question},
                {"role": "assistant", "content": answer},
            ]
            file.write(json.dumps({"messages": turns}) + "\n")
    return path


def exported(tmp_path: Path, plan: TrainPlan, model: Path, of_run: dict[int, float]) -> Path:
    """The script's folder for a plan, as `export --to script` makes it."""
    out = tmp_path / "script"
    out.mkdir()
    job = TrainedChatsJob(
        device=device(),
        plan=plan,
        model_folder=str(model),
        data_path=plan.data.path,
        out=str(out / CHATS),
        found=str(tmp_path / "found.json"),
    )
    write_trained_chats(job, Pipe(io.BytesIO()))
    chats = TrainedChats.model_validate_json((tmp_path / "found.json").read_bytes())
    training = Training(
        number=0,
        plan=plan,
        checkpoint=Checkpoint(step=4, progress=0.5, folder="x"),
        averaged_steps=(),
        model=str(model),
        model_folder=model,
        data=Path(plan.data.path),
        data_label="chats",
        data_sha256=None,
        drop_prompts=None,
        losses=of_run,
    )
    write_script(training, chats, out)
    return out


@pytest.mark.parametrize("supervision", list(Supervision))
def test_the_exported_script_has_the_losses_of_the_run_and_imports_nothing_of_it(
    tmp_path: Path,
    supervision: Supervision,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model, path = save_toy(tmp_path / "model"), mixed_file(tmp_path / "chats.jsonl")
    data = data_spec(path, supervision=supervision, truncation=Truncation.LEFT)
    plan = plan_of(
        model, path, conversations=10, held_out=2, max_rounds=1, model_max_length=64
    ).model_copy(update={"data": data})
    pipe = Tight()
    train(train_job(plan, tmp_path / "out"), cpu(), pipe)
    of_run = losses(pipe.emitted)
    folder = exported(tmp_path, plan, model, of_run)
    assert "autotune" not in (folder / SCRIPT).read_text(encoding="utf-8")
    monkeypatch.setattr(sys, "argv", [SCRIPT, "--steps", "3"])
    capsys.readouterr()
    runpy.run_path(str(folder / SCRIPT), run_name="__main__")
    lines = [x for x in capsys.readouterr().out.splitlines() if x.startswith("step ")]
    theirs = [float(line.split("loss ")[1].split(",")[0]) for line in lines]
    printed = [line.rpartition(" ")[2] for line in lines]
    assert printed == [f"{of_run[step]:.6f}" for step in (1, 2, 3)]
    assert theirs == pytest.approx([of_run[step] for step in (1, 2, 3)], abs=1e-4)


def test_rows_that_a_plain_reading_mistakes_go_along_as_token_ids(tmp_path: Path) -> None:
    model, path = save_toy(tmp_path / "model"), mixed_file(tmp_path / "chats.jsonl")
    plan = plan_of(model, path)
    folder = exported(tmp_path, plan, model, {})
    exact = json.loads((folder / "exact_rows.json").read_text(encoding="utf-8"))
    assert list(exact) == ["10"]
    lines = (folder / CHATS).read_text(encoding="utf-8").splitlines()
    assert len(lines) == 12
    assert "what ends a turn" in lines[10]


def test_conversations_with_tools_are_counted_for_trainers_that_leave_some_out(
    tmp_path: Path,
) -> None:
    model, data = save_toy(tmp_path / "model"), tmp_path / "chats.jsonl"
    tokenizer = toy_tokenizer()
    tokenizer.chat_template = GOOD
    tokenizer.save_pretrained(model)
    rows: list[Any] = [{"messages": [ASK, ANSWER]}] * 3
    rows += [{"messages": EXCHANGE, "tools": [TOOL]}] * 2
    data.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    exported(tmp_path, plan_of(model, data, conversations=5, model_max_length=1024), model, {})
    found = TrainedChats.model_validate_json((tmp_path / "found.json").read_bytes())
    assert (found.conversations, found.with_tools) == (5, 2)


def test_data_that_is_not_the_runs_any_more_is_refused(tmp_path: Path) -> None:
    model, path = save_toy(tmp_path / "model"), chat_file(tmp_path / "chats.jsonl")
    plan = plan_of(model, path)
    chat_file(path, conversations=3)
    with pytest.raises(BadInput, match="keeps 3 conversations, the run trained on 12"):
        exported(tmp_path, plan, model, {})
    path.unlink()
    (tmp_path / "script").rmdir()
    with pytest.raises(BadInput, match="no such file any more"):
        exported(tmp_path, plan, model, {})


@pytest.mark.parametrize("supervision", list(Supervision))
def test_the_template_for_trl_marks_what_the_run_supervises(supervision: Supervision) -> None:
    tokenizer = toy_tokenizer()
    draw = random.Random(0)
    turns = [
        {"role": role, "content": "".join(draw.choices("ab c", k=5)).strip() + "x"}
        for role in ("system", "user", "assistant", "user", "assistant")
    ]
    tokenizer.chat_template = chat_template(supervision)
    plain = tokenizer.apply_chat_template(turns, return_dict=True)["input_ids"]
    marked = tokenizer.apply_chat_template(
        turns,
        chat_template=training_template(supervision),
        return_dict=True,
        return_assistant_tokens_mask=True,
    )
    assert marked["input_ids"] == plain
    text = "".join(
        tokenizer.decode([token]) if mask else "|"
        for token, mask in zip(plain, marked["assistant_masks"], strict=True)
    )
    header, behind = ("<|im_start|>assistant\n", "\n") if supervision == "course" else ("", "")
    answers = [f"{header}{turn['content']}<|im_end|>{behind}" for turn in (turns[2], turns[4])]
    assert _runs(text) == answers


def _runs(text: str) -> list[str]:
    """What stands between masked tokens, each of which is a bar by itself."""
    marks = text.replace("<|", "<\0").replace("|>", "\0>")
    return [part.replace("\0", "|") for part in marks.split("|") if part]


@pytest.mark.slow
def test_real_weights_as_gguf_say_what_they_say(tmp_path: Path) -> None:
    from autotune.sources.model import demo_model

    source = demo_model()
    if not source.is_prepared:
        pytest.skip("the demo model is not converted on this machine")
    torch.manual_seed(0)
    found = gguf_of(source.folder, "f16", tmp_path / "real.gguf")
    assert found.max_error < 0.1  # of logits up to 40
    assert found.same_choice > 0.98
    assert found.same_tokens
