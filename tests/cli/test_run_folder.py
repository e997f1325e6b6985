"""Which run a command goes on with: the same settings and content, wherever they lie by now."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from autotune.base.errors import BadInput, EnvironmentFault, ExitCode
from autotune.cli.main import run
from autotune.cli.options import Options
from autotune.cli.run_folder import choose_folder, store_settings, undone_if_empty
from autotune.cli.settings import settings_text
from autotune.config.profile import Profile
from autotune.protocol import events
from autotune.run.content import content_of
from autotune.run.folder import RunDir
from autotune.run.record_cache import RecordCache
from autotune.run.session import Session
from tests import records, setups
from tests.fakes.runner import FakeRunner
from tests.played import Workers
from tests.readings import counted_readings


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of data, prompts and a model, which the command is given in."""
    folder = tmp_path / "project"
    (folder / "model").mkdir(parents=True)
    for name in ("chats.jsonl", "asked.jsonl", "model/config.json", "model/tokenizer.json"):
        (folder / name).write_text(name, encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


def asked(data: str = "chats.jsonl", model: str = "model", prompts: str = "asked.jsonl") -> Profile:
    return setups.profile().model_copy(
        update={
            key: getattr(setups.profile(), key).model_copy(update={"source": source})
            for key, source in (("data", data), ("model", model), ("prompts", prompts))
        }
    )


def begun(folder: Path, project: Path, *, content: bool = True, ended: bool = False) -> RunDir:
    """A run of these settings, as it was begun in the project."""
    rundir = RunDir(folder)
    folder.mkdir(parents=True)
    store_settings(rundir, asked())
    rundir.append(records.run_started(), 1.0)
    if content:
        model = project / "model"
        now = content_of(project / "chats.jsonl", project / "asked.jsonl", "", model)
        rundir.append(now, 1.0)
    return rundir


def test_what_was_typed_means_the_same_in_every_working_directory(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(project / "run", project)
    stored = (project / "run" / "run.toml").read_text(encoding="utf-8")
    assert f'source = "{(project / "chats.jsonl").as_posix()}"' in stored.replace("\\\\", "/")
    monkeypatch.chdir(project / "model")
    assert choose_folder(Path("../run"), asked("../chats.jsonl", ".", "../asked.jsonl")) == (
        Path("../run"),
        True,
    )


@pytest.mark.parametrize("line", ["run", "run --dry-run", "probe", "synth toy", "eval toy"])
def test_a_folder_whose_name_is_no_text_is_refused_and_not_made(
    line: str, project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMOLSFT_CACHE", str(project / "cache"))
    before = sorted(project.iterdir())
    named = "r\udce4n"  # Linux' byte 0xE4, which is no UTF-8; Windows' half of a surrogate pair
    code = run([*line.split(), "--profile", "cpu-smoke", "--run-dir", named])
    assert code == ExitCode.BAD_INPUT
    assert r"--run-dir r\udce4n: its name is not valid Unicode; give another folder" in (
        capsys.readouterr().err
    )
    assert sorted(project.iterdir()) == before


def test_names_and_hub_ids_are_no_paths(project: Path) -> None:
    text = settings_text(asked("demo", "HuggingFaceTB/SmolLM2-135M", "ifeval"))
    assert 'source = "demo"' in text
    assert 'source = "HuggingFaceTB/SmolLM2-135M"' in text
    assert 'source = "ifeval"' in text


def test_a_project_that_moved_goes_on_where_its_content_is_the_same(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(project / "runs" / "one", project)
    moved = tmp_path / "moved"
    project.rename(moved)
    monkeypatch.chdir(moved)
    assert choose_folder(Path("runs/one"), asked()) == (Path("runs/one"), True)
    assert choose_folder(None, asked()) == (Path("runs/one"), True)
    (moved / "chats.jsonl").write_text("others", encoding="utf-8")
    with pytest.raises(BadInput, match="was started with other settings"):
        choose_folder(Path("runs/one"), asked())
    assert choose_folder(None, asked())[1] is False


def test_another_file_of_another_content_is_another_run(project: Path) -> None:
    begun(project / "run", project)
    (project / "more.jsonl").write_text("more", encoding="utf-8")
    with pytest.raises(BadInput, match=r'data.source = ".*chats.jsonl", now ".*more.jsonl"'):
        choose_folder(Path("run"), asked("more.jsonl"))


def test_a_run_of_another_profile_is_named_with_how_to_give_it(project: Path) -> None:
    begun(project / "run", project)
    other = asked().model_copy(update={"name": "cpu-smollm2"})
    with pytest.raises(BadInput) as caught:
        choose_folder(Path("run"), other)
    name = asked().name
    assert f"was started with profile {name}; add --profile {name}, or give" in str(caught.value)
    (project / "mine").mkdir()
    store_settings(RunDir(project / "mine"), asked().model_copy(update={"name": "mine"}))
    with pytest.raises(BadInput, match="with profile mine; add --profile with its file, or give"):
        choose_folder(Path("mine"), other)


def test_a_path_that_an_older_version_stored_as_typed_is_still_that_file(project: Path) -> None:
    rundir = begun(project / "run", project, content=False)
    text = settings_text(asked())
    for name in ("chats.jsonl", "asked.jsonl", "model"):
        whole = settings_text(asked()).split(name)[0].rsplit('"', 1)[1]
        text = text.replace(f'"{whole}{name}"', f'"{name}"')
    rundir.run_toml.write_text(text, encoding="utf-8")
    assert 'source = "chats.jsonl"' in text
    assert choose_folder(Path("run"), asked()) == (Path("run"), True)


def test_a_setting_that_an_older_version_did_not_know_has_its_default(project: Path) -> None:
    rundir = begun(project / "run", project)
    text = rundir.run_toml.read_text(encoding="utf-8")
    assert "early = true\n" in text
    rundir.run_toml.write_text(text.replace("early = true\n", ""), encoding="utf-8")
    assert choose_folder(Path("run"), asked()) == (Path("run"), True)
    rundir.run_toml.write_text(text.replace("early = true", "early = false"), encoding="utf-8")
    with pytest.raises(BadInput, match=r"\(evaluate.early = false, now true\)"):
        choose_folder(Path("run"), asked())


def test_a_setting_that_is_set_now_and_was_not_is_named_with_its_table(project: Path) -> None:
    rundir = begun(project / "run", project)
    rundir.run_toml.unlink()
    store_settings(rundir, Options(max_conversations="all").adjust(asked()))
    with pytest.raises(BadInput) as refused:
        choose_folder(Path("run"), Options(max_conversations="500").adjust(asked()))
    said = "was started with other settings (train.max_conversations not set, now 500); use those"
    assert said in str(refused.value)


def test_a_run_may_be_given_more_hours_and_another_sampler_but_no_other_strategies(
    project: Path,
) -> None:
    begun(project / "run", project)
    longer = Options(max_hours=12.0, max_trials=9, stop_at_target=False).adjust(asked())
    assert choose_folder(Path("run"), longer) == (Path("run"), True)
    other = Options(sampler="random", max_hours=12.0).adjust(asked())
    assert choose_folder(Path("run"), other) == (Path("run"), True)
    with pytest.raises(BadInput, match=r"\([^ ]+\.n_trials = 1, now 3\)"):
        choose_folder(Path("run"), Options(trials_per_strategy=3).adjust(asked()))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut_in_a_line(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-25])


def cut_between_lines(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: text.index("[evaluate.health]")], encoding="utf-8")


def no_text(path: Path) -> None:
    path.write_bytes(bytes(range(256)))


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


HARMS = [empty, cut_in_a_line, cut_between_lines, no_text, a_folder, Path.unlink]


@pytest.mark.parametrize("harm", HARMS)
def test_a_run_whose_settings_are_damaged_is_no_run_to_go_on_with(
    project: Path, harm: Callable[[Path], None]
) -> None:
    harm(begun(project / "run", project).run_toml)
    with pytest.raises(
        EnvironmentFault, match=r"run\.toml: damaged \(.*put the file back"
    ) as fault:
        choose_folder(Path("run"), asked())
    assert fault.value.exit_code == ExitCode.ENVIRONMENT
    assert "\n" not in str(fault.value)


def not_a_record(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([b"{}\n", *lines]))


@pytest.mark.parametrize("harm", [*HARMS[:-1], not_a_record])
def test_a_damaged_folder_beside_it_stops_no_run_and_is_named(
    project: Path, harm: Callable[[Path], None]
) -> None:
    begun(project / "runs" / "1-good", project)
    bad = begun(project / "runs" / "2-bad", project)
    harm(bad.events if harm is not_a_record else bad.run_toml)
    said: list[str] = []
    assert choose_folder(None, asked(), said.append) == (Path("runs/1-good"), True)
    (line,) = said
    assert line.startswith(f"passed over {Path('runs/2-bad')}: ")
    shutil.rmtree("runs/1-good")
    assert choose_folder(None, asked(), said.append)[1] is False


def test_a_folder_that_a_kill_left_with_a_lock_only_is_taken(project: Path) -> None:
    root = project / "run"
    root.mkdir()
    for name in ("run.lock", "lock.txt", ".lock.txt.0123abcd.tmp"):
        (root / name).write_text("", encoding="utf-8")
    assert choose_folder(Path("run"), asked()) == (Path("run"), False)
    (root / "mine.txt").write_text("", encoding="utf-8")
    with pytest.raises(BadInput, match="holds files but no run"):
        choose_folder(Path("run"), asked())


def test_a_run_that_is_gone_on_with_is_read_once(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(project / "runs" / "1-good", project)
    read = counted_readings(monkeypatch)
    record_cache = RecordCache()
    root, resumed = choose_folder(None, asked(), record_cache=record_cache)
    assert resumed
    with RunDir(root) as held:
        session = Session(held, FakeRunner(Workers()), history=record_cache.of(held))
        assert read == [Path("runs/1-good/events.jsonl")]
        session.emit(events.Warned(message="something came after it"))
        assert record_cache.of(held).without_steps[-1].event == events.Warned(
            message="something came after it"
        )
    assert len(read) == 2


def test_a_record_that_grew_or_went_since_it_was_read_is_read_again(project: Path) -> None:
    rundir = begun(project / "run", project)
    record_cache = RecordCache()
    before = record_cache.of(rundir)
    assert record_cache.of(rundir) is before
    rundir.append(events.Warned(message="one more"), at=2.0)
    assert len(record_cache.of(rundir).without_steps) == len(before.without_steps) + 1
    rundir.events.unlink()
    assert record_cache.of(rundir).state.run is None


def test_a_run_is_given_a_folder_of_its_own_and_a_plan_makes_none(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_790_000_000.0)
    planned, _ = choose_folder(None, asked(), make=False)
    assert not Path("runs").exists()
    found = [choose_folder(None, asked()) for _ in range(2)]
    assert found == [(planned, False), (planned.with_name(f"{planned.name}-2"), False)]


BEFORE_THE_RECORD = (
    *("prompts.jsonl", "spot_check.jsonl", "mixed-0123456789abcdef.jsonl"),
    *("work/prepare/job.json", "work/prepare/worker.log"),
)
"""What a run writes before its first record."""


@pytest.mark.parametrize("others", [(), ("notes.txt", "work/notes.txt")])
def test_a_run_that_ends_before_its_first_record_takes_along_what_it_wrote_and_no_more(
    project: Path, others: tuple[str, ...]
) -> None:
    rundir = RunDir(Path("run"))
    with pytest.raises(KeyboardInterrupt), rundir, undone_if_empty(rundir):
        store_settings(rundir, asked())
        for name in (*BEFORE_THE_RECORD, *others):
            (rundir.root / name).parent.mkdir(parents=True, exist_ok=True)
            (rundir.root / name).write_text("", encoding="utf-8")
        raise KeyboardInterrupt
    left = {p.relative_to("run").as_posix() for p in Path("run").rglob("*") if p.is_file()}
    assert left == set(others)
    assert Path("run").exists() is bool(others)


def test_what_a_killed_run_left_before_its_first_record_is_there_to_resume(project: Path) -> None:
    rundir = RunDir(Path("run"))
    with rundir:
        store_settings(rundir, asked())
    with pytest.raises(KeyboardInterrupt), rundir, undone_if_empty(rundir):
        raise KeyboardInterrupt
    assert choose_folder(Path("run"), asked()) == (Path("run"), True)
