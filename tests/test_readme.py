"""What README tells people to type, on the systems that it tells it for."""

import re
from pathlib import Path

import pytest

from autotune.config.load import list_profiles
from autotune.device.torch_wheels import INDEXES
from autotune.protocol.result_text import health_text, points_text, score_text
from autotune.protocol.results import Health
from autotune.protocol.scores import Lift, Metric

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The blocks of commands in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_windows_has_its_own_block_for_the_first_result_and_for_the_card() -> None:
    first, card = blocks("powershell")
    assert first.rstrip().endswith("smolsft-autotune demo")
    assert "smolsft-autotune probe" in card


@pytest.mark.parametrize("foreign", ["&&", "||", "source ", "export ", "python3", "/bin/", "\\\n"])
def test_windows_powershell_5_knows_every_word_of_its_blocks(foreign: str) -> None:
    assert [block for block in blocks("powershell") if foreign in block] == []


def test_the_line_of_a_score_that_is_explained_is_written_as_a_real_one() -> None:
    health = Health(stop=0.96, loop=0.0, echo=0.04, empty=0.0, vacuous=0.0)
    genuine, shuffled = (
        Metric.of(5, 24),
        Metric.of(176, 1000),
    )
    lift = Lift(genuine=genuine, shuffled=shuffled, p_value=0.2)
    score = score_text(Metric.of(6, 24), (0.12, 0.449))
    assert f"after training: {score}, {health_text(health, lift)}\n" in README
    assert f"- **lift {points_text(lift)}**" in README


def test_the_indexes_that_readme_names_are_those_that_the_tool_names() -> None:
    named = set(re.findall(r"cu1\d\d", README))
    assert named == {index.name for index in INDEXES}


def test_each_cpu_profile_is_named_with_where_it_truncates_answers() -> None:
    _, _, sentence = README.partition("CPU profiles truncate answers: ")
    said = re.findall(r"`(cpu-\w+)` (?:at|allows)\s+(\d+)", sentence.partition("add `--max")[0])
    caps = {p.name: p.evaluate.max_new_tokens for p in list_profiles() if p.name.startswith("cpu-")}
    assert {name: int(cap) for name, cap in said} == caps
