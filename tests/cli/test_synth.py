"""`synth`: what a person reads who typed something wrong, and which folder it works in."""

import json
import shlex
from pathlib import Path

import pytest
from rich.console import Console

from autotune.base.errors import BadInput, ExitCode
from autotune.base.format import quoted
from autotune.cli.folder_work import PRACTICE, RUN
from autotune.cli.main import run
from autotune.cli.options import Options
from autotune.cli.run_folder import choose_folder, store_settings
from autotune.cli.synth_copy import copied, demand_own_copy
from autotune.cli.synth_made import next_steps, report_made
from autotune.cli.synth_model import model_to_ask
from autotune.config.load import find_profile
from autotune.config.profile import Profile
from autotune.protocol.events import RunEvent
from autotune.run.folder import RunDir
from autotune.run.practice import CHATS
from autotune.sources.digest import sha256_of_text
from autotune.synth.card_file import CARD, README, card_of
from tests import setups
from tests.practice import CARD_MADE, MADE, STARTED
from tests.sources.test_model import safetensors


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMOLSFT_CACHE", str(tmp_path / "cache"))
    Path("chats.jsonl").write_text('{"messages": []}\n', encoding="utf-8")
    Path("other").mkdir()
    Path("other/thesis.txt").write_text("three years", encoding="utf-8")
    Path("run").mkdir()
    Path("run/run.toml").write_text("name = 1\n", encoding="utf-8")


WRONG = [
    ("chats.jsonl", "synth chats.jsonl: is a file; give the folder that holds"),
    ("toy --from run", "synth toy --from run: takes one model; leave out one of the two"),
    ("--from missing", "--from missing: no such folder; give a checkpoint, or the folder of a run"),
    ("--from chats.jsonl", "--from chats.jsonl: is a file; give the folder of a checkpoint"),
    ("--from run", "--from run: this run has no best checkpoint yet; resume it with --run-dir run"),
    ("--from other", "--from: model folder other: model.safetensors is missing"),
    ("toy --tasks 0", "--tasks 0: must be a whole number from 1 to 20000"),
    ("toy --tasks 100000000", "--tasks 100000000: must be a whole number from 1 to 20000"),
    (
        "toy --variants 9 --held-out-kinds 9",
        "--variants 9: must be a whole number from 1 to 8; and --held-out-kinds 9: must be",
    ),
    ("toy --tasks 1k", "--tasks 1k: must be a whole number; did you mean 1024?"),
    ("toy --ask rules", "--ask rules: must be task or variant"),
    ("toy --max-words 24", "--max-words 24: must be a whole number from 25, or all"),
    ("toy --temperature hot", "--temperature hot: must be a number"),
    ("toy --temperature nan", "--temperature nan: must be above 0"),
    ("toy --top-p 95", "--top-p 95.0: must be above 0 and at most 1"),
    ("toy --max-new-tokens 8", "--max-new-tokens 8: must be a whole number from 64"),
    ("toy --max-conversations 0", "--max-conversations 0: must be a whole number from 1, or all"),
    ("toy --held-out-kinds 8", "held_out_kinds 8: must be at least 0, and leave"),
    ("toy --variants 500", "--variants 500: must be a whole number from 1 to 8"),
    ("toy --set synth.taks=3", "--set synth.taks=3: no such key; did you mean tasks?"),
    ("toy --out other", "--out other: is a folder; give the name of a file to write"),
    ("toy --out no/f.jsonl", "--out no/f.jsonl: its folder no is not there"),
    ("toy --out notes.md", "--out notes.md: must end in .jsonl, which is what is written"),
    (
        "toy --out chats.jsonl",
        "--out chats.jsonl: is there already and is not a copy of the practice data in runs",
    ),
    ("toy --prompts none.jsonl", "prompts none.jsonl: no such file"),
    ("toy --run-dir other", "--run-dir other: holds files but no run"),
    ("toy --data chats.jsonl", "--data: synth has no such option"),
]


@pytest.mark.parametrize(("line", "said"), WRONG)
def test_a_mistake_is_one_line_and_leaves_nothing(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["synth", *shlex.split(line), "--profile", "cpu-smoke"]) == ExitCode.BAD_INPUT
    error = capsys.readouterr().err
    assert error.startswith(f"smolsft-autotune: {said}")
    assert error.count("\n") == 1
    assert not Path("runs").exists()
    assert not Path("cache").exists()


