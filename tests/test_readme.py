"""What README tells people to type, on the systems that it tells it for."""

import re
from pathlib import Path

import pytest

from autotune.device.torch_wheels import INDEXES

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


def test_the_indexes_that_readme_names_are_those_that_the_tool_names() -> None:
    named = set(re.findall(r"cu1\d\d", README))
    assert named == {index.name for index in INDEXES}
