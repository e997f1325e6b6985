"""`chat` and `export` refuse what they cannot do in one line, before they begin anything."""

import io
import json
import shutil
from pathlib import Path

import pytest

from autotune.base.errors import EnvironmentFault, ExitCode
from autotune.base.manifest import seal
from autotune.cli.export import Source, next_step
from autotune.cli.main import run
from autotune.export.gguf import readme
from autotune.protocol import events
from autotune.protocol.export_jobs import ChatForm, GgufFound
from autotune.protocol.gain import Gain
from autotune.protocol.results import Checkpoint
from autotune.run.folder import RunDir
from autotune.run.state import replay
from tests import records, setups
from tests.screens import squeezed
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
        ("export run --to gguff", "script or lm-eval; did you mean gguf?"),
        ("export run --to gguf --type q80", "must be f16, q8_0 or f32; did you mean q8_0?"),
        ("export run --to gguf --type q4", "--type q4: must be f16, q8_0 or f32"),
        ("export run --to trl --type f16", "--type f16: only --to gguf has types"),
        ("export none --to gguf", "export none: no such folder"),
        ("export run/run.toml --to gguf", "is a file; give the folder of a checkpoint"),
        ("export run --to gguf --out run/best", "--out run/best: holds other files"),
        ("export run/best --to script", "model folder models/demo: is not there any more"),
        ("export alone --to trl", "is a model by itself, which does not say how it was trained"),
        ("chat none", "chat none: no such folder"),
        ("chat toy", "chat toy: names a model, and this takes a folder: a run's, or a model's;"),
        ("export demo --to gguf", "export demo: names a model, and this takes a folder"),
        ("chat run --max-new-tokens 0", "--max-new-tokens 0: must be a whole number from 1"),
        ("chat run --precision fp8", "--precision fp8: must be auto, fp16, bf16 or fp32"),
        ("chat run --precision bf61", "must be auto, fp16, bf16 or fp32; did you mean bf16?"),
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


@pytest.mark.parametrize("command", ["chat run", "export run --to gguf", "synth --from run"])
@pytest.mark.parametrize("left", [True, False], ids=["checkpoint", "nothing"])
def test_a_best_that_was_deleted_is_named_with_what_to_do(
    over: Path, capsys: pytest.CaptureFixture[str], command: str, left: bool
) -> None:
    shutil.rmtree(over / "best")
    if left:
        (over / "trials/0000/checkpoints").mkdir(parents=True)
        save_model(over / "trials/0000/checkpoints/step-000005")
    assert run(command.split()) == ExitCode.BAD_INPUT
    (line,) = capsys.readouterr().err.splitlines()
    assert "run: its best/ is not there any more" in line
    assert "smolsft-autotune run --run-dir run" in line
    there = f"give what it was the copy of, {Path('run/trials/0000/checkpoints/step-000005')}"
    assert (there in line) is left
    assert ("nor is the checkpoint that it was the copy of" in line) is not left


WORSE = Gain(before=4 / 8, after=3 / 8, gained=0, lost=1, p_value=1.0)


def scored(over: Path, gain: Gain) -> None:
    """Put on record that the run's best has this gain."""
    state = replay(RunDir(over).records())
    assert state.best is not None
    RunDir(over).append(state.best.model_copy(update={"gain": gain}), at=5.0)


def test_a_model_that_is_no_better_is_said_to_be_so_before_anything_else(
    over: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    scored(over, WORSE)
    first = "The best checkpoint is no better than the untrained model: it counts for 37.5 % and"
    assert run(["export", "run", "--to", "lm-eval", "--json"]) == ExitCode.DONE
    told = capsys.readouterr()
    assert squeezed(told.err).startswith(first)
    assert json.loads(told.out)["no_better"] is True
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert run(["chat", "run", "--json"]) == ExitCode.DONE
    told = capsys.readouterr()
    assert squeezed(told.err).startswith(first)
    assert json.loads(told.out) == {
        "model": str(Path("run/best")),
        "no_better": True,
        "answers": [],
    }


def test_a_piped_talk_says_at_once_that_its_first_answer_loads_the_model(
    over: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def load(*_: object, **__: object) -> None:
        told.append(capsys.readouterr().err)
        raise EnvironmentFault("the model cannot be loaded")

    monkeypatch.setattr("autotune.chat.answerer.WorkerProcess", load)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Why?\n")))
    assert run(["chat", "run", "--device", "cpu", "--precision", "fp32"]) == ExitCode.ENVIRONMENT
    (line,) = told[0].splitlines()
    assert line.startswith(f"{Path('run/best')} on ")
    assert line.endswith(", fp32: the first answer loads the model")


def test_nothing_of_the_sort_is_said_of_a_better_one(
    over: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scored(over, Gain(before=1 / 8, after=3 / 8, gained=2, lost=0, p_value=0.5))
    assert run(["export", "run", "--to", "lm-eval", "--json"]) == ExitCode.DONE
    told = capsys.readouterr()
    assert "no better" not in told.err
    assert json.loads(told.out)["no_better"] is False


@pytest.mark.parametrize("merges", [True, False])
def test_ollama_is_offered_only_a_file_that_it_can_read(tmp_path: Path, merges: bool) -> None:
    source = Source(tmp_path / "model", None, None)
    found = {"same_tokens": True if merges else None}
    line = next_step(source, "gguf", tmp_path / "out", found)
    assert line.startswith("ollama create model -f " if merges else "smolsft-autotune chat ")
    told = GgufFound(
        form=ChatForm(),
        stop=("<|im_end|>",),
        tokens=3,
        max_error=0.0,
        mean_error=0.0,
        largest=1.0,
        same_choice=1.0,
        same_tokens=found["same_tokens"],
    )
    assert ("ollama create" in readme("model.gguf", "mine", "1 MiB", told)) is merges


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
