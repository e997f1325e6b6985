"""What a strategy leaves of the data is said by inspect, probe, run and the report alike."""

from dataclasses import replace
from pathlib import Path

from rich.console import Console

from autotune.base.sizes import GIB
from autotune.data.retention_notes import cut_note, fit_notes, lost_note, retention_notes
from autotune.data.survey import Survey
from autotune.fit.estimate import strategy_fit
from autotune.protocol.choices import Truncation
from autotune.protocol.data_notes import note_sentence
from autotune.protocol.job import Job, SurveyJob
from autotune.protocol.results import Fit, StrategyFit
from autotune.run.survey import survey_data
from autotune.screen.summary import probe_summary
from autotune.sources.prompts import dropped_prompts, topics_held_apart
from autotune.text.events import data_lines, data_warnings
from tests import inspections, setups
from tests.setups import Played


def test_below_nine_tenths_of_what_is_trained_on_a_length_is_warned_of() -> None:
    said = retention_notes("A", 512, 6, 0.4699, 100, 64)
    assert [note.what for note in said] == [
        "A keeps 46.9 % of the supervised tokens: 512 x 6 rounds leave out the rest"
    ]
    assert all(note.warning and note.count == 0 for note in said)
    assert retention_notes("A", 512, 6, 0.9, 64, 64) == ()


def test_one_conversation_or_fewer_than_a_step_takes_is_said() -> None:
    (one,) = retention_notes("A", 512, 6, 1.0, 1, 64)
    assert one.what == "A trains on 1 conversation: every step repeats it"
    (few,) = retention_notes("A", 512, 6, 1.0, 63, 64)
    assert "63 conversations, fewer than a step of 64" in few.what


def test_inspect_says_it_of_each_strategy_and_how_many_conversations_a_run_uses() -> None:
    profile = setups.profile(
        setups.strategy("A", model_max_length=64, batch_size=8), setups.strategy("B", batch_size=64)
    )
    seen = inspections.inspected(setups.survey(*([[100]] * 20), prompt=20), profile)
    said = [note.what for note in seen.notes]
    assert "A keeps 55.6 % of the supervised tokens: 64 x 2 rounds leave out the rest" in said
    assert "B trains on 20 conversations, fewer than a step of 64: every step sees all of them" in (
        said
    )
    train = profile.train.model_copy(update={"max_conversations": 5})
    few = profile.model_copy(update={"train": train})
    seen = inspections.inspected(setups.survey(*([[100]] * 20), prompt=20), few)
    assert seen.notes[-1].what == (
        "a run uses 5 of 20 conversations (max_conversations of the profile)"
    )


def test_rows_of_which_a_strategy_keeps_nothing_are_named_by_inspect_and_with_the_fit() -> None:
    a = setups.strategy("A", model_max_length=64, batch_size=2)
    late, early = setups.survey([100], prompt=70).file, setups.survey([60], prompt=10).file
    rows = (*early.conversations, *late.conversations) * 2
    file = early.model_copy(update={"conversations": rows, "rows": (1, 3, 4, 7)})
    survey = Survey(file, Truncation.RIGHT)
    sentence = "2 rows dropped: no supervised token within 64 x 2 rounds, strategy A (rows 3, 7)"
    seen = inspections.inspected(survey, setups.profile(a))
    assert sentence in [note_sentence(note) for note in seen.notes]
    found = strategy_fit(
        a,
        setups.fit(),
        survey,
        setups.setup(setups.profile(a)),
        setups.measurement(GIB),
        None,
        planned=True,
    )
    fit = Fit.model_validate_json(setups.fit(strategies={"A": found}).model_dump_json())
    assert sentence in data_lines((), fit)
    assert lost_note("A", 128, 2, survey) is None


def test_probe_run_and_report_say_it_of_the_strategies_that_will_have_their_turn() -> None:
    cut = StrategyFit(
        fits=True,
        planned=True,
        model_max_length=128,
        max_rounds=2,
        micro_batch_tokens=128,
        gradient_checkpointing=False,
        conversations=100,
        kept_supervised=0.46978,
        steps=20,
        eta_seconds=60.0,
        batch_size=8,
    )
    unplanned = cut.model_copy(update={"planned": False})
    fit = setups.fit(strategies={"A": cut, "minimum": unplanned})
    (sentence,) = (note.what for note in fit_notes(fit))
    assert sentence.startswith("A keeps 46.9 % of the supervised tokens")
    assert data_lines((), fit) == data_warnings((), fit) == (sentence,)
    console = Console(width=120, record=True)
    console.print(probe_summary(fit, "budget"))
    text = console.export_text()
    assert "A keeps 46.9 % of the supervised tokens" in text
    assert text.count("46.9 %") == 2, "the table below has the same figure"


def test_a_run_has_the_scored_prompts_looked_for_and_left_out_where_the_profile_says_so(
    tmp_path: Path,
) -> None:
    def plays(job: Job) -> Played:
        assert isinstance(job, SurveyJob)
        file = setups.survey([60]).file
        Path(job.out).write_text(file.model_dump_json(), encoding="utf-8")
        return (), setups.done()

    prompts = tmp_path / "prompts.jsonl"
    chosen = replace(setups.setup(setups.profile()), scored_prompts=prompts)
    session, runner = setups.session(tmp_path / "run", plays)
    with session.rundir:
        survey_data(session, chosen)
    (job,) = runner.jobs
    assert isinstance(job, SurveyJob)
    assert job.prompts == str(prompts)
    assert job.device == chosen.work_device
    profile = setups.profile()
    assert dropped_prompts(profile, prompts) is None
    drop = profile.model_copy(
        update={"data": profile.data.model_copy(update={"drop_scored_prompts": True})}
    )
    assert dropped_prompts(drop, prompts) == str(prompts)
    demo = {"source": "demo"}
    assert topics_held_apart(
        profile.data.model_copy(update=demo), profile.prompts.model_copy(update=demo)
    )


def test_a_strategy_with_more_rounds_than_its_length_holds_says_how_many_answers_it_cuts() -> None:
    a = setups.strategy("A", model_max_length=64, max_rounds=2)
    survey = setups.survey([40, 40], [30])
    sentence = (
        "A: 64 x 2 rounds cut 1 of 3 answers (33.3 %): 1 short, 0 left out; up to 1 round every"
        " answer would be whole"
    )
    seen = inspections.inspected(survey, setups.profile(a))
    assert sentence in [note_sentence(note) for note in seen.notes]
    found = strategy_fit(
        *(a, setups.fit(), survey, setups.setup(setups.profile(a)), setups.measurement(GIB)),
        None,
        planned=True,
    )
    fit = setups.fit(strategies={"A": found})
    assert sentence in data_lines((), fit)  # the report has it
    assert sentence not in data_warnings((), fit)
    console = Console(width=200, record=True)
    console.print(probe_summary(fit, "budget"))
    assert sentence in console.export_text()
    assert cut_note("A", 128, 2, survey) is None
