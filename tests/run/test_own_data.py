"""A strategy may train on other conversations than the run: its rows, its record, its refusals."""

import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from autotune.base.errors import BadInput, EnvironmentFault
from autotune.cli.inspect import left_out_lines
from autotune.cli.settings import difference, settings_text
from autotune.config.load import profiles_folder, read_profile
from autotune.config.own_data import by_data, data_of, strategy_of
from autotune.config.profile import Profile
from autotune.config.study import Search, StudyChoice
from autotune.fit.all_data import most_rounds, whole_rounds
from autotune.fit.estimate import strategy_fit
from autotune.fit.probe import Probe
from autotune.fit.requested_points import used_notes
from autotune.fit.resolve import resolve_plan, usable_strategies
from autotune.protocol import events
from autotune.protocol.events import Content
from autotune.protocol.job import DeviceSpec, Job, SurveyJob, TrialJob
from autotune.protocol.plan import Strategy
from autotune.report.build import report_of
from autotune.report.facts import ran_with
from autotune.run.content import content_of, demand_same, is_recorded, recorded_content
from autotune.run.fingerprint import fingerprint
from autotune.run.folder import RunDir
from autotune.run.inputs import demand_data
from autotune.run.setup import Setup
from autotune.run.state import StudyState
from autotune.run.survey import survey_data
from autotune.run.training_data import own_sources, training_data
from autotune.score.ifeval.scorer import IFEval
from autotune.screen.header import header
from autotune.sources.dataset import DataSource
from autotune.study.chooser import Chooser
from autotune.study.run_plan import plan_run
from autotune.study.shared.settings import demand_study_content
from autotune.study.tuner import Tuner
from autotune.text.events import data_lines, describe
from tests import setups
from tests.played import EACH, Judge, Memory, Workers, fitting
from tests.screens import printed, squeezed

A = setups.strategy("A")


def own(name: str = "B", **changes: object) -> Strategy:
    return setups.strategy(name, **({"data": "more.jsonl"} | changes))


