"""Every command on every kind of machine, by the real `pynvml` over a made-up driver."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from autotune.base.errors import ExitCode
from autotune.run.folder import RunDir
from tests.cli.test_eval import GOOD, answers, asked, write_lines
from tests.nvml.driver import OUTSIDE, ROOT, Driver
from tests.nvml.outcomes import NO_DRIVER, OUTCOMES, Outcome, said_in
from tests.records import story

DOCS = ROOT / "docs" / "machines.md"
CARD = ("--profile", "rtx4060-laptop-8gb", "--model", "toy")

COMPUTES = {
    "probe": ("probe", *CARD),
    "probe --vram-budget 8GiB": ("probe", *CARD, "--vram-budget", "8GiB"),
    "probe --device cuda": ("probe", *CARD, "--device", "cuda"),
    "run": ("run", *CARD),
    "eval MODEL": ("eval", "toy", *CARD[:2], "--device", "cuda"),
}
READS = {
    "profiles list": ("profiles", "list"),
    "profiles show": ("profiles", "show", "rtx4060-laptop-8gb"),
    "eval --responses": ("eval", "--responses", "a.jsonl", "--prompts", "prompts.jsonl"),
    "eval compare": ("eval", "compare", "a.jsonl", "b.jsonl", "--prompts", "prompts.jsonl"),
}
DRAWN = {scene: {"report": ("report", "past")} for scene in ("lost-later", "linux")}
"""A report takes a second, so few of those."""

RUN = """
import contextlib, io, json, os, shutil, sys
from pathlib import Path
from autotune.cli.main import run

def said(arguments):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments)
    left = [str(path) for path in Path("runs").glob("*/*")]
    shutil.rmtree("runs", ignore_errors=True)  # else the next command would go on with it
    return {"code": code, "out": out.getvalue(), "err": err.getvalue(), "left": left}

os.chdir(folder)
found = {}
for scene, commands in scenes.items():
    if len(scenes) > 1:
        os.environ["NVML_SCENE"] = scene
    found[scene] = {name: said(list(arguments)) for name, arguments in commands.items()}
print(json.dumps(found))
"""


def play(driver: Driver, folder: Path, scenes: Mapping[str, Any], before: str = "") -> Any:
    """Exit code and text of the commands of each scene, in one process for all of them."""
    program = f"{before}\nscenes, folder = {scenes!r}, {str(folder)!r}\n{RUN}"
    return driver.asked(next(iter(scenes)), program)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to work in: answers, their prompts, and a run of the past."""
    root = tmp_path_factory.mktemp("work")
    write_lines(root / "prompts.jsonl", asked())
    write_lines(root / "a.jsonl", answers(GOOD, GOOD, GOOD, GOOD))
    write_lines(root / "b.jsonl", answers(GOOD, GOOD, GOOD, GOOD))
    past = RunDir(root / "past")
    past.root.mkdir()
    for record in story()[:1]:
        past.append(record.event, record.time)
    return root


class Played:
    """What the commands that load no torch say, scene by scene; played when first asked for."""

    def __init__(self, driver: Driver, folder: Path) -> None:
        self.driver, self.folder = driver, folder
        self.found: dict[str, Any] = {}

    def __getitem__(self, scene: str) -> dict[str, Any]:
        if scene not in self.found:
            self.found |= self.play(scene)
        said: dict[str, Any] = self.found[scene]
        return said

    def play(self, scene: str) -> dict[str, Any]:
        """The scene, with all others that share a process with it."""
        commands = {**READS, **COMPUTES}
        if scene in ALONE:
            return play(self.driver, self.folder, {scene: commands}, ALONE[scene])
        together = FEW if scene in FEW else [s for s in OUTCOMES if s not in {*FEW, *ALONE}]
        return play(self.driver, self.folder, {s: commands | DRAWN.get(s, {}) for s in together})


ALONE = {"old": "", "container": OUTSIDE}
"""Scenes with another library or another namespace, and what is put before their program."""

FEW = ("laptop", "mig", "lost", "mismatch", "gone")
SCENES = [pytest.param(s, marks=() if s in FEW else pytest.mark.slow) for s in OUTCOMES]


@pytest.fixture(scope="module")
def played(driver: Driver, folder: Path) -> Played:
    return Played(driver, folder)


@pytest.mark.parametrize("command", COMPUTES)
@pytest.mark.parametrize("scene", SCENES)
def test_a_command_that_computes_ends_before_any_work_with_what_is_in_the_way(
    played: Played, scene: str, command: str
) -> None:
    outcome = OUTCOMES[scene]
    if scene == "gone" and "cuda" in COMPUTES[command]:
        outcome = NO_DRIVER
    said = played[scene][command]
    assert said["code"] == ExitCode.ENVIRONMENT, said
    *_, last = said["err"].splitlines()
    # The torch of these tests cannot use a card that is well.
    cannot = outcome.card and f"torch ... cannot use the {outcome.card}: "
    assert said_in(cannot or outcome.auto, last), last
    assert "--device cpu" in last
    assert "--vram-budget" not in last
    assert not said["left"]


