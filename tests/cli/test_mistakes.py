"""What a person reads who typed something wrong: one line, and an exit code."""

import json
import shlex
from pathlib import Path

import pytest

from autotune.base.errors import BadInput, ExitCode
from autotune.base.format import quoted
from autotune.cli.main import run
from autotune.cli.options import Options
from autotune.cli.target import read_target
from autotune.config.load import find_profile


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMOLSFT_CACHE", str(tmp_path / "cache"))


TOY = ["run", "--profile", "cpu-smoke"]
CHAT = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
PROMPT = {"key": 1, "prompt": "Say it.", "instruction_id_list": [], "kwargs": []}


@pytest.fixture
def files(_own_folder: None) -> None:
    """One of each kind of file and folder, in the folder that the command is given in."""
    texts = {
        "chats.jsonl": json.dumps(CHAT),
        "two words.jsonl": json.dumps(CHAT),
        "prompts.jsonl": json.dumps(PROMPT),
        "answers.jsonl": json.dumps({"prompt": "Say it.", "response": "it"}),
        "others.jsonl": json.dumps({"prompt": "Say it.", "response": "no"}),
        "numbers.jsonl": json.dumps({"prompt": "Say it.", "response": 7}),
        "math.jsonl": json.dumps({"prompt": "6 times 7?", "answer": "42"}),
        "empty.jsonl": " \n",
        "short.json": "[{",
        "mine.toml": "name = 'x'\nseed == 3\n",
        "twice.toml": "name = 'x'\nname = 'y'\n",
        "open.toml": "name = [1,\n",
        "small/config.json": '{"max_position_embeddings": 128}',
        "small/tokenizer.json": "{}",
        "run/run.toml": "",
        "run/events.jsonl": "",
        "over/run.toml": "",
        "over/best/config.json": "{}",
        "folder/inside.jsonl": json.dumps(CHAT),
        "folder/inside.toml": "",
    }
    for name, text in texts.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")


VALUES = [
    ("--target 25", "--target 25: must be above 0 and at most 1, or a percentage", "0.25?"),
    ("--target 250%", "--target 250%: must be above 0", ""),
    ("--target 0,3", "--target 0,3: must be above 0", "did you mean 0.3?"),
    ("--target 0", "--target 0: must be above 0", ""),
    ("--target -1", "--target -1: must be above 0", ""),
    ("--target nan", "--target nan: must be above 0", ""),
    ("--target half", "--target half: must be above 0", ""),
    ("--max-rounds 0", "--max-rounds 0: must be a whole number from 1, or all", ""),
    ("--max-rounds -1", "--max-rounds -1: must be a whole number from 1, or all", ""),
    ("--max-rounds six", "--max-rounds six: must be", ""),
    ("--model-max-length 7", "--model-max-length 7: must be a multiple of 64", ""),
    ("--model-max-length 1k", "--model-max-length 1k: must be a whole number", "mean 1024?"),
    ("--model-max-length 1,024", "must be a whole number", "did you mean 1024?"),
    ("--vram-budget 8", "--vram-budget 8: must be auto, or a size above 0 with its", "8GiB?"),
    ("--vram-budget 6,5GiB", "--vram-budget 6,5GiB: must be", "did you mean 6.5GiB?"),
    ("--vram-budget 8G", "--vram-budget 8G: must be", "did you mean 8GiB?"),
    ("--vram-budget 8192", "--vram-budget 8192: must be", "did you mean 8192MiB?"),
    ("--vram-budget 0GiB", "--vram-budget 0GiB: must be", ""),
    ("--vram-budget -3GB", "--vram-budget -3GB: must be", ""),
    ("--device tpu", "--device tpu: must be auto, cuda, cuda:N or cpu", ""),
    ("--precision int8", "--precision int8: must be auto, fp16, bf16 or fp32", ""),
    ("--supervision all", "--supervision all: must be content or course", ""),
    ("--truncation middle", "--truncation middle: must be right or left", ""),
    ("--seed -1", "--seed -1: must be a whole number from 0 up", ""),
    ("--seed x", "--seed x: must be a whole number", "See smolsft-autotune run --help"),
    ("--seed", "--seed: needs a value", "See smolsft-autotune run --help"),
    ("--format foo", "--format foo: must be auto, messages, conversations", ""),
    ("--skip-bad -1", "--skip-bad -1: must be 0 or more", ""),
    ("--tagret 0.3", "--tagret: run has no such option", "did you mean --target? See"),
    ("--max_hours 3", "--max_hours: run has no such option", "did you mean --max-hours? See"),
    ("--limit 3", "--limit: run has no such option", "did you mean --prompt-limit? See"),
    ("--hlep", "--hlep: run has no such option", "did you mean --help? See"),
    ("--precision bff16", "--precision bff16: must be auto, fp16, bf16 or fp32", "mean bf16?"),
    ("--model dmeo", "model dmeo: no such folder", "demo or toy; did you mean demo?"),
    ("--data tyo", "data tyo: no such file", "demo or toy; did you mean toy?"),
    ("--prompts ifevla", "prompts ifevla: no such file", "; did you mean ifeval?"),
    ("--yes", "--yes: run has no such option. See", ""),
    ("--toy", "--toy: run has no such option. See", ""),
]
"""What is added to `run --profile cpu-smoke`, how the line begins, and what it ends in."""

