"""A damaged record: what stands before the damage is kept, and so is everything else, aside."""

from collections.abc import Callable
from pathlib import Path

import pytest

from autotune.base.errors import EnvironmentFault, ExitCode
from autotune.base.manifest import seal
from autotune.cli.main import run
from autotune.run.folder import RunDir
from autotune.run.record_file import RecordFile
from autotune.run.salvage import salvage
from autotune.run.state import replay
from tests import records, setups
from tests.played import Workers
from tests.study.test_tuner_resume import A, B, Ended, story, tuner

LINES = [record.model_dump_json().encode() for record in records.story()]
"""A run of two trials."""

SECOND = next(at for at, line in enumerate(LINES) if b"trial_started" in line and b'"B"' in line)
"""Where the second of them begins, from 0."""


def bad_json(lines: list[bytes]) -> list[bytes]:
    return [*lines[:9], lines[9][:-5], *lines[10:]]


def other_bytes(lines: list[bytes]) -> list[bytes]:
    return [*lines[:9], lines[9][:30] + b"\xff\xfe" + lines[9][30:], *lines[10:]]


def power_cut(lines: list[bytes]) -> list[bytes]:
    return [*lines[:9], bytes(len(lines[9])), *lines[10:]]


def a_block_of_zeros(lines: list[bytes]) -> list[bytes]:
    """As a disk gives that lost a block: over the ends of lines."""
    return [*lines[:9], bytes(700) + lines[12][-20:], *lines[13:]]


def unknown(lines: list[bytes]) -> list[bytes]:
    return [*lines[:9], b'{"time":1.0,"event":{"kind":"unheard_of"}}', *lines[10:]]


def blank(lines: list[bytes]) -> list[bytes]:
    return [*lines[:9], b"", *lines[9:]]