def test_every_setting_of_practice_is_explained_with_the_model_that_was_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = ["synth", "toy", "--samples", "4", "--explain", "--json", "--profile", "cpu-smollm2"]
    assert run(line) == ExitCode.DONE
    rows = {r["setting"]: r for r in json.loads(capsys.readouterr().out)["settings"]}
    assert (rows["synth.samples"]["value"], rows["synth.samples"]["origin"]) == (4, "--samples")
    assert rows["synth.tasks"]["origin"] == "default"
    assert rows["model.source"]["value"] == "toy"


def test_a_run_means_its_best_checkpoint_and_a_checkpoint_itself() -> None:
    for folder in ("run/best", "run/trials/0000/checkpoints/step-000004"):
        Path(folder).mkdir(parents=True)
        (Path(folder) / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
        (Path(folder) / "tokenizer.json").write_text("{}", encoding="utf-8")
        (Path(folder) / "model.safetensors").write_bytes(safetensors())
        assert model_to_ask(None, Path(folder)) == str(Path(folder))
    assert model_to_ask(None, Path("run")) == str(Path("run/best"))
    assert model_to_ask("toy", None) == "toy"
    assert model_to_ask(None, None) is None


def asked(**options: object) -> Profile:
    return Options.of(options).adjust(find_profile("cpu-smoke"))


def recorded(folder: str, *found: RunEvent, profile: Profile | None = None) -> Path:
    """A folder with these events on record, asked for by a profile."""
    with RunDir(Path(folder)) as rundir:
        store_settings(rundir, profile or asked())
        session, _ = setups.session(rundir.root, lambda job: ([], setups.done()))
        for event in found:
            session.emit(event)
    return Path(folder)


def test_unfinished_practice_data_is_taken_up_again_and_finished_is_not() -> None:
    recorded("runs/1_synth", STARTED)
    assert choose_folder(None, asked(), work=PRACTICE) == (Path("runs/1_synth"), True)
    recorded("runs/1_synth", MADE)
    folder, resumed = choose_folder(None, asked(), work=PRACTICE)
    assert not resumed
    assert folder.name.endswith("_synth-toy")
    assert choose_folder(Path("runs/1_synth"), asked(), work=PRACTICE)[1]


def test_practice_data_is_no_model_to_ask() -> None:
    folder = recorded("runs/1_synth", STARTED, MADE)
    with pytest.raises(BadInput, match=r"--from runs.1_synth: holds practice data, not a run with"):
        model_to_ask(None, folder)


def test_a_copy_of_the_same_practice_data_may_be_replaced_until_somebody_changes_it() -> None:
    out, first = Path("mine.jsonl"), "a chat\n"
    of_first = MADE.model_copy(update={"sha256": sha256_of_text(first)})
    folder = recorded("runs/1_synth", STARTED, of_first, STARTED, MADE)
    demand_own_copy(out, folder)
    out.write_text(first, encoding="utf-8", newline="")
    demand_own_copy(out, folder)
    with out.open("a", encoding="utf-8") as file:
        file.write("by hand\n")
    with pytest.raises(BadInput, match=r"--out mine.jsonl: is there already and is not a copy of"):
        demand_own_copy(out, folder)


def test_a_run_and_practice_data_do_not_take_up_each_others_folders() -> None:
    begun = setups.setup(asked()).started(0.25, resumed=False)
    recorded("runs/1_synth", STARTED)
    recorded("runs/2_run", begun, STARTED)
    assert choose_folder(None, asked()) == (Path("runs/2_run"), True)
    assert choose_folder(None, asked(), work=PRACTICE) == (Path("runs/1_synth"), True)
    for folder, work, said in (
        ("runs/1_synth", RUN, "holds practice data, not a run; give another folder"),
        ("runs/2_run", PRACTICE, "holds a run, not practice data; give another folder"),
    ):
        with pytest.raises(BadInput, match=f"--run-dir {folder}: {said}"):
            choose_folder(Path(folder), asked(), work=work)


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        ({"tasks": 900}, None),
        ({"samples": 4}, None),
        ({"most_chats": "100"}, None),
        ({"max_hours": 1.0}, None),
        ({"temperature": 0.5}, "(synth.temperature = 0.7, now 0.5)"),
        ({"sampled_tokens": 100}, "(synth.max_new_tokens = 320, now 100)"),
        ({"seed": 3}, "(train.seed = 42, now 3)"),
        ({"model": "demo"}, '(model.source = "toy", now "demo")'),
    ],
)
def test_more_of_the_same_may_be_asked_for_and_nothing_else(
    options: dict[str, object], changes: str | None
) -> None:
    folder = recorded("practice", STARTED)
    if changes is None:
        assert choose_folder(folder, asked(**options), work=PRACTICE) == (folder, True)
        return
    with pytest.raises(BadInput, match="--run-dir practice: was started with other settings") as e:
        choose_folder(folder, asked(**options), work=PRACTICE)
    assert changes in str(e.value)