PATHS = [
    ("run chats.jsonl", "chats.jsonl: run takes no such argument", "--data chats.jsonl? See"),
    (
        "inspect 'two words.jsonl'",
        "two words.jsonl: inspect",
        f"--data {quoted('two words.jsonl')}? See",
    ),
    ("probe gone.parquet", "gone.parquet: probe takes", "did you mean --data gone.parquet?"),
    ("run prompts.jsonl", "prompts.jsonl: run takes", "did you mean --prompts prompts.jsonl?"),
    ("run mine.toml", "mine.toml: run takes", "did you mean --profile mine.toml?"),
    ("probe small", "small: probe takes", "did you mean --model small?"),
    ("inspect toy", "toy: inspect takes", "did you mean --model toy?"),
    ("run run", "run: run takes", "did you mean --run-dir run?"),
    ("run 0.3", "0.3: run takes", "did you mean --target 0.3?"),
    ("demo 25%", "25%: demo takes", "did you mean --target 25%?"),
    ("demo --tyo", "--tyo: demo has no such option", "did you mean --toy? See"),
    ("demo --tor", "--tor: demo has no such option. See", "demo --help"),
    ("synth --hlep", "--hlep: synth has no such option", "did you mean --help? See"),
    ("--hlep", "--hlep: smolsft-autotune has no such option", "did you mean --help? See"),
    ("probe --plan --attention fusde", "--attention fusde: must be", "; did you mean fused?"),
    ("run --stages wiat --storage sqlite://x", "must be wait or overlap", "did you mean wait?"),
    ("demo chats.jsonl", "chats.jsonl: demo takes no such argument. See", "demo --help"),
    ("run --run-dir chats.jsonl --profile cpu-smoke", "is a file, must be a folder", ""),
    ("run --data folder --profile cpu-smoke", "is a folder; give the", "inside.jsonl"),
    ("run --data small --profile cpu-smoke", "data small: is a model's folder", "--model"),
    ("eval over", "model over: is a run's folder; its model is in", "best"),
    ("run --think maybe --profile cpu-smoke", "--think maybe: must be keep or strip", ""),
    ("run --data no/such.json --profile cpu-smoke", "data no/such.json: no such file", ""),
    ("run --model ./none --profile cpu-smoke", "model ./none: no such folder", ""),
    ("run --model chats.jsonl --profile cpu-smoke", "model chats.jsonl: is a file", ""),
    ("probe --plan --model chats.jsonl", "model chats.jsonl: is a file", ""),
    ("run --prompts folder --profile cpu-smoke", "prompts folder: is a folder", ""),
    ("run --prompts none.jsonl --profile cpu-smoke", "prompts none.jsonl: no such file", ""),
    ("inspect --data ''", "--data : must not be empty; leave it out", ""),
    ("run --profile folder", "profile folder: is a folder; give a .toml file", "inside.toml"),
    ("run --profile cpu-smokee", "profile cpu-smokee: no such", "did you mean cpu-smoke?"),
    ("run --profile mine.toml", "profile mine.toml:2: not TOML: Invalid value (at line 2", "3"),
    ("run --profile twice.toml", "twice.toml:2: not TOML: Cannot overwrite", "only once"),
    ("run --profile open.toml", "profile open.toml: not TOML: ", "end of document"),
    ("profiles show folder", "profile folder: is a folder", ""),
    ("run --profile ~nobody-here.toml", "profile ~nobody-here.toml: no such profile or file", ""),
    ("run --data ~nobody-here.jsonl --profile cpu-smoke", "~nobody-here.jsonl: no such file", ""),
    ("run --model ~nobody-here --profile cpu-smoke", "model ~nobody-here: no such folder", ""),
    ("run ~nobody-here.jsonl", "~nobody-here.jsonl: run takes", "--data '~nobody-here.jsonl'? See"),
    ("chat ~nobody-here", "~nobody-here: no such folder", ""),
    ("report answers.jsonl", "answers.jsonl: is a file; give a run's folder", ""),
    ("report nowhere", "nowhere: is not there; give a run's folder", ""),
    ("report", "runs: holds no run; begin one, or give a run's folder", ""),
    ("chat", "missing argument 'RUN-DIR|FOLDER'", "See smolsft-autotune chat --help"),
    ("trian", "no such command 'trian'", "See smolsft-autotune --help"),
    ("eval", "give a model or --responses FILE", ""),
    ("eval toy --responses x.jsonl", "one of the two", ""),
    ("eval answers.jsonl", "is a file; give the folder", "did you mean --responses answers.jsonl?"),
    (
        "eval --responses folder",
        "--responses folder: is a folder; give a file of answers (.jsonl, .csv,",
        "",
    ),
    ("eval --responses answers.jsonl --samples folder", "--samples folder: is a folder", ""),
    ("eval --responses answers.jsonl --samples a/b", "--samples a/b: its folder a is not", ""),
    ("eval --responses answers.jsonl --baseline none", "none: no such file or folder", ""),
    ("eval compare folder answers.jsonl", "folder: no answers are here", ""),
    (
        "eval --responses answers.jsonl --prompts math.jsonl --profile cpu-smoke",
        "math.jsonl:1: has an answer; prompts with answers are for --scorer exact",
        "",
    ),
    (
        "eval --responses numbers.jsonl --profile cpu-smoke",
        "numbers.jsonl:1: response is 7: must be a text, or null",
        "",
    ),
    (
        "eval compare answers.jsonl others.jsonl --profile cpu-smoke",
        "answers.jsonl and others.jsonl answer none of the toy prompts; give the prompts that",
        "with --prompts FILE",
    ),
    (
        "eval compare answers.jsonl others.jsonl --profile cpu-smoke --scorer exact",
        "--scorer exact: the toy prompts have no answers",
        "--prompts FILE, one {prompt, answer} a line",
    ),
    ("probe --plan --vram-budget 900GiB", "has 8GiB; give at most that", ""),
]
"""A whole command line, how its line begins, and what it ends in."""

