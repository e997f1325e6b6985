"""A run that another process works at, as its folder shows it to one that only looks."""

import os
import time
from pathlib import Path

import psutil
import pytest

from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.run.folder import RunDir
from autotune.run.follow import FollowedRun
from autotune.run.overview import Standing, overview
from autotune.run.state import replay
from tests import records as book


def lines_of(found: list[Record]) -> str:
    return "".join(record.model_dump_json() + "\n" for record in found)


def on_record(found: list[Record]) -> list[Record]:
    """What of these a run writes down: no phases and no counts of answers."""
    return [r for r in found if not isinstance(r.event, events.Phase | events.Answered)]


def test_a_record_is_folded_in_as_it_grows_whole_line_by_whole_line(tmp_path: Path) -> None:
    told = on_record(book.training(7))
    text = lines_of(told)
    half = len(text) // 2
    rundir = RunDir(tmp_path)
    followed = FollowedRun(rundir)
    assert list(followed.poll()) == []
    rundir.events.write_text(text[:half], encoding="utf-8", newline="\n")
    first = list(followed.poll())
    with rundir.events.open("a", encoding="utf-8", newline="\n") as file:
        file.write(text[half:])
    assert [*first, *followed.poll()] == told
    assert followed.state == replay(told)
    assert list(followed.poll()) == []


def test_answers_are_counted_where_they_are_written(tmp_path: Path) -> None:
    told = on_record(book.until(book.story(), events.Trained))
    ready = events.Ready(pid=1, device="CPU", transformers="5.24.0")
    rundir = RunDir(tmp_path)
    rundir.events.write_text(lines_of(told), encoding="utf-8", newline="\n")
    place = rundir.eval_folder("trial-0000-step-000010")
    place.mkdir(parents=True)
    followed = FollowedRun(rundir, lambda: told[-1].time + 30)
    (place / "responses.jsonl").write_text("{}\n" * 3, encoding="utf-8", newline="\n")
    list(followed.poll())
    assert followed.state.answered is None, "what is left from before is no pace of now"
    rundir.append(ready, told[-1].time + 20)
    (place / "decided.jsonl").write_text("{}\n{", encoding="utf-8", newline="\n")
    *_, last = followed.poll()
    assert isinstance(last.event, events.Answered)
    assert (last.event.done, last.event.total) == (4, book.PROMPTS)
    assert (last.event.seconds, last.event.before) == (10.0, 0)
    assert list(followed.poll()) == []


def answering(told: list[Record], folder: Path, place: str, done: int) -> events.Answered:
    """What is seen of a run with this record, a worker and so many lines in the file of answers."""
    rundir = RunDir(folder)
    rundir.events.write_text(lines_of(told), encoding="utf-8", newline="\n")
    at = rundir.eval_folder(place)
    at.mkdir(parents=True)
    (at / "responses.jsonl").write_text("{}\n" * done, encoding="utf-8", newline="\n")
    last = told[-1].time if told else 0.0
    rundir.append(events.Ready(pid=1, device="CPU", transformers="5.24.0"), last + 20)
    *_, found = FollowedRun(rundir, lambda: last + 30).poll()
    assert isinstance(found.event, events.Answered)
    return found.event


def test_all_prompts_at_the_end_are_counted_as_such(tmp_path: Path) -> None:
    told = on_record(book.story()[:-1])
    all_prompts = events.Notice(about="in_full", sentence="all prompts")
    told.append(Record(time=told[-1].time, event=all_prompts))
    RunDir(tmp_path).all_prompts.write_text("{}\n" * 541, encoding="utf-8", newline="\n")
    best = replay(told).best
    assert best is not None
    name = f"all-trial-{best.number:04d}-{best.checkpoint.name}"
    found = answering(told, tmp_path, name, 300)
    assert (found.done, found.total) == (300, 541)


def test_a_spot_check_and_an_evaluation_by_itself_are_counted_as_well(tmp_path: Path) -> None:
    told = on_record(book.until(book.story(), events.Fitted))
    told += [r for r in book.story() if isinstance(r.event, events.BaselineScored)]
    rundir = RunDir(tmp_path)
    rundir.spot_check.write_text("{}\n" * 24, encoding="utf-8", newline="\n")
    found = answering(told, tmp_path, "spot-check-untrained", 10)
    assert (found.done, found.total) == (10, 24)
    alone = RunDir(tmp_path / "alone")
    alone.root.mkdir()
    alone.prompts.write_text("{}\n" * 60, encoding="utf-8", newline="\n")
    found = answering([], alone.root, "model", 7)
    assert (found.done, found.total) == (7, 60)


def test_a_run_that_was_resumed_may_have_answers_of_before_and_gives_no_pace(
    tmp_path: Path,
) -> None:
    told = on_record(book.until(book.story(), events.Trained))
    resumed = Record(time=told[-1].time + 10, event=book.run_started())
    ready = events.Ready(pid=1, device="CPU", transformers="5.24.0")
    rundir = RunDir(tmp_path)
    told += [resumed, Record(time=resumed.time + 20, event=ready)]
    rundir.events.write_text(lines_of(told), encoding="utf-8", newline="\n")
    place = rundir.eval_folder("trial-0000-step-000010")
    place.mkdir(parents=True)
    (place / "responses.jsonl").write_text("{}\n" * 20, encoding="utf-8", newline="\n")
    *_, last = FollowedRun(rundir, lambda: told[-1].time + 1).poll()
    assert isinstance(last.event, events.Answered)
    assert (last.event.done, last.event.before) == (20, None)


def test_looking_writes_nothing_and_takes_no_lock(tmp_path: Path) -> None:
    rundir = RunDir(tmp_path)
    with rundir:
        rundir.events.write_text(lines_of(on_record(book.training())), encoding="utf-8")
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
        followed = FollowedRun(RunDir(tmp_path))
        list(followed.poll())
        found = overview(tmp_path)
        assert followed.is_running
        assert found is not None and found.standing is Standing.RUNNING
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert not followed.is_running


def test_a_record_that_was_cut_is_read_again_and_damage_is_passed_over(tmp_path: Path) -> None:
    told = on_record(book.training(7))
    rundir = RunDir(tmp_path)
    rundir.events.write_text(
        lines_of(told) + "no record\n" + lines_of(told[-1:]), encoding="utf-8", newline="\n"
    )
    followed = FollowedRun(rundir)
    assert len(list(followed.poll())) == len(told) + 1
    assert followed.passed_over == 1
    rundir.events.write_text(lines_of(told[:-2]), encoding="utf-8", newline="\n")
    assert list(followed.poll()) == told[:-2]
    assert followed.state == replay(told[:-2])


@pytest.mark.parametrize(
    ("words", "age_seconds", "running"),
    [
        (f"process {os.getpid()}, since now\n", 0, True),
        (f"process {os.getpid()}, since long\n", 86_400, False),
        ("process 4194300, since now\n", 0, False),
        ("", 0, False),
        ("process\n", 0, False),
        ("process many, since\n", 0, False),
    ],
    ids=["alive", "its number is another's now", "gone", "empty", "short", "no number"],
)
def test_a_run_is_running_while_the_process_that_holds_it_is_there(
    tmp_path: Path, words: str, age_seconds: int, running: bool
) -> None:
    if "4194300" in words and psutil.pid_exists(4194300):
        pytest.skip("there is such a process")
    holder = tmp_path / "lock.txt"
    holder.write_text(words, encoding="utf-8")
    when = time.time() - age_seconds
    os.utime(holder, (when, when))
    assert RunDir(tmp_path).is_worked_at is running
