"""What `doctor` finds on each kind of machine, by the real `pynvml` over a made-up driver."""

import json
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


@pytest.fixture(scope="module")
def examined(driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `doctor --json` prints and ends with, scene by scene."""
    folder = tmp_path_factory.mktemp("examined")
    asked = {"doctor": ("doctor", "--json", *CARD[:2])}
    usual = {scene: asked for scene in OUTCOMES if scene not in ALONE}
    found = play(driver, folder, usual, USES_THE_CARD)
    for scene, before in ALONE.items():
        found |= play(driver, folder, {scene: asked}, before + USES_THE_CARD)
    return {scene: said["doctor"] for scene, said in found.items()}


@pytest.mark.parametrize("scene", OUTCOMES)
def test_what_blocks_is_what_a_command_that_computes_would_be_refused_with(
    examined: dict[str, Any], scene: str
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


@pytest.mark.parametrize("scene", HOLDERS)
def test_who_holds_the_rest_of_the_card_is_said(examined: dict[str, Any], scene: str) -> None:
    found = {each["check"]: each for each in json.loads(examined[scene]["out"])["findings"]}
    assert HOLDERS[scene] in found["memory"]["fact"]


def test_a_hot_card_is_a_note_with_a_remedy(examined: dict[str, Any]) -> None:
    found = {each["check"]: each for each in json.loads(examined["hot"]["out"])["findings"]}
    assert found["clock"]["state"] == "note"
    assert "throttled by" in found["clock"]["fact"] and found["clock"]["remedy"]