EARLY = [
    ("run --data empty.jsonl", "empty.jsonl: no conversations: found an empty file"),
    ("probe --data short.json", "short.json"),
    ("inspect --data empty.jsonl", "empty.jsonl: no conversations: found an empty file"),
    ("run --prompts empty.jsonl", "empty.jsonl: no prompts"),
    ("probe --prompts chats.jsonl", "chats.jsonl:1: unknown key 'messages'"),
    ("inspect --prompts chats.jsonl", "chats.jsonl: no record has a text under 'prompt'"),
    ("eval toy --prompts empty.jsonl", "empty.jsonl: no prompts"),
    ("run --scorer exact", "--scorer exact: the toy prompts have no answers; give your own with"),
    ("eval toy --scorer exact", "--scorer exact: the toy prompts have no answers"),
    ("run --holdout --prompt-limit 1", "holdout of 1 prompt: needs at least 2; leave --holdout"),
    ("run --model small", "model folder small: model.safetensors is missing"),
    ("eval small", "model folder small: model.safetensors is missing"),
]
"""What is at fault before anything runs: a worker would have built the toy in the cache."""


def refusal(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command line is refused with: on standard error alone, and in one line."""
    assert run(shlex.split(line)) == ExitCode.BAD_INPUT
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    assert "Usage" not in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    return captured.err.strip()


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("line", "begin", "end"),
    [(f"run --profile cpu-smoke {added}", begin, end) for added, begin, end in VALUES] + PATHS,
)
def test_a_mistake_is_one_line_with_the_value_the_rule_and_what_was_meant(
    line: str, begin: str, end: str, capsys: pytest.CaptureFixture[str]
) -> None:
    error = refusal(line, capsys)
    assert begin in error
    assert end in error[error.index(begin) + len(begin) :]


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("line", "said"), EARLY)
def test_a_file_at_fault_is_found_before_a_worker_is_started_and_leaves_nothing(
    line: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refusal(f"{line} --profile cpu-smoke", capsys)
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("run --model nobody/nothing", "model nobody/nothing: the Hugging Face hub cannot be"),
        ("run --model nobody/nothing --dry-run", "model nobody/nothing: the Hugging Face hub"),
        ("probe --model nobody/nothing", "model nobody/nothing: the Hugging Face hub cannot be"),
        ("inspect --model nobody/nothing", "model nobody/nothing: the Hugging Face hub cannot be"),
        ("eval nobody/nothing", "model nobody/nothing: the Hugging Face hub cannot be reached"),
        ("synth nobody/nothing", "model nobody/nothing: the Hugging Face hub cannot be reached"),
        ("run --model here/nothing", "model here/nothing: no such path here, and the Hugging Face"),
        ("run --data nobody/chats", "data nobody/chats: the Hugging Face hub cannot be reached"),
        ("run --model ./none --data nobody/chats", "model ./none: no such folder"),
        ("run --model nobody/nothing --data ./none.jsonl", "data ./none.jsonl: no such file"),
    ],
)
def test_a_model_that_is_out_of_reach_is_missed_before_anything_is_fetched(
    line: str,
    named: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fetched: list[str] = []
    (tmp_path / "here").mkdir()
    monkeypatch.setattr("autotune.sources.hub.hub_is_reachable", lambda: False)
    for name in ("run.setup.resolve_prompts", "run.setup.resolve_model", "run.setup.resolve_data"):
        monkeypatch.setattr(f"autotune.{name}", lambda text, *_: fetched.append(text))
    code = run([*shlex.split(line), "--profile", "cpu-smoke", "--prompts", "ifeval"])
    assert code in (ExitCode.BAD_INPUT, ExitCode.ENVIRONMENT)
    assert capsys.readouterr().err.startswith(f"smolsft-autotune: {named}")
    assert fetched == [] and not (tmp_path / "runs").exists()


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("command", ["inspect", "probe --plan"])
def test_a_length_above_the_models_positions_is_refused_by_every_command_alike(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*shlex.split(command), "--model", "small", "--model-max-length", "256"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "--model-max-length 256: small has positions for 128 tokens; give at most that" in said


def test_a_group_alone_prints_its_help_as_the_program_alone_greets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["profiles"]) == ExitCode.DONE
    alone = capsys.readouterr()
    assert run(["profiles", "--help"]) == ExitCode.DONE
    assert alone == capsys.readouterr()
    assert alone.err == "" and alone.out.startswith("Usage: smolsft-autotune profiles")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ({"device": "CPU", "precision": "FP32"}, {"device": "cpu", "precision": "fp32"}),
        ({"vram_budget": "AUTO", "format": "Messages"}, {"budget": "auto", "format": "messages"}),
        ({"max_rounds": "ALL", "prompt_limit": "All"}, {"max_rounds": "all", "limit": "all"}),
        ({"supervision": "Course", "truncation": "LEFT"}, {"supervision": "course"}),
        ({"think": "Strip"}, {"think": "strip"}),
        ({"model": "TOY", "data": "Demo", "prompts": "IFEval"}, {"source": "toy"}),
        ({"scorer": "IFEval", "max_conversations": "ALL"}, {"scorer": "ifeval"}),
    ],
)
def test_the_case_of_a_value_of_which_there_are_few_says_nothing(
    typed: dict[str, str], meant: dict[str, str]
) -> None:
    chosen = Options.of(typed).adjust(find_profile("CPU-Smoke")).model_dump_json()
    for name, value in meant.items():
        assert f'"{name}":"{value}"' in chosen


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ({"seed": -1, "vram_budget": "8"}, "--seed -1"),
        ({"vram_budget": "8", "precision": "fp8"}, "--vram-budget 8"),
        ({"skip_bad": -1, "max_rounds": "0"}, "--skip-bad -1"),
        ({"model": "", "format": "csv"}, "--model"),
        ({"data": "demo", "skip_bad": -1}, "--skip-bad -1"),
        ({"device": "cpu", "model_max_length": 100, "max_rounds": "0"}, "--model-max-length 100"),
    ],
)
def test_of_several_wrong_options_the_first_is_named(typed: dict[str, object], named: str) -> None:
    with pytest.raises(BadInput) as caught:
        Options.of(typed).adjust(find_profile("cpu-smoke"))
    assert str(caught.value).startswith(named)


@pytest.mark.parametrize("full", [True, False])
def test_a_full_score_does_not_end_early(full: bool) -> None:
    chosen = Options.of({"full": full}).adjust(find_profile("cpu-smoke"))
    assert chosen.evaluate.early is not full


def test_a_folder_that_is_called_like_a_source_keeps_its_case(tmp_path: Path) -> None:
    (tmp_path / "TOY").mkdir()
    assert Options.of({"model": "TOY"}).model == "TOY"


@pytest.mark.parametrize(("typed", "share"), [("25%", 0.25), ("0.25", 0.25), ("1", 1.0)])
def test_a_target_is_a_share_or_a_percentage(typed: str, share: float) -> None:
    assert read_target(typed) == share


def test_markup_and_escape_codes_in_a_path_are_printed_as_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run([*TOY, "--data", "[/x]\x1b[31m.json"]) == ExitCode.BAD_INPUT
    error = capsys.readouterr().err
    assert "[/x]" in error
    assert "\x1b" not in error


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            ["run", "--run-dir=~/chats.jsonl"],
            "--run-dir {}/chats.jsonl: is a file",
        ),
        (["run", "--enqueue=~/none.json"], "--enqueue {}/none.json"),
        (["watch", "~/chats.jsonl"], "{}/chats.jsonl: is a file; give a run's folder"),
        (["report", "~/chats.jsonl"], "{}/chats.jsonl: is a file; give a run's folder"),
        (["runs", "~/chats.jsonl"], "{}/chats.jsonl: is a file; give a folder that holds runs"),
        (["chat", "~/chats.jsonl"], "{}/chats.jsonl: is a file"),
        (["eval", "--responses=~/none.jsonl"], "--responses {}/none.jsonl: no such file"),
        (["eval", "compare", "~/none", "~/none"], "{}/none: no such file or folder"),
        (["synth", "--out=~/none/a.jsonl"], "--out {}/none/a.jsonl"),
    ],
)
def test_a_home_that_no_shell_has_read_is_the_home_in_every_path(
    line: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "chats.jsonl").write_text(json.dumps(CHAT), encoding="utf-8")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    profile = [] if line[0] in ("watch", "report", "runs", "chat") else ["--profile", "cpu-smoke"]
    assert run([*line, *profile]) == ExitCode.BAD_INPUT
    assert str(Path(said.format(home))) in str(Path(capsys.readouterr().err))
    assert not (tmp_path / "~").exists()


def test_a_folder_with_other_files_is_not_taken_for_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("three years", encoding="utf-8")
    assert run([*TOY, "--run-dir", str(tmp_path)]) == ExitCode.BAD_INPUT
    assert "holds files but no run" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.torch
def test_a_file_of_bad_data_names_its_line_before_anything_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.jsonl").write_text('{"messages": []}\n{"messages"\n', encoding="utf-8")
    code = run([*TOY, "--data", "bad.jsonl", "--model", "toy", "--run-dir", "run"])
    assert code == ExitCode.BAD_INPUT
    assert "bad.jsonl:2: not JSON" in capsys.readouterr().err
    assert not (tmp_path / "run" / "trials").exists()


def test_a_token_in_the_environment_is_in_no_message(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefghijklmnop")
    run([*TOY, "--model", "./missing"])
    captured = capsys.readouterr()
    assert "hf_abcdefghijklmnop" not in captured.out + captured.err


def test_profiles_are_listed_and_shown_as_text_and_as_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["profiles", "list"]) == ExitCode.DONE
    assert "rtx4060-laptop-8gb" in capsys.readouterr().out
    assert run(["profiles", "list", "--json"]) == ExitCode.DONE
    names = [row["name"] for row in json.loads(capsys.readouterr().out)["profiles"]]
    cards = ["nvidia", "rtx4060-laptop-8gb"]
    assert names == ["cpu-demo", "cpu-proof", "cpu-smoke", "cpu-smollm2", *cards]
    assert run(["profiles", "show", "rtx4060-laptop-8gb"]) == ExitCode.DONE
    assert "[[strategy]]" in capsys.readouterr().out
    assert run(["profiles", "show", "cpu-smoke", "--json"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["name"] == "cpu-smoke"
