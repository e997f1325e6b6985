"""A dry run: the trials that a run would do, within hours and number, and what would stop it."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autotune.base.disk import Sizes, needed_bytes
from autotune.base.errors import ExitCode
from autotune.cli.dry_run import as_tree
from autotune.config.profile import Profile
from autotune.config.synth import SynthChoice
from autotune.data.retention_notes import retention_notes
from autotune.data.survey import Survey
from autotune.fit.answer_lengths import UNTRAINED, expected_share
from autotune.fit.expected import expected_seconds
from autotune.fit.planned_practice import PlannedPractice, planned_practice
from autotune.fit.run_plan import RunPlan, Span
from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.protocol.plan import Strategy
from autotune.run.own_practice import is_to_practise, with_made_practice
from autotune.run.setup import Setup
from autotune.run.state import StudyState, replay
from autotune.screen.run_plan import DryRun, dry_run_summary
from autotune.sources.digest import sha256_of
from autotune.study.chooser import Chooser
from autotune.study.cleanup import writes_of
from autotune.study.run_plan import Premises, plan_run
from tests import records, setups
from tests.screens import printed

A = setups.strategy("A")
B = setups.strategy(
    "B",
    n_trials=3,
    num_train_epochs=4,
    average_checkpoints=2,
    search={"learning_rate": (1e-4, 1e-2)},
)
SURVEY = setups.survey(*[[100]] * 20)
SPACE = {"num_train_epochs": [1, 3], "learning_rate": [1e-4, 1e-2]}
NOW = time.mktime((2026, 11, 28, 23, 0, 0, 0, 0, -1))


def profile(*strategies: Strategy, **study: Any) -> Profile:
    """These strategies and this `[study]`."""
    tree = json.loads(setups.profile(*strategies).model_dump_json(by_alias=True))
    return Profile.model_validate_json(json.dumps(tree | {"study": study}))


def planned(
    *strategies: Strategy,
    state: StudyState | None = None,
    survey: Survey = SURVEY,
    tokens_per_second: float = 1000.0,
    **study: Any,
) -> RunPlan:
    """20 conversations of 100 tokens at 1000 tokens a second: A takes 4 s, B 8 s; answers none."""
    setup = setups.setup(profile(*strategies, **study))
    fit = setups.fit(tokens_per_second=tokens_per_second)
    chooser = Chooser(
        *(setup, survey, fit, 0.25),
        lambda now, plan: expected_seconds(now, setup, fit, survey, plan),
    )
    return plan_run(chooser, state or StudyState())


def rows(plan: RunPlan) -> list[tuple[str, bool, int]]:
    return [(trial.stage, trial.exact, trial.count) for trial in plan.trials]


def test_every_trial_of_every_strategy_is_planned_with_its_work() -> None:
    plan = planned(A, B)
    assert rows(plan) == [("A", True, 1), ("B", True, 1), ("B", False, 2)]
    a, b, _ = plan.trials
    assert (a.plan.total_steps, a.checkpoints, a.evaluations) == (6, 2, 2)
    assert (b.plan.total_steps, b.checkpoints, b.evaluations) == (12, 2, 3)
    assert (a.plan.conversations, a.of, a.kept_supervised) == (20, 20, 1.0)
    assert plan.seconds == pytest.approx(4 + 3 * 8)
    assert (plan.ends, plan.obstacle) == (None, None)


def test_hours_are_spent_in_order_and_what_they_do_not_reach_is_not_begun() -> None:
    plan = planned(A, B, max_hours=13 / 3600)
    assert rows(plan) == [("A", True, 1), ("B", True, 1), ("B", False, 0)]
    assert plan.ends is not None and "a trial of B takes about 8 s, and 1 s would" in plan.ends


def test_the_first_trial_begins_whatever_the_hours() -> None:
    assert rows(planned(A, B, max_hours=1e-6))[0] == ("A", True, 1)


def test_a_limit_of_hours_that_the_first_trial_does_not_keep_is_said_with_what_it_cuts() -> None:
    # After 36 s A has some 33 minutes to go, B would be twice as long.
    slow = {"tokens_per_second": 2.0, "max_hours": 0.01}
    alone = shown(planned(A, **slow))
    goes_on = "begins all the same, is not interrupted and would end about 33 min later"
    assert f"limit: 36 s (max_hours); A, the first trial, {goes_on}" in alone
    assert "not begun" not in alone
    assert "limit" not in shown(planned(A)) + shown(planned(A, max_hours=1))
    cut = shown(planned(A, B, **slow))
    assert f"A, the first trial, {goes_on}" in cut
    assert "ends by: a trial of B takes about 1 h 07 min, and 0 s would be left" in cut
    assert "(max_hours); not begun: B, B*" in cut
    resumed = planned(A, B, state=begun(over=False), **slow)
    assert rows(resumed)[:2] == [("A", True, 1), ("B", True, 0)]
    assert "A, which has begun, continues all the same" in shown(resumed)
    assert as_tree(dry_run(resumed))["beyond_hours"] == resumed.overrun
    untimed = dry_run(resumed, measured=False, timed=False)
    assert as_tree(untimed)["beyond_hours"] is None


def test_a_further_trial_that_has_begun_goes_on_whatever_the_hours() -> None:
    second = replay(
        [*begun_records(over=True), *begun_records(over=False, number=1, strategy=B)[2:]]
    )
    assert second.current is not None and len(second.trials) == 2
    plan = planned(A, B, state=second, max_hours=1e-6)
    assert rows(plan) == [("B", True, 1), ("B", False, 0)]
    assert plan.overrun is not None and "B, which has begun, continues" in plan.overrun


def test_a_search_takes_what_hours_or_trials_are_left() -> None:
    search = {"model_max_length": 128, "space": SPACE}
    # Its middle has two epochs, as A: 4 seconds a trial.
    by_hours = planned(A, max_hours=22 / 3600, search=search)
    assert rows(by_hours) == [("A", True, 1), ("search", False, 4)]
    assert by_hours.trials[1].plan.learning_rate == pytest.approx(1e-3)
    by_number = planned(A, max_trials=3, search=search)
    assert rows(by_number) == [("A", True, 1), ("search", False, 2)]
    assert by_number.ends == "3 trials, as limited (max_trials)"


def test_a_further_trial_without_ranges_is_the_same_point_and_given_points_come_before_drawn() -> (
    None
):
    assert rows(planned(setups.strategy("A", n_trials=2))) == [("A", True, 1), ("A", True, 1)]
    given = planned(A, enqueue=[{"num_train_epochs": 4}, {"learning_rate": 5e-3}])
    assert rows(given) == [("A", True, 1), ("search", True, 1), ("search", True, 1)]
    assert [t.plan.num_train_epochs for t in given.trials] == [2, 4, 2]
    both = planned(A, enqueue=[{"batch_size": 4}], max_trials=3, search={"space": SPACE})
    assert rows(both) == [("A", True, 1), ("search", True, 1), ("search", False, 1)]


def begun(*, over: bool) -> StudyState:
    """A run that is half through the training of A, or done with it."""
    return replay(begun_records(over=over))


def begun_records(*, over: bool, number: int = 0, strategy: Strategy = A) -> list[Record]:
    """Two records of a run that begins, and then those of a trial."""
    book = records.Book()
    book.add(records.run_started())
    book.add(records.baseline("untrained", 3, records.HEALTHY))
    plan = planned(strategy).trials[0].plan
    book.add(events.TrialStarted(number=number, optuna_number=number, plan=plan))
    book.add(records.step_done(3, 6))
    if over:
        book.add(events.Trained(steps=6, skipped_steps=0, weights_moved=0.1, seconds=1))
        book.add(events.TrialEnded(number=number, best=0.1))
    return book.records


def test_a_run_that_is_resumed_plans_what_is_left() -> None:
    half = planned(A, B, state=begun(over=False))
    assert rows(half)[0] == ("A", True, 1)
    assert half.trials[0].expected.training == pytest.approx(2.0)
    after = planned(A, B, state=begun(over=True))
    assert (rows(after)[0], after.over) == (("B", True, 1), 1)


def test_data_that_a_length_leaves_nothing_of_stops_it() -> None:
    plan = planned(A, survey=setups.survey([300], prompt=200))
    assert plan.obstacle is not None
    assert plan.obstacle.code == ExitCode.BAD_INPUT
    assert "keep no supervised token" in plan.obstacle.reason


def dry_run(plan: RunPlan, **changes: Any) -> DryRun:
    """A dry run at eleven in the evening."""
    values: dict[str, Any] = {
        "plan": plan,
        "fit": setups.fit(),
        "basis": "measured by a probe",
        "measured": True,
        "timed": True,
        "profile": "cpu-smoke",
        "run_dir": None,
        "memory": "budget 1 GiB",
        "now": NOW,
        "disk": "disk: needs 1 GiB at most, 2 GiB free",
        "disk_bytes": (1, 2),
    }
    return DryRun(**values | changes)


def shown(plan: RunPlan) -> str:
    """What a wide screen says of a plan, as one line."""
    return " ".join(printed(dry_run_summary(dry_run(plan)), 200).split())


def test_what_is_kept_is_the_same_figure_as_in_the_note_of_it() -> None:
    plan = planned(A)
    (trial,) = plan.trials
    cut = replace(plan, trials=(replace(trial, kept_supervised=0.38965),))
    (note,) = retention_notes("A", 128, 2, 0.38965, 20, 4)
    assert note.what.startswith("A keeps 38.9 % of ")
    assert " 20/20 38.9 % " in shown(cut)


@pytest.mark.parametrize("width", [80, 120])
def test_it_is_one_screen_with_a_line_a_trial(width: int) -> None:
    search = {"model_max_length": 128, "space": SPACE}
    text = printed(dry_run_summary(dry_run(planned(A, B, max_hours=2, search=search))), width)
    lines = [line.strip("│ ") for line in text.splitlines()]
    assert len(lines) <= 24
    assert max(map(len, text.splitlines())) <= width
    (a,) = (line.split() for line in lines if line.startswith("A "))
    shown = ["A", "128", "x", "2", "20/20", "100.0", "%", "6", "2", "4", "s", "23:00"]
    assert [cell for cell in a if cell != "0.001"] == shown
    assert any(line.startswith("1793 x search") for line in lines)
    assert "nothing that is known now would stop it" in lines


def test_the_end_is_a_time_of_day_with_the_days_until_then() -> None:
    long = setups.fit(tokens_per_second=0.1)
    setup = setups.setup(profile(A))
    chooser = Chooser(setup, SURVEY, long, 0.25, lambda now, plan: 0.0)
    plan = plan_run(chooser, StudyState())  # 4000 tokens in 40 000 seconds
    assert "until 10:06 +1 d" in " ".join(printed(dry_run_summary(dry_run(plan)), 200).split())


def test_without_a_measurement_it_says_so_and_without_a_rate_it_gives_no_times() -> None:
    text = printed(dry_run_summary(dry_run(planned(A), measured=False, timed=False)), 120)
    assert "a dry run, an estimate that no probe has measured: profile" in text
    assert "until" not in text and "n/a" not in text
    assert not {"time", "ends"} & set(text.partition("trial ")[2].splitlines()[0].split())
    assert "ends" in printed(dry_run_summary(dry_run(planned(A))), 120)
    tree = as_tree(dry_run(planned(A), measured=False, timed=False))
    assert tree["seconds"] is None and tree["trials"][0]["training_seconds"] is None


def test_json_has_what_would_stop_it_and_when_it_would_end() -> None:
    plan = planned(A, survey=setups.survey([300], prompt=200))
    assert as_tree(dry_run(plan))["stopped_by"]["exit_code"] == 2
    tree = as_tree(dry_run(planned(A), run_dir=Path("run")))
    assert tree["ends_at"] == pytest.approx(NOW + 4)
    assert (tree["stopped_by"], tree["disk_needed_bytes"], tree["resumes"]) == (None, 1, "run")


E = setups.strategy("E", data="synth", max_rounds="all", model_max_length=512)


def practised(
    tmp_path: Path, *strategies: Strategy, **study: Any
) -> tuple[PlannedPractice, RunPlan, Setup]:
    """The plan of a run that is to make practice data: 6 tasks in 2 variants, 100 tokens."""
    synth = SynthChoice(tasks=6, variants=2, max_new_tokens=100)
    chosen = profile(*strategies, **study).model_copy(update={"synth": synth})
    session, _ = setups.session(tmp_path / "run", lambda _: ([], setups.done()))
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "asked.jsonl").write_text('{"key": 1, "prompt": "Why"}\n', encoding="utf-8")
    content = events.Content(data={}, prompts={}, scored="", model={})
    setup = replace(setups.setup(chosen), content=content, prompts_file=tmp_path / "asked.jsonl")
    assert is_to_practise(setup)
    found, setup, survey = planned_practice(session, setup, SURVEY, answered=2)
    fit = setups.fit(length=512)
    chooser = Chooser(
        *(setup, survey, fit, 0.25),
        lambda now, plan: expected_seconds(now, setup, fit, survey, plan),
    )
    premises = Premises(
        practice=Span(480.0, 600.0), practised=found.strategies, most_practice=found.most_tokens
    )
    return found, plan_run(chooser, StudyState(), premises), setup


def test_practice_data_that_is_still_to_be_made_is_counted_on_as_far_as_is_likely(
    tmp_path: Path,
) -> None:
    found, plan, _ = practised(tmp_path, A, E)
    assert plan.practice == Span(480.0, 600.0)
    assert (found.strategies, found.answers, found.max_new_tokens) == (("E",), 4, 100)
    assert (found.prompts, found.chats) == (12, 7), "six in ten prompts come to be a chat"
    a, e = plan.trials
    assert (a.of, e.of, e.plan.conversations) == (20, 7, 7)
    # At most every prompt has a chat, and each answer its 100 tokens instead of 80.
    assert found.most_tokens > 12 / 7
    assert e.most_seconds == pytest.approx(e.expected.training * found.most_tokens)
    names = [Path(trial.plan.data.path).name for trial in (a, e)]
    assert names == ["chat.jsonl", "practice.jsonl"]
    assert plan.seconds == 480.0 + plan.before.likely + a.seconds + e.seconds
    late = practised(tmp_path / "1", A, E, max_hours=481 / 3600)[1]
    assert [trial.count for trial in late.trials] == [1, 0], "eight minutes are spent by then"
    mixed = E.model_copy(update={"mix": 0.75, "max_conversations": 8})
    assert practised(tmp_path / "2", A, mixed)[1].trials[1].of == 8
    assert practised(tmp_path / "3", A, E.model_copy(update={"mix": 0.75}))[1].trials[1].of == 9


def test_the_hours_of_practice_are_those_of_average_answers_and_at_most_of_the_longest(
    tmp_path: Path,
) -> None:
    found, _, setup = practised(tmp_path, A, E)
    measurement = setups.measurement(1, prefill_seconds=2.0, token_seconds=0.5)
    took = sum(measurement.step_seconds) + 2.0 + 3.0  # a worker starts in 3
    timed = setups.tried(measurement, 512, rounds=1, row_tokens=512, seconds=took)
    fit = setups.fit(length=512, trials=(timed,), peak_bytes=1)
    # Four answers, of the eight that an evaluation generates at a time.
    seconds = found.seconds(setup, fit, measured=True, slowdown=1.0)
    assert seconds is not None and seconds.most == pytest.approx(3.0 + 2.0 + 100 * 0.5)
    # Half a batch, 80 of 100 tokens, half of what a token takes behind the longest context.
    assert seconds.likely == pytest.approx(3.0 + 0.5 * 100 * 0.5 * 0.8 * 0.5)
    more = replace(found, answers=9).seconds(setup, fit, measured=True, slowdown=1.0)
    assert more is not None and more.most == pytest.approx(3.0 + 2 * 52.0)
    timed = found.seconds(setup, fit, measured=False, slowdown=1.0, token_seconds=0.6)
    # Four of the six answers that are asked for at a time.
    assert timed is not None and timed.likely == pytest.approx(3.0 + 4 / 6 * 60 * 0.8)
    assert timed.most == pytest.approx(3.0 + 4 / 6 * 60)
    assert found.seconds(setup, fit, measured=False, slowdown=1.0) is None, "no weights are there"


def test_scoring_is_expected_to_take_less_than_answers_that_all_run_to_their_cap() -> None:
    measurement = setups.measurement(1, prefill_seconds=2.0, token_seconds=0.5)
    tried = setups.tried(measurement, 128, rounds=2, row_tokens=100, seconds=0.0)
    setup, fit = setups.setup(profile(A)), setups.fit(trials=(tried,), peak_bytes=1)
    chooser = Chooser(setup, SURVEY, fit, 0.25, lambda now, plan: 0.0)
    plan = plan_run(chooser, StudyState())
    (trial,) = plan.trials
    most = trial.evaluations * (2.0 + setup.profile.evaluate.max_new_tokens * 0.5)
    assert trial.most_seconds == pytest.approx(trial.expected.training + most)
    assert 0 < trial.expected.scoring < 0.7 * most
    assert 0 < plan.before.likely < plan.before.most
    text = printed(dry_run_summary(dry_run(plan)), 200)
    assert "expected: " in text and "at most" in text


def test_answers_that_a_cap_ends_early_all_count_as_long_as_it() -> None:
    assert expected_share(1, UNTRAINED) == pytest.approx(1.0, abs=0.01)
    # SmolLM2-135M-Instruct took 54 % of what 541 answers of 1280 tokens may take.
    assert expected_share(1280, UNTRAINED) == pytest.approx(0.6, abs=0.01)


def test_a_dry_run_says_that_practice_comes_first_and_that_its_hours_are_an_estimate(
    tmp_path: Path,
) -> None:
    found, plan, setup = practised(tmp_path, A, E)
    shown = dry_run(plan, practice=found)
    text = " ".join(printed(dry_run_summary(shown), 200).split())
    assert "first practice data for strategy E: 4 answers of at most 100 tokens" in text
    assert "about 8 min (an estimate); about 7 chats are expected of it, 12 at most" in text
    tree = as_tree(shown)
    assert tree["practice"]["seconds"] == 480.0 and tree["practice"]["prompts"] == 12
    assert tree["practice"]["seconds_at_most"] == 600.0
    assert "expected: about" in text and "if every answer is as long as it may be" in text
    assert tree["seconds_at_most"] > tree["seconds"]
    assert as_tree(dry_run(planned(A)))["practice"] is None
    answers = 6 * 100 * 8
    writes = writes_of(setup, setup.profile.strategies)
    assert writes.data_bytes > 3 * answers
    sizes, none = Sizes(weights=1000, rest=10), replace(writes, data_bytes=0)
    assert needed_bytes(sizes, writes) - needed_bytes(sizes, none) == writes.data_bytes
    assert writes_of(setups.setup(profile(A)), (A,)).data_bytes == 0


def test_practice_data_that_a_resumed_run_has_made_is_not_planned_again(tmp_path: Path) -> None:
    _, _, setup = practised(tmp_path, A, E)
    where = tmp_path / "was" / "practice" / "run"
    where.mkdir(parents=True)
    (where / "practice.jsonl").write_text("{}\n", encoding="utf-8")
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    made = events.PracticeMade(
        name="run",
        sha256=sha256_of(where / "practice.jsonl"),
        settings="",
        answers=6,
        conversations=1,
        as_sampled=0,
    )
    session, _ = setups.session(tmp_path / "look", lambda _: ([], setups.done()))
    content = events.Content(data={}, prompts={}, scored="", model={"tokenizer.json": "0"})
    begun = replace(setup, own_data={}, content=content, model_folder=tmp_path)
    state = replay([Record(time=1.0, event=made)])
    found = with_made_practice(session, begun, where, state)
    assert not is_to_practise(found)
    assert found.data_of("E").spec.path == str(where / "practice.jsonl")
    (where / "practice.jsonl").write_text("{}", encoding="utf-8")
    assert with_made_practice(session, begun, where, state) is begun