def test_the_next_command_names_the_file_and_the_profile_and_none_is_offered_for_no_chats() -> None:
    data = Path("my data.jsonl")
    steps = next_steps(Options(profile="mine.toml"), CARD_MADE, data, 4)
    assert "smolsft-autotune run --profile mine.toml --data" in steps[1]
    assert "my data.jsonl" in steps[2]
    proof = next_steps(Options(profile="cpu-proof"), CARD_MADE, Path("chats.jsonl"), 4, "E")
    assert proof[1].endswith("run --profile cpu-proof --set E.data=chats.jsonl")
    none = CARD_MADE.model_copy(
        update={"counts": CARD_MADE.counts.model_copy(update={"kept": 0, "words": None})}
    )
    (why,) = next_steps(Options(), none, data, 4)
    assert why.startswith("no chat came of it") and "smolsft-autotune" not in why


def test_the_toy_which_answers_with_stock_phrases_is_not_asked_for_more_of_them() -> None:
    none = CARD_MADE.model_copy(
        update={"counts": CARD_MADE.counts.model_copy(update={"kept": 0, "words": None})}
    )
    (why,) = next_steps(Options(model="toy", profile="cpu-smoke"), none, Path("data.jsonl"), 4)
    assert why.startswith("no chat came of it: the toy answers with a few stock phrases")
    assert why.endswith("ask a language model: smolsft-autotune synth --profile cpu-smoke demo")


def test_a_place_for_the_copy_that_takes_no_file_is_refused_before_anything_is_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refused)
    line = ["synth", "toy", "--out", "mine.jsonl", "--profile", "cpu-smoke"]
    assert run(line) == ExitCode.BAD_INPUT
    said = capsys.readouterr().err
    assert "--out mine.jsonl: nothing can be written to" in said
    assert "(Permission denied); give a file in another folder" in said
    assert not Path("runs").exists()


def test_fewer_chats_than_one_batch_are_said_to_teach_nothing_before_the_next_command() -> None:
    few, *others = next_steps(Options(), CARD_MADE, Path("few.jsonl"), 8)
    assert few.startswith("so few teach nothing: 5 chats do not fill one batch of any strategy (8")
    assert others == next_steps(Options(), CARD_MADE, Path("few.jsonl"), 5)


def test_the_next_command_trains_the_model_that_was_asked_with_what_was_typed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = Options(
        profile="my profile.toml",
        model="runs/1/best",
        prompts="mine.jsonl",
        seed=7,
        device="cpu",
        changes=["train.held_out=0", "study.max_trials=2"],
        run_dir=Path("there"),
        tasks=40,
        sampled_tokens=100,
        as_json=False,
    )
    made = tmp_path / "a long name of a folder, as long as those of runs are" / "model"
    made.mkdir(parents=True)
    (made / CARD).write_text(CARD_MADE.model_dump_json(), encoding="utf-8")
    session, _ = setups.session(tmp_path / "run", lambda job: ([], setups.done()))
    session.emit(MADE)
    report_made(Console(width=80), typed, asked(), None, session, made)
    (line,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith("to train on it: ")]
    assert line.removeprefix("to train on it: ") == " ".join(
        map(
            quoted,
            [
                *("smolsft-autotune", "run", "--profile", "my profile.toml"),
                *("--model", "runs/1/best", "--prompts", "mine.jsonl", "--device", "cpu"),
                *("--seed", "7", "--set", "train.held_out=0", "--set", "study.max_trials=2"),
                *("--data", str(made / CHATS)),
            ],
        )
    )


def test_a_copy_has_its_card_beside_it(tmp_path: Path) -> None:
    for name in (CARD, README, CHATS):
        (tmp_path / name).write_text(name, encoding="utf-8")
    assert copied(tmp_path, Path("mine.jsonl")) == Path("mine.jsonl")
    beside = {p.name: p.read_text(encoding="utf-8") for p in Path().glob("mine.*")}
    assert beside == {"mine.jsonl": CHATS, "mine.card.json": CARD, "mine.card.md": README}
    assert card_of(Path("mine.jsonl")) == Path("mine.card.json")