def talk(*texts: str) -> str:
    roles = ("user", "assistant")
    turns = [{"role": roles[at % 2], "content": text} for at, text in enumerate(texts)]
    return json.dumps({"messages": turns}) + "\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with the run's data, a strategy's, prompts and a model's folder."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "model" / "tokenizer.json").write_text("{}", encoding="utf-8")
    (tmp_path / "chat.jsonl").write_text(talk("why?", "so"), encoding="utf-8")
    (tmp_path / "more.jsonl").write_text(talk("how?", "thus") * 3, encoding="utf-8")
    (tmp_path / "asked.jsonl").write_text('{"key": 1, "prompt": "Why"}\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def profile(*strategies: Strategy, **data: object) -> Profile:
    chosen = setups.profile(*strategies)
    return chosen.model_copy(
        update={
            "data": chosen.data.model_copy(update={"source": "chat.jsonl"} | data),
            "prompts": chosen.prompts.model_copy(update={"source": "asked.jsonl"}),
            "model": chosen.model.model_copy(update={"source": "model"}),
        }
    )


def content(folder: Path, chosen: Profile) -> Content:
    """What a run of this profile works with now."""
    files = {name: source.path for name, source in own_sources(chosen).items()}
    data, prompts = (folder / name for name in ("chat.jsonl", "asked.jsonl"))
    return content_of(data, prompts, "", folder / "model", files)


def setup_of(folder: Path, chosen: Profile, limit_bytes: int = 2**30) -> Setup:
    """The setup of this profile, its data as `open_setup` resolves it."""
    source = DataSource(folder / "chat.jsonl", "chat.jsonl")
    now, prompts = content(folder, chosen), folder / "asked.jsonl"
    found = training_data(chosen, source, own_sources(chosen), prompts, now)
    of_run = found.pop("")
    return replace(
        setups.setup(chosen, limit_bytes),
        data=of_run.spec,
        content=now,
        scored_prompts=of_run.scored_prompts,
        own_data=found,
    )


def test_a_strategy_without_data_of_its_own_trains_on_the_runs(folder: Path) -> None:
    chosen = profile(A, own(data="chat.jsonl"), setups.strategy("C"))
    assert setup_of(folder, chosen).own_data == {}
    assert setup_of(folder, chosen).data_of("C").spec.path == str(folder / "chat.jsonl")


def test_strategies_are_shown_by_what_they_train_on(folder: Path) -> None:
    few = {"data": None, "max_conversations": 2}
    chosen = profile(A, own(), own("C", max_conversations=9), own("D", **few))
    run, *others = by_data(chosen)
    assert [s.name for s in run.strategies] == ["A", "D"]
    assert [(o.data.source, [s.name for s in o.strategies]) for o in others] == [
        ("more.jsonl", ["B", "C"])
    ]
    said = "more.jsonl of strategies B, C: --data leaves it out here"
    assert left_out_lines(others) == [said]
    assert [note.what for note in used_notes(run, 100)] == [
        "a run uses 64 of 100 conversations (max_conversations of the profile)",
        "strategy D uses 2 of 100 conversations (its max_conversations)",
    ]


def test_a_strategys_own_data_is_read_supervised_and_cut_as_the_profile_says(folder: Path) -> None:
    chosen = profile(
        own(),
        own("C", data=None, max_conversations=2),
        format="alpaca",
        skip_bad=3,
        drop_scored_prompts=True,
    )
    chosen = chosen.model_copy(
        update={"train": chosen.train.model_copy(update={"max_conversations": 7})}
    )
    setup = setup_of(folder, chosen)
    more, few = setup.data_of("B"), setup.data_of("C")
    assert more.spec == setup.data.model_copy(
        update={"path": str(folder / "more.jsonl"), "format": "auto"}
    )
    assert more.spec.max_conversations == 7
    assert more.spec.drop_prompts == str(folder / "asked.jsonl")
    assert few.spec == setup.data.model_copy(update={"max_conversations": 2})
    assert (more.label, few.label) == ("more.jsonl", "chat.jsonl (at most 2)")
    assert more.sha256 != few.sha256 == setup.run_data.sha256


def test_the_search_after_the_strategies_trains_on_what_the_first_of_them_does(
    folder: Path,
) -> None:
    search = Search(space={"weight_decay": (0.0, 0.1)})
    study = StudyChoice(max_trials=3, search=search)
    chosen = profile(own("A"), setups.strategy("B")).model_copy(update={"study": study})
    setup = setup_of(folder, chosen)
    point = search.strategy(chosen.strategies[0], {"weight_decay": 0.05})
    plan = resolve_plan(point, setups.fit(), replace(FEW, own={"A": LONG, "search": LONG}), setup)
    assert plan.data == setup.data_of("A").spec != setup.data
    assert plan.conversations == 5
    assert data_of(chosen, strategy_of(chosen, "search")).source == "more.jsonl"
    assert "search" not in setup_of(folder, profile(own("A"))).own_data


def test_data_of_a_strategy_that_is_not_tried_is_not_asked_for(folder: Path) -> None:
    study = StudyChoice(strategies=("A",))
    chosen = profile(A, own(data="none.jsonl")).model_copy(update={"study": study})
    demand_data(chosen)
    assert own_sources(chosen) == {}
    assert setup_of(folder, chosen).own_data == {}


def test_prompts_are_looked_for_in_each_data_unless_they_cannot_stand_there(folder: Path) -> None:
    chosen = profile(own(), source="demo")
    prompts = chosen.prompts.model_copy(update={"source": "demo"})
    setup = setup_of(folder, chosen.model_copy(update={"prompts": prompts}))
    assert setup.scored_prompts is None, "the demo's topics are held apart"
    assert setup.data_of("B").scored_prompts == folder / "asked.jsonl"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("none.jsonl", "strategy B: data none.jsonl: no such file; did you mean more.jsonl?"),
        ("model", "strategy B: data model: is a model's folder; give it with --model"),
        ("empty.jsonl", "strategy B: "),
    ],
)
def test_data_of_a_strategy_that_cannot_be_used_is_one_line_before_anything_is_made(
    folder: Path, data: str, said: str
) -> None:
    (folder / "empty.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(BadInput) as fault:
        demand_data(profile(A, own(data=data)))
    assert str(fault.value).startswith(said)
    assert "\n" not in str(fault.value)
    demand_data(profile(A, own()))


def test_a_dataset_of_the_hub_that_cannot_be_reached_names_the_strategy(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autotune.sources import dataset

    def out_of_reach(*_: object, **__: object) -> None:
        raise dataset.HubUnreachable

    monkeypatch.setattr(dataset, "hub_files", out_of_reach)
    monkeypatch.setattr(dataset, "hub_folder", out_of_reach)
    with pytest.raises(EnvironmentFault) as fault:
        own_sources(profile(A, own(data="owner/chats")))
    assert str(fault.value).startswith("strategy B: data owner/chats: the Hugging Face hub cannot")


def test_a_run_goes_on_only_with_the_data_that_its_strategies_began_with(folder: Path) -> None:
    chosen = profile(A, own())
    began = content(folder, chosen)
    assert set(began.own_data) == {"B"}
    demand_same(began, content(folder, chosen), "toy")
    (folder / "more.jsonl").write_text(talk("how?", "so"), encoding="utf-8")
    with pytest.raises(BadInput) as fault:
        demand_same(began, content(folder, chosen), "toy")
    said = "data of strategy B: more.jsonl has changed since this run began (sha256 "
    assert str(fault.value).startswith(said)
    assert str(fault.value).endswith("put it back or start a new run with another --run-dir")


def test_data_of_a_strategy_that_a_run_comes_to_later_is_held_against_what_it_was_then(
    folder: Path,
) -> None:
    before, both = profile(A, setups.strategy("B")), profile(A, own())
    session, _ = setups.session(folder / "run", Workers())
    with session.rundir:
        for chosen in (before, both, both, before):
            now = content(folder, chosen)
            if session.state.content is not None:
                demand_same(session.state.content, now, "toy")
            if not is_recorded(session.state.content, now):
                session.emit(now)
        recorded = [r.event for r in session.rundir.records() if isinstance(r.event, Content)]
        assert [set(each.own_data) for each in recorded] == [set(), {"B"}]
        assert recorded_content(session.rundir) == session.state.content == content(folder, both)
        assert session.state.content is not None
        (folder / "more.jsonl").write_text(talk("how?", "so"), encoding="utf-8")
        with pytest.raises(BadInput, match=r"data of strategy B: more\.jsonl has changed"):
            demand_same(session.state.content, content(folder, both), "toy")


def test_a_path_of_a_strategys_data_stands_in_run_toml_from_the_root_and_may_move(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = profile(A, own(), own("C", data="owner/chats"))
    stored = settings_text(chosen)
    assert json.dumps(str(folder / "more.jsonl")) in stored
    assert 'data = "owner/chats"' in stored
    rundir = RunDir(folder / "run")
    (folder / "run").mkdir()
    rundir.append(content(folder, profile(A, own())), 1.0)
    moved = tmp_path_factory.mktemp("elsewhere") / "project"
    shutil.move(folder, moved)
    monkeypatch.chdir(moved)
    assert difference(stored, chosen, moved / "run") is None
    (moved / "more.jsonl").write_text("others", encoding="utf-8")
    assert "more.jsonl" in str(difference(stored, chosen, moved / "run"))
    folder.mkdir()


def test_a_fit_depends_on_what_a_strategys_data_holds_and_not_on_where_it_lies(
    folder: Path,
) -> None:
    def found(chosen: Profile) -> dict[str, str]:
        spec = DeviceSpec(kind="cpu", precision=setups.setup(chosen).device_spec.precision)
        device = setups.setup(chosen).device
        return fingerprint(device, chosen, spec, folder / "model", content(folder, chosen))

    plain, before = found(profile(A, setups.strategy("B"))), found(profile(A, own()))
    assert before == {**plain, "data of B": before["data of B"]}
    (folder / "renamed.jsonl").write_bytes((folder / "more.jsonl").read_bytes())
    assert found(profile(A, own(data="renamed.jsonl"))) == before
    (folder / "more.jsonl").write_text(talk("how?", "so"), encoding="utf-8")
    assert found(profile(A, own()))["data of B"] != before["data of B"]
    assert found(profile(A, own(max_conversations=2)))["settings"] != before["settings"]


FEW, LONG = setups.survey(*[[60, 60]] * 20), setups.survey(*[[60, 60]] * 4, [300, 40, 40])
BOTH = replace(FEW, own={"B": LONG})


def test_each_strategy_has_the_rows_of_its_data(folder: Path) -> None:
    setup = setup_of(folder, profile(A, own()))
    a, b = (resolve_plan(s, setups.fit(), BOTH, setup) for s in (A, own()))
    assert (a.conversations, a.data.path) == (20, str(folder / "chat.jsonl"))
    assert (b.conversations, b.data.path) == (5, str(folder / "more.jsonl"))
    found = strategy_fit(
        own(), setups.fit(), BOTH, setup, setups.measurement(1), None, planned=True
    )
    assert found.conversations == 5
    assert found.kept_supervised < 1


def test_whether_a_strategy_fits_its_own_data_decides() -> None:
    long = own(model_max_length=256, max_rounds="all")
    short = setups.strategy("A", model_max_length=256, max_rounds="all")
    usable = usable_strategies((short, long), setups.fit(length=128), BOTH)
    assert [s.name for s in usable] == ["A"], "of B's rows the longest has 380 tokens"


def test_rounds_are_whole_where_they_are_in_all_data() -> None:
    assert [whole_rounds(BOTH, length, "all") for length in (119, 300, 340, 380)] == [1, 1, 2, 3]
    assert whole_rounds(BOTH, 380, 2) == 2
    assert most_rounds(BOTH, "all") == 3


def test_the_probe_asks_about_the_longest_row_of_all_data_and_times_each_strategys_own(
    folder: Path,
) -> None:
    chosen = setups.profile(
        A, own(max_rounds="all"), min_length=64, max_length=1024, speed_trials=2
    )
    chosen = profile(*chosen.strategies).model_copy(update={"probe": chosen.probe})
    memory = Memory(base=0, each=EACH)
    session, memory.runner = setups.session(folder / "run", memory)
    setup = setup_of(folder, chosen, limit_bytes=fitting(1000))
    with session.rundir:
        fit = Probe(session, setup, BOTH).run()
    assert fit.model_max_length >= 380, "LONG's longest row is asked about"
    jobs = [job for job in memory.runner.jobs if isinstance(job, TrialJob)]
    longest = next(job for job in jobs if job.point.row_tokens == 380)
    assert longest.data.path == str(folder / "more.jsonl")
    assert longest.longest_conversation == 4
    timed = [job for job in jobs if job.timed_conversations]
    assert {job.data.path for job in timed} == {str(folder / "chat.jsonl")}
    tried = [r.event for r in session.rundir.records() if isinstance(r.event, events.ProbeTried)]
    assert {bool(t.asked and t.asked.data) for t in tried} == {True, False}


def surveyed(job: Job) -> setups.Played:
    """A survey as a worker makes it: 20 conversations of the run's data, 3 at most of others."""
    assert isinstance(job, SurveyJob)
    rows = min(3, job.data.max_conversations or 3) if job.strategies else 20
    found = setups.survey(*[[60]] * rows).file.model_copy(
        update={"rows": tuple(range(1, rows + 1)), "dropped": {"empty answer": 1}}
    )
    Path(job.out).write_text(found.model_dump_json(), encoding="utf-8")
    told = events.Surveyed(
        path=job.out,
        conversations=rows,
        dropped=found.dropped,
        literal_markers=0,
        strategies=job.strategies,
        data=job.label,
    )
    return [told], setups.done()


def test_a_survey_is_made_once_for_strategies_that_share_data_and_kept(folder: Path) -> None:
    chosen = profile(A, own(), own("C"), own("D", max_conversations=2))
    setup = setup_of(folder, chosen)
    session, runner = setups.session(folder / "run", surveyed)
    with session.rundir:
        surveys = [survey_data(session, setup) for _ in range(2)]
        again, _ = setups.session(folder / "run", surveyed)
        assert survey_data(again, setup).of("B").rows == surveys[0].of("B").rows
    asked = [(job.strategies, job.prompts) for job in runner.jobs if isinstance(job, SurveyJob)]
    prompts = str(folder / "asked.jsonl")
    assert asked == [((), prompts), (("B", "C"), prompts), (("D",), prompts)]
    for survey in surveys:
        assert [len(survey.of(name).rows) for name in "ABCD"] == [20, 3, 3, 2]
        assert list(survey.each) == ["", "B", "D"]
    assert data_lines(session.state.surveys) == (
        "1 row dropped: empty answer",
        "more.jsonl of strategies B, C: 1 row dropped: empty answer",
        "more.jsonl (at most 2) of strategy D: 1 row dropped: empty answer",
    )
    said = [describe(record) for record in session.rundir.records()]
    assert said[1] == "data more.jsonl of strategies B, C: 3 conversations, 1 dropped"


def test_nothing_is_said_of_data_that_no_strategy_trains_on(folder: Path) -> None:
    chosen = profile(own("A"), own("B", max_conversations=2))
    session, runner = setups.session(folder / "run", surveyed)
    with session.rundir:
        survey = survey_data(session, setup_of(folder, chosen))
    read = [job.strategies for job in runner.jobs if isinstance(job, SurveyJob)]
    assert read == [("A",), ("B",)]
    assert list(survey.each) == ["A", "B"]
    assert data_lines(session.state.surveys) == (
        "more.jsonl of strategy A: 1 row dropped: empty answer",
        "more.jsonl (at most 2) of strategy B: 1 row dropped: empty answer",
    )


def test_a_trial_trains_on_its_strategys_data_and_is_named_with_it(folder: Path) -> None:
    chosen = profile(A, own())
    setup = setup_of(folder, chosen)
    session, _ = setups.session(folder / "run", workers := Workers())
    with session.rundir:
        session.emit(setup.started(0.25, resumed=False))
        session.emit(
            events.Surveyed(
                path="survey-1.json",
                conversations=5,
                dropped={},
                literal_markers=0,
                strategies=("B",),
                data="more.jsonl",
            )
        )
        judge = Judge(lambda folder: setups.report(3 if "0001" in Path(folder).parts else 0))
        assert Tuner(session, setup, BOTH, setups.fit(), judge, 0.25).run()
        first, second = workers.trainings()
        assert (first.data, first.data_sha256) == (setup.data, setup.run_data.sha256)
        assert (second.data, second.plan.conversations) == (setup.data_of("B").spec, 5)
        assert second.data_sha256 == setup.data_of("B").sha256 != first.data_sha256
        report = report_of(session.history, folder / "run")
    assert [trial.data for trial in report.trials] == [None, "more.jsonl"]
    facts = dict(ran_with(report, IFEval()))
    assert ", data more.jsonl, digest of the plan" in facts["trial 1"]
    assert "data" not in facts["trial 0"]
    said = [moment.text for moment in report.timeline if "training, lr" in moment.text]
    assert [", data more.jsonl" in line for line in said] == [False, True]
    assert "data more.jsonl" in squeezed(printed(header(session.state, 0.0), 200))


@pytest.mark.parametrize(
    ("shipped", "name", "data", "most"),
    [
        ("rtx4060-laptop-8gb", "A-more", "data/train.parquet", 50_000),
        ("rtx4060-laptop-8gb", "E", "synth", None),
        ("cpu-smollm2", "E", "synth", 300),
    ],
)
def test_a_shipped_example_of_data_of_a_strategys_own_is_off_and_works_when_it_is_put_in_place(
    tmp_path: Path, shipped: str, name: str, data: str, most: int | None
) -> None:
    path = profiles_folder() / f"{shipped}.toml"
    text = path.read_text(encoding="utf-8")
    assert not any(s.data or s.max_conversations or s.mix for s in read_profile(path).strategies)
    at = text.index(f'# [[strategy]]\n# name = "{name}"')
    lines = itertools.takewhile(lambda line: line.startswith("#"), text[at:].splitlines())
    example = "".join(line.removeprefix("#").removeprefix(" ") + "\n" for line in lines)
    strategy, _, table = example.partition("[synth]")
    fallback = text.index('name = "minimum"')
    fallback = text.rindex("[[strategy]]", 0, fallback)
    put = tmp_path / "mine.toml"
    own = text[:fallback] + strategy + "\n" + text[fallback:] + ("\n[synth]" + table) * bool(table)
    put.write_text(own, encoding="utf-8")
    chosen = read_profile(put)
    *_, more, last = chosen.strategies
    assert (more.name, more.data, more.max_conversations, more.mix) == (name, data, most, None)
    assert last.fallback
    assert chosen.synth.held_out_kinds == 3
    if data == "synth":
        (proven, _) = read_profile(profiles_folder() / "cpu-proof.toml").strategies
        same = ("learning_rate", "num_train_epochs", "batch_size", "warmup_ratio", "mix")
        assert [getattr(more, key) for key in same] == [getattr(proven, key) for key in same]


def test_the_plan_of_a_run_counts_each_strategys_own_rows(folder: Path) -> None:
    chosen = profile(A, own())
    setup = setup_of(folder, chosen)
    chooser = Chooser(setup, BOTH, setups.fit(), 0.25, lambda now, plan: 0.0)
    planned = {trial.stage: trial for trial in plan_run(chooser, StudyState()).trials}
    assert (planned["A"].of, planned["A"].kept_supervised) == (20, 1.0)
    assert planned["B"].of == 5
    assert planned["B"].kept_supervised < 1


def test_a_worker_of_a_shared_study_has_the_same_data_for_each_strategy(folder: Path) -> None:
    chosen = profile(A, own())
    began = content(folder, chosen)
    demand_study_content("one", began, content(folder, chosen))
    (folder / "more.jsonl").write_text(talk("how?", "so"), encoding="utf-8")
    with pytest.raises(BadInput, match=r"data of strategy B, more\.jsonl: is not what study one"):
        demand_study_content("one", began, content(folder, chosen))
