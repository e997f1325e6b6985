"""What `doctor` finds on each kind of machine, by the real `pynvml` over a made-up driver."""

import json
from pathlib import Path
from typing import Any

import pytest

from autotune.base.errors import ExitCode
from tests.nvml.driver import OUTSIDE, Driver
from tests.nvml.outcomes import OUTCOMES, said_in
from tests.nvml.test_commands import CARD, play

ALONE = {"old": "", "container": OUTSIDE}
"""Scenes with another library or another namespace, and what is put before their program."""

HOLDERS = {"laptop": "17 more", "neighbour": "3.00 GiB", "container": "of this container or of its"}
"""Scenes in which others hold some of the card, and who is said to."""

USES_THE_CARD = """
from pathlib import Path
import autotune.doctor.machine as machine
from autotune.device.torch_build import TorchBuild
from autotune.doctor.examine import CHECKS
from autotune.launch import JobResult
from autotune.protocol.card_answer import CardAnswer
from tests.fakes.runner import FakeRunner

def script(job):
    answer = CardAnswer(torch="2.13.0+cu130", cuda="13.0", fused=True)
    Path(job.out).write_text(answer.model_dump_json(), encoding="utf-8")
    return (), JobResult(None, "", 0.0)

machine.SubprocessRunner = lambda: FakeRunner(script)
machine.import_torch = lambda: ""
machine.installed_build = lambda: TorchBuild("2.13.0+cu130", "13.0")
for name in ("scorer", "hub", "sources", "prompts"):  # the same on every machine, and slow
    del CHECKS[name]
"""


SCENES = [pytest.param(s, marks=pytest.mark.slow if s in ALONE else ()) for s in OUTCOMES]


class Examined:
    """What `doctor --json` prints and ends with, scene by scene; played when first asked for."""

    def __init__(self, driver: Driver, folder: Path) -> None:
        self.driver, self.folder = driver, folder
        self.found: dict[str, Any] = {}

    def __getitem__(self, scene: str) -> dict[str, Any]:
        if scene not in self.found:
            together = [scene] if scene in ALONE else [s for s in OUTCOMES if s not in ALONE]
            before = ALONE.get(scene, "") + USES_THE_CARD
            asked = {s: {"doctor": ("doctor", "--json", *CARD[:2])} for s in together}
            self.found |= play(self.driver, self.folder, asked, before)
        said: dict[str, Any] = self.found[scene]["doctor"]
        return said


@pytest.fixture(scope="module")
def examined(driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> Examined:
    return Examined(driver, tmp_path_factory.mktemp("examined"))


@pytest.mark.parametrize("scene", SCENES)
def test_what_blocks_is_what_a_command_that_computes_would_be_refused_with(
    examined: Examined, scene: str
) -> None:
    said, outcome = examined[scene], OUTCOMES[scene]
    found = {each["check"]: each for each in json.loads(said["out"])["findings"]}
    assert not [each for each in found.values() if "could not be looked at" in each["fact"]]
    blocking = [each for each in found.values() if each["state"] == "blocks"]
    if outcome.auto.startswith("budget"):
        assert (said["code"], blocking) == (ExitCode.DONE, [])
        assert said_in(outcome.auto, found["memory"]["fact"])
        assert found["torch"]["fact"].endswith(f"computes on the {outcome.card}")
    else:
        assert said["code"] == ExitCode.ENVIRONMENT
        line = "; ".join((blocking[0]["fact"], blocking[0]["remedy"]))
        # What is refused there names an option or the CPU; a finding has its own remedy last.
        assert said_in(outcome.auto.removesuffix(" ..."), line), line
        assert blocking[0]["check"] in {"card", "memory"}


HELD = [pytest.param(s, marks=pytest.mark.slow if s in ALONE else ()) for s in HOLDERS]


@pytest.mark.parametrize("scene", HELD)
def test_who_holds_the_rest_of_the_card_is_said(examined: Examined, scene: str) -> None:
    found = {each["check"]: each for each in json.loads(examined[scene]["out"])["findings"]}
    assert HOLDERS[scene] in found["memory"]["fact"]


def test_a_hot_card_is_a_note_with_a_remedy(examined: Examined) -> None:
    found = {each["check"]: each for each in json.loads(examined["hot"]["out"])["findings"]}
    assert found["clock"]["state"] == "note"
    assert "throttled by" in found["clock"]["fact"] and found["clock"]["remedy"]
