"""`chat` and `export` refuse what they cannot do in one line, before they begin anything."""

import json
from pathlib import Path

import pytest

from autotune.base.errors import ExitCode
from autotune.base.manifest import seal
from autotune.cli.main import run
from autotune.protocol import events
from autotune.protocol.results import Checkpoint
from autotune.run.folder import RunDir
from tests import records, setups
from tests.sources.test_model import safetensors


def save_model(folder: Path) -> None:
    """What counts as a whole model folder as long as nobody computes with it."""
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    (folder / "model.safetensors").write_bytes(safetensors())


@pytest.fixture
def over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run that is over, with a model in `best/`."""
    monkeypatch.chdir(tmp_path)
    there = RunDir(tmp_path / "run")
    there.root.mkdir()
    there.run_toml.write_text("[evaluate]\nmax_new_tokens = 77\n", encoding="utf-8")
    lines = [p.model_dump_json() + "\n" for p in setups.prompts(8)]
    there.prompts.write_text("".join(lines), encoding="utf-8")
    best = Checkpoint(step=5, progress=1.0, folder="trials/0000/checkpoints/step-000005")
    save_model(there.best)
    seal(there.best)
    there.append(records.run_started(target=0.25, prompt_count=8), at=1.0)
    there.append(events.TrialStarted(number=0, optuna_number=0, plan=records.plan("A")), at=2.0)
    there.append(records.evaluated(0, best, 3), at=3.0)
    there.append(events.RunEnded(met=True, reason="done"), at=4.0)
    return there.root


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("export run", "needs --to; give gguf, trl, axolotl, llamafactory, script or lm-eval"),
        ("export run --to onnx", "--to onnx: unknown; give gguf,"),
        ("export run --to gguf --type q4", "--type q4: must be f16, q8_0 or f32"),
        ("export run --to trl --type f16", "--type f16: only --to gguf has types"),
        ("export none --to gguf", "export none: no such folder"),
        ("export run/run.toml --to gguf", "is a file; give the folder of a checkpoint"),
        ("export run --to gguf --out run/best", "--out run/best: holds other files"),
        ("export run/best --to script", "model folder models/demo: is not there any more"),
        ("export alone --to trl", "is a model by itself, which does not say how it was trained"),
        ("chat none", "chat none: no such folder"),
        ("chat run --max-new-tokens 0", "--max-new-tokens 0: must be a whole number from 1"),
        ("chat run --precision fp8", "--precision fp8: must be auto, fp16, bf16, fp32"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_line(
    over: Path, capsys: pytest.CaptureFixture[str], line: str, words: str
) -> None:
    save_model(Path("alone"))
    before = sorted(p for p in over.parent.rglob("*"))
    assert run(line.split()) == ExitCode.BAD_INPUT
    captured = capsys.readouterr()
    assert captured.err.startswith("smolsft-autotune: ")
    assert words in captured.err
    assert len(captured.err.splitlines()) == 1
    assert sorted(p for p in over.parent.rglob("*")) == before


def test_the_score_goes_to_lm_eval_with_the_runs_prompts_and_longest_answer(
    over: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", "run", "--to", "lm-eval", "--json"]) == ExitCode.DONE
    told = json.loads(capsys.readouterr().out)
    folder = Path(told["folder"])
    assert folder == over / "export" / "lm-eval"
    assert (folder / "prompts.jsonl").read_bytes() == (over / "prompts.jsonl").read_bytes()
    task = (folder / "ifeval_run.yaml").read_text(encoding="utf-8")
    assert "max_gen_toks: 77\n" in task
    assert f"pretrained={over / 'best'},dtype=" in told["next"]
    assert "The run's own score: 3/" in (folder / "README.md").read_text(encoding="utf-8")
