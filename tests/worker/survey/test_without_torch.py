"""A survey that has a process to itself does without torch, and its tokens are the same."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autotune.data.survey import read_survey
from autotune.launch import SubprocessRunner
from autotune.protocol import events
from autotune.protocol.job import SurveyJob, on_the_computer
from autotune.protocol.plan import DataSpec
from tests.worker.tokenizer_kinds import byte_level

SMOLLM2 = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "smollm2-135m"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tokenizer and nothing else."""
    folder = tmp_path_factory.mktemp("model")
    byte_level("\nh").save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "GPT2Tokenizer", "eos_token": "<|im_end|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def test_a_survey_is_made_where_torch_cannot_be_loaded(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "torch.py").write_text("raise OSError('no DLL')", encoding="utf-8")
    path = f"{tmp_path / 'broken'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    monkeypatch.setenv("PYTHONPATH", path)
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "hello"}]
    chat = tmp_path / "chat.json"
    chat.write_text(json.dumps([{"messages": turns}] * 3), encoding="utf-8")
    job = SurveyJob(
        device=on_the_computer(),
        model_folder=str(model),
        data=DataSpec(path=str(chat), format="auto"),
        out=str(tmp_path / "survey.json"),
    )
    emitted: list[events.WorkerEvent] = []
    ending = SubprocessRunner().run(job, tmp_path / "work", emitted.append, silence_seconds=600)
    assert (ending.failure, ending.reason) == (None, "")
    assert len(read_survey(tmp_path / "survey.json").conversations) == 3
    (ready,) = [event for event in emitted if isinstance(event, events.Ready)]
    assert ready.torch == "" and ready.transformers
    assert (tmp_path / "work" / "worker.log").read_bytes() == b""


DIGEST = """
import hashlib, sys
from pathlib import Path
from autotune.worker.libraries import hide_torch
hide_torch()
from autotune.worker.tokens.tokenizer import load_tokenizer
for folder in sys.argv[1:]:
    tokenizer = load_tokenizer(Path(folder))
    said = tokenizer.backend_tokenizer.to_str() + repr(tokenizer)
    print(hashlib.sha256(said.encode()).hexdigest())
assert sys.modules["torch"] is None
"""


@pytest.mark.torch
def test_a_tokenizer_is_the_same_with_torch_and_without(model: Path) -> None:
    import torch

    from autotune.worker.tokens.tokenizer import load_tokenizer

    assert torch.__version__
    folders = [model, *([SMOLLM2] if SMOLLM2.is_dir() else [])]
    command = [sys.executable, "-c", DIGEST, *map(str, folders)]
    without = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    for folder, digest in zip(folders, without, strict=True):
        tokenizer = load_tokenizer(folder)
        said = tokenizer.backend_tokenizer.to_str() + repr(tokenizer)
        assert hashlib.sha256(said.encode()).hexdigest() == digest
