"""Room on the disk: counted from the model's own file, told before training, refused if short."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from autotune.base.disk import Sizes, Writes, needed_bytes, sizes_of
from autotune.base.errors import EnvironmentFault, ExitCode
from autotune.protocol import events
from autotune.run.folder import RunDir
from autotune.study.cleanup import demand_disk, disk_plan
from tests import setups
from tests.played import Workers
from tests.study.test_cleanup import judge, tuner

A, B = setups.strategy("A"), setups.strategy("B")

Usage = namedtuple("Usage", "total used free")


def model(folder: Path, parameters: int) -> Path:
    """A model folder as far as the disk is concerned."""
    import numpy as np
    from safetensors.numpy import save_file

    folder.mkdir()
    half = np.zeros((2, parameters // 2), dtype=np.float16)
    save_file({"weight": half}, folder / "model.safetensors")
    (folder / "tokenizer.json").write_text("x" * 1000, encoding="utf-8")
    return folder


def test_a_run_says_what_it_needs_of_the_disk_before_it_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**10, 0, 5 * 10**9))
    tuner(tmp_path / "run", judge(), A, model=model(tmp_path / "model", 10**6)).run()
    record = [r.event for r in RunDir(tmp_path / "run").records()]
    (planned,) = [e for e in record if isinstance(e, events.Notice)]
    # 14 times 4 MB: a best, one of two scored, two whole ones, one that is written and its like
    assert planned.sentence == "disk: needs 117 MiB at most, 4.66 GiB free"
    kinds = [type(e) for e in record]
    assert kinds.index(events.Notice) < kinds.index(events.TrialStarted)


def test_a_disk_with_less_free_than_the_run_needs_is_refused_before_any_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**10, 0, 10**8))
    workers = Workers()
    run = tuner(
        tmp_path / "run", judge(), A, B, workers=workers, model=model(tmp_path / "model", 10**6)
    )
    with pytest.raises(EnvironmentFault) as fault:
        run.run()
    assert fault.value.exit_code == ExitCode.ENVIRONMENT
    assert "95 MiB free on its disk, the run needs 121 MiB at most; free disk" in str(fault.value)
    assert "\n" not in str(fault.value)
    assert workers.seen == []


def test_a_run_without_room_is_refused_before_its_probe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for the strategy to fall back on, which may be what is left after the probe."""
    session, runner = setups.session(tmp_path / "run", Workers())
    fallback = setups.strategy("minimum", fallback=True)
    asked = setups.setup(setups.profile(A, B, fallback), folder=model(tmp_path / "model", 10**6))
    (tmp_path / "run").mkdir()
    probing = disk_plan(session.rundir.root, asked, (A, B))
    assert probing is not None
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, probing.needed_bytes))
    with pytest.raises(EnvironmentFault, match=r"the run needs \d+ MiB at most; free disk space"):
        demand_disk(session, asked)
    assert runner.jobs == []
    session.emit(events.Fitted(fit=setups.fit()))  # what fits is known: the run itself looks
    demand_disk(session, asked)


def test_a_run_that_is_over_asks_nothing_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model(tmp_path / "model", 10**6)
    tuner(tmp_path / "run", judge(), A, model=folder).run()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**10, 0, 0))
    assert not tuner(tmp_path / "run", judge(), A, model=folder).run()


def test_a_run_that_goes_on_needs_only_what_is_not_there_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, folder = tmp_path / "run", model(tmp_path / "model", 10**6)
    (root / "trials").mkdir(parents=True)
    with (root / "trials" / "checkpoint").open("wb") as file:
        file.truncate(20 * 10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**10, 0, 5 * 10**9))
    tuner(root, judge(), A, model=folder).run()
    (planned,) = [r.event for r in RunDir(root).records() if isinstance(r.event, events.Notice)]
    assert planned.sentence.startswith("disk: needs 98 MiB at most")  # 20 MB of 117 MiB are there


def test_a_checkpoint_is_counted_in_fp32_whatever_the_model_file_holds(tmp_path: Path) -> None:
    folder = model(tmp_path / "model", 10**6)
    (folder / "pytorch_model.bin").write_bytes(b"x" * 5000)  # no checkpoint has one
    assert sizes_of(folder) == Sizes(weights=4 * 10**6, rest=1000)


def test_a_model_of_several_files_is_counted_whole(tmp_path: Path) -> None:
    folder = model(tmp_path / "model", 10**6)
    shutil.copyfile(folder / "model.safetensors", folder / "more.safetensors")
    assert sizes_of(folder) == Sizes(weights=8 * 10**6, rest=1000)


@pytest.mark.parametrize("data", [b"", b"short", b"\xff" * 8, b"\x02" + b"\x00" * 7 + b"[]"])
def test_a_model_file_that_cannot_be_read_is_left_to_the_worker(
    tmp_path: Path, data: bytes
) -> None:
    (tmp_path / "model.safetensors").write_bytes(data)
    assert sizes_of(tmp_path) is None
    assert sizes_of(tmp_path / "nowhere") is None


def test_more_trials_checkpoints_and_averages_never_need_less() -> None:
    sizes = Sizes(weights=100, rest=1)
    plain = Writes(trials=3, scored=5, averaged=False, answer_bytes=10)
    for other in (
        Writes(trials=4, scored=5, averaged=False, answer_bytes=10),
        Writes(trials=3, scored=6, averaged=False, answer_bytes=10),
        Writes(trials=3, scored=5, averaged=True, answer_bytes=10),
    ):
        assert needed_bytes(sizes, other) > needed_bytes(sizes, plain)