def half_twice(lines: list[bytes]) -> list[bytes]:
    return [*lines, *lines[: len(lines) // 2]]


def half_lost(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], *lines[SECOND:]]


DAMAGES: list[tuple[Callable[[list[bytes]], list[bytes]], int, str]] = [
    (bad_json, 10, "it is not JSON"),
    (other_bytes, 10, "it is not UTF-8"),
    (power_cut, 10, "it holds NUL bytes"),
    (a_block_of_zeros, 10, "it holds NUL bytes"),
    (unknown, 10, "it has 1 fault by this version"),
    (blank, 10, "it is not JSON"),
    (half_twice, len(LINES) + 1, "a part of the file stands twice"),
    (half_lost, 3, "a part of the file"),
]


@pytest.mark.parametrize(("harm", "line", "reason"), DAMAGES)
def test_a_damaged_record_is_refused_with_the_line_and_cut_there_when_that_is_asked_for(
    tmp_path: Path, harm: Callable[[list[bytes]], list[bytes]], line: int, reason: str
) -> None:
    damaged = b"".join(each + b"\n" for each in harm(LINES))
    rundir = RunDir(tmp_path)
    rundir.events.write_bytes(damaged)
    with pytest.raises(EnvironmentFault) as fault:
        replay(rundir.records())
    if harm is half_twice:
        line = int(str(fault.value).split(":")[1])
        assert line > len(LINES)
    assert str(fault.value).startswith(f"{rundir.events}:{line}: not a record (")
    assert reason in str(fault.value)
    assert "--salvage" in str(fault.value)
    said = salvage(rundir)
    assert said.startswith(f"events.jsonl:{line} was not a record (")
    whole = harm(LINES)[: line - 1]
    assert rundir.events.read_bytes() == b"".join(each + b"\n" for each in whole)
    assert (tmp_path / "events.jsonl.damaged-1").read_bytes() == damaged
    assert [r.model_dump_json().encode() for r in rundir.records()] == whole
    assert salvage(rundir) == "events.jsonl: no line is damaged, so nothing had to be salvaged"
    assert {p.name for p in tmp_path.iterdir()} == {"events.jsonl", "events.jsonl.damaged-1"}


def test_a_second_damage_has_a_file_of_its_own(tmp_path: Path) -> None:
    rundir = RunDir(tmp_path)
    for kept in (20, 10):
        whole = b"".join(line + b"\n" for line in LINES[:kept])
        rundir.events.write_bytes(whole + b"{}\n")
        assert f"the {kept} lines before it" in salvage(rundir)
    assert (tmp_path / "events.jsonl.damaged-2").exists()


OF_CHECKPOINT = ("", "all-", "spot-check-")
"""What the names begin with of a checkpoint's answers: to the run's prompts, and to others."""


def test_what_the_record_does_not_know_any_more_is_set_aside(tmp_path: Path) -> None:
    rundir = RunDir(tmp_path)
    known = [rundir.trial_folder(0), tmp_path / "probe" / "0007"]
    known += [rundir.eval_folder(f"{which}untrained") for which in OF_CHECKPOINT]
    kept = [rundir.eval_folder(f"{which}trial-0000-step-000012") for which in OF_CHECKPOINT]
    lost = [rundir.eval_folder(f"{which}trial-0001-average-3") for which in OF_CHECKPOINT]
    for folder in (*known, *kept, *lost, rundir.trial_folder(1)):
        folder.mkdir(parents=True)
    rundir.events.write_bytes(b"".join(line + b"\n" for line in [*LINES[:SECOND], b"{}"]))
    assert "4 folders of what came after it are set aside as well" in salvage(rundir)
    assert all(folder.exists() for folder in (*known, *kept))
    assert not any(folder.exists() for folder in (*lost, rundir.trial_folder(1)))
    for folder in (*lost, rundir.trial_folder(1)):
        assert folder.with_name(f"{folder.name}.damaged-1").is_dir()
    rundir.events.write_bytes(rundir.events.read_bytes() + b"{}\n")
    assert "set aside" not in salvage(rundir)


def test_answers_stay_with_weights_that_are_there_or_a_score_and_another_training_gets_none(
    tmp_path: Path,
) -> None:
    """Of the last trial that has begun: what is trained again has the same name, and may differ."""
    rundir = RunDir(tmp_path)
    end = next(at for at, line in enumerate(LINES) if b"trial_ended" in line)
    rundir.events.write_bytes(b"".join(line + b"\n" for line in [*LINES[:end], b"{}"]))
    checkpoints = rundir.checkpoints(0)
    for name, weights in (("step-000011", b"whole"), ("step-000013", b"torn"), ("average-2", b"?")):
        (checkpoints / name).mkdir(parents=True)
        (checkpoints / name / "model.safetensors").write_bytes(weights)
        seal(checkpoints / name)
    (checkpoints / "step-000013" / "model.safetensors").write_bytes(b"toxn")
    # On record are steps 10 and 12 with their scores.
    kept, lost = ("step-000011", "step-000012"), ("step-000013", "step-000014", "average-2")
    for which in OF_CHECKPOINT:
        for name in (*kept, *lost):
            rundir.eval_folder(f"{which}trial-0000-{name}").mkdir(parents=True)
    assert "9 folders of what came after it are set aside as well" in salvage(rundir)
    left = {path.name for path in (tmp_path / "eval").iterdir() if "damaged" not in path.name}
    assert left == {f"{which}trial-0000-{name}" for which in OF_CHECKPOINT for name in kept}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    folder = tmp_path_factory.mktemp("whole")
    assert not tuner(folder, Workers(), A, B).run()
    return story(folder)


# The first training begins; a checkpoint of it is scored, which was removed since; the second is
# in the middle of its training, or one of its checkpoints is scored before another.
@pytest.mark.parametrize("kept", [2, 12, 26, 29])
def test_a_salvaged_run_comes_to_what_an_undisturbed_one_does(
    tmp_path: Path, kept: int, undisturbed: list[object]
) -> None:
    folder = tmp_path / "damaged"
    with pytest.raises(Ended):
        tuner(folder, Workers(), A, B, end_at=45).run()
    lines = RunDir(folder).events.read_bytes().splitlines(keepends=True)
    lines[kept] = b'"half a l\n'
    RunDir(folder).events.write_bytes(b"".join(lines))
    said = salvage(RunDir(folder))
    assert ("score" in said) is (kept > 2)
    again = tuner(folder, Workers(), A, B)
    assert not again.run()
    assert story(folder) == undisturbed


def test_the_end_of_a_record_is_read_from_its_end(tmp_path: Path) -> None:
    record = RecordFile(tmp_path / "events.jsonl")
    assert record.last() is None
    story_ = records.story()
    for length in (1, len(LINES)):
        record.path.write_bytes(b"".join(line + b"\n" for line in LINES[:length]) + b'{"torn')
        assert record.last() == story_[length - 1]
    record.path.write_bytes(LINES[0] + b"\n" + bytes(300_000) + b"\n")
    with pytest.raises(EnvironmentFault, match="the last line is not a record") as fault:
        record.last()
    assert "NUL" in str(fault.value)


def test_salvaging_needs_the_name_of_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", "--salvage"]) == ExitCode.BAD_INPUT
    assert "--run-dir" in capsys.readouterr().err


def test_the_damaged_record_of_practice_data_is_mended_by_what_its_command_has(
    tmp_path: Path,
) -> None:
    rundir = RunDir(tmp_path)
    (tmp_path / "practice" / "model").mkdir(parents=True)
    rundir.events.write_bytes(b"".join(each + b"\n" for each in unknown(LINES)))
    with pytest.raises(EnvironmentFault) as fault:
        replay(rundir.records())
    assert "--salvage" not in str(fault.value), "synth has no such option"
    remedy = "move this file away and give the same synth command again, --run-dir"
    assert remedy in str(fault.value)


def test_where_no_run_is_there_is_nothing_to_salvage_and_none_is_begun(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    for named in (tmp_path / "nosuch", tmp_path / "empty"):
        assert run(["run", "--salvage", "--run-dir", str(named)]) == ExitCode.BAD_INPUT
        said = capsys.readouterr()
        assert f"{named}: holds no run, so there is nothing to salvage; " in said.err
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


def test_records_of_trials_that_have_not_begun_are_a_part_that_is_missing(tmp_path: Path) -> None:
    session, _ = setups.session(tmp_path, Workers())
    session.emit(records.evaluated(3, records.checkpoint(3, 12, 1.0), 5))
    with pytest.raises(EnvironmentFault, match="of trial 3, which has not begun"):
        replay(session.rundir.records())