@pytest.fixture(scope="module")
def budgeted(driver: Driver, folder: Path) -> dict[str, Any]:
    """`probe` under both budgets with a torch that can use the card, up to the first worker."""
    torch = folder / "torch"
    torch.mkdir()
    (torch / "__init__.py").touch()
    version = "__version__ = '2.13.0+cu130'\ncuda = '13.0'\n"
    (torch / "version.py").write_text(version, encoding="utf-8")
    model = folder / "model"
    model.mkdir()
    (model / "config.json").write_text('{"max_position_embeddings": 512}', encoding="utf-8")
    (model / "tokenizer.json").write_text("{}", encoding="utf-8")
    (model / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")  # of no tensors
    chat = '{"prompt": "Hi", "completion": "Hello."}\n'
    (folder / "chats.jsonl").write_text(chat, encoding="utf-8")
    sources = ("--model", "model", "--data", "chats.jsonl", "--prompts", "prompts.jsonl")
    asked = ("probe", *CARD[:2], *sources)
    commands = {"auto": asked, "8GiB": (*asked, "--vram-budget", "8GiB")}
    runner = RUNNER.format(folder=str(folder))
    usual = dict.fromkeys([scene for scene in OUTCOMES if scene not in ALONE], commands)
    found = play(driver, folder, usual, runner)
    for scene, before in ALONE.items():
        found |= play(driver, folder, {scene: commands}, before + runner)
    return dict(found)


RUNNER = """
import sys
sys.path.insert(0, {folder!r})  # its torch says that it has CUDA; nothing imports it
from pathlib import Path
import autotune.cli.run
from autotune.protocol.card_answer import CardAnswer
from autotune.protocol.failure import Failure
from autotune.launch import JobResult
from tests.fakes.runner import FakeRunner

def script(job):
    if job.job != "check":
        return (), JobResult(Failure.CRASHED, "no further than here", 0.0)
    answer = CardAnswer(torch="2.13.0+cu130", cuda="13.0")
    Path(job.out).write_text(answer.model_dump_json(), encoding="utf-8")
    return (), JobResult(None, "", 0.0)

autotune.cli.run.SubprocessRunner = lambda: FakeRunner(script)
"""


@pytest.mark.parametrize("budget", ["auto", "8GiB"])
@pytest.mark.parametrize("scene", OUTCOMES)
def test_with_a_torch_that_can_use_the_card_work_begins_or_the_budget_says_why_not(
    budgeted: dict[str, Any], scene: str, budget: str
) -> None:
    line = OUTCOMES[scene].auto if budget == "auto" else OUTCOMES[scene].whole
    said = budgeted[scene][budget]
    assert said["code"] == ExitCode.ENVIRONMENT
    begun = "no further than here" in said["err"]
    assert begun is line.startswith("budget")
    assert said_in(line, said["out"] if begun else said["err"]), said


@pytest.mark.parametrize("scene", ["nonsense", "no-total"])
def test_figures_that_are_not_believed_are_said_where_work_begins(
    budgeted: dict[str, Any], scene: str
) -> None:
    assert "figures cannot be true (" in budgeted[scene]["8GiB"]["out"]
    assert "they count as unknown" in budgeted[scene]["8GiB"]["out"]


@pytest.mark.parametrize("command", READS)
@pytest.mark.parametrize("scene", SCENES)
def test_a_command_that_computes_nothing_works_on_every_machine(
    played: Played, scene: str, command: str
) -> None:
    said = played[scene][command]
    assert said["code"] == ExitCode.DONE, said
    assert said["out"]


@pytest.mark.slow
@pytest.mark.parametrize("scene", DRAWN)
def test_a_report_is_written_on_every_machine(played: Played, scene: str) -> None:
    assert played[scene]["report"]["code"] == ExitCode.DONE, played[scene]["report"]


@pytest.mark.parametrize("outcome", [*OUTCOMES.values(), NO_DRIVER])
def test_the_outcomes_stand_in_the_manual(outcome: Outcome) -> None:
    assert outcome.row in DOCS.read_text(encoding="utf-8").splitlines()


HIDDEN = """
import os
os.environ["CUDA_VISIBLE_DEVICES"] = "0,0"
"""


def test_a_card_that_the_environment_hides_is_named_as_hidden(driver: Driver, folder: Path) -> None:
    said = play(driver, folder, {"linux": COMPUTES}, HIDDEN)["linux"]
    for command in COMPUTES:
        assert said[command]["code"] == ExitCode.ENVIRONMENT
        assert "CUDA_VISIBLE_DEVICES=0,0 names a card twice" in said[command]["err"]


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.parametrize("scene", ["lost", "linux", "gone"])
def test_what_needs_no_card_computes_beside_any(driver: Driver, folder: Path, scene: str) -> None:
    few = ("--max-conversations", "8")
    commands = {
        "inspect": ("inspect", "--model", "toy", "--data", "demo", *few),
        "plan": ("probe", "--plan", *CARD),
        "probe": ("probe", "--profile", "cpu-smoke", "--run-dir", f"probed-{scene}"),
    }
    said = play(driver, folder, {scene: commands})[scene]
    assert {name: said[name]["code"] for name in commands} == dict.fromkeys(commands, 0), said


@pytest.mark.torch
@pytest.mark.slow
def test_the_demo_runs_to_its_end_beside_a_card_that_is_lost(driver: Driver, folder: Path) -> None:
    demo = {"demo": ("demo", "--toy", "--target", "0.01", "--run-dir", "demo")}
    said = play(driver, folder, {"lost": demo})["lost"]["demo"]
    assert said["code"] in {ExitCode.DONE, ExitCode.BELOW_TARGET}, said
    assert (folder / "demo" / "report.md").exists()


@pytest.mark.torch
@pytest.mark.slow
def test_eval_says_why_it_computes_on_a_cpu(driver: Driver, folder: Path) -> None:
    asked = ("eval", "toy", "--profile", "rtx4060-laptop-8gb", "--prompts", "prompts.jsonl")
    shaped = ("--max-new-tokens", "4", "--precision", "fp32", "--run-dir", "answered")
    said = play(driver, folder, {"gone": {"eval": (*asked, *shaped)}})["gone"]["eval"]
    assert said["code"] == ExitCode.DONE, said
    assert "the NVIDIA driver is installed and does not run (Driver Not Loaded)" in said["out"]
