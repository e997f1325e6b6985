"""The probe against brute force over every point, and its limits: trials, budget, evidence."""

import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotune.base.errors import BadInput, ExitCode, NothingFits
from autotune.fit.probe import Probe
from autotune.fit.search import most_trials
from autotune.protocol import events
from autotune.protocol.choices import Truncation
from autotune.protocol.job import Job, TrialJob
from autotune.protocol.results import Verdict
from autotune.run.folder import RunDir
from tests import setups
from tests.played import BASE, EACH, Memory, fitting, probed, probing

CONVERSATIONS = st.lists(
    st.lists(st.integers(8, 300), min_size=1, max_size=6), min_size=1, max_size=8
)
BUDGETS = st.integers(60, 2000).map(fitting)


def brute_force(probe: Probe, limit_bytes: int) -> tuple[int, int] | None:
    """The answer by trying every length of the grid, then every number of rounds uncut."""
    grid = probe.grid()

    def fits(tokens: int) -> bool:
        return fitting(tokens) <= limit_bytes

    def at_once(length: int) -> int:
        row = probe.survey.kept(length, "all").longest_row
        return length // row * row  # short rows share a micro-batch

    lengths = [n for n in grid if fits(at_once(n))]
    if not lengths:
        return None
    length = lengths[-1]
    # Beyond the grid's end nothing is tried, whatever the memory.
    cap = length if length == grid[-1] else math.inf
    rounds = range(1, probe.survey.most_rounds + 1)
    whole = [r for r in rounds if (n := probe.survey.longest(r)) <= length or (fits(n) and n < cap)]
    return length, max(whole, default=1)


def questions_between(probe: Probe, length: int) -> int:
    """How many different longest rows lie between the answer and the next length of the grid."""
    rows = {probe.survey.longest(r) for r in range(1, probe.survey.most_rounds + 1)}
    return sum(length < row < length + 64 for row in rows)


@given(CONVERSATIONS, BUDGETS)
@settings(max_examples=60, deadline=None)
def test_the_answer_is_that_of_trying_every_point(rows: list[list[int]], limit: int) -> None:
    data = setups.survey(*rows)
    memory = Memory(BASE, EACH)
    with probing(memory, data, limit) as probe:
        expected = brute_force(probe, limit)
        if expected is None:
            with pytest.raises(NothingFits):
                probe.run()
            return
        found = probe.run()
        assert found.model_max_length == expected[0]
        # One question about rounds is always left; more only where the search for length was short.
        if questions_between(probe, expected[0]) <= 1:
            assert found.max_rounds == expected[1]
        assert found.max_rounds <= expected[1]


@given(CONVERSATIONS, BUDGETS, st.sampled_from(Truncation))
@settings(max_examples=40, deadline=None)
def test_what_is_accepted_was_tried_on_its_own_row_within_the_budget(
    rows: list[list[int]], limit: int, truncation: Truncation
) -> None:
    data = setups.survey(*rows, truncation=truncation)
    memory = Memory(BASE, EACH)
    with probing(memory, data, limit) as probe:
        try:
            found = probe.run()
        except NothingFits:
            assert all(t.verdict is Verdict.OVER_BUDGET for t in probe.trials)
            return
        finally:
            assert len(probe.trials) <= most_trials(len(probe.grid()))
            assert [t.point for t in probe.trials] == memory.points
        row = data.kept(found.model_max_length, found.max_rounds).longest_row
        evidence = [t for t in found.trials if t.verdict is Verdict.FITS]
        assert any(
            t.point.row_tokens == row and t.point.micro_batch_tokens == found.micro_batch_tokens
            for t in evidence
        )
        assert all(t.measurement and t.measurement.peak_bytes <= limit for t in evidence)
        assert found.peak_bytes <= limit


@given(CONVERSATIONS, BUDGETS)
@settings(max_examples=40, deadline=None)
def test_rounds_are_only_tried_between_a_row_that_fitted_and_one_that_did_not(
    rows: list[list[int]], limit: int
) -> None:
    data = setups.survey(*rows)
    with probing(Memory(BASE, EACH), data, limit) as probe:
        try:
            found = probe.run()
        except NothingFits:
            return
        for trial in found.trials:
            if trial.point.model_max_length % 64:
                assert 0 < trial.point.row_tokens - found.model_max_length < 64


def test_the_longest_conversation_counts_wherever_it_stands() -> None:
    short = [[200, 200]] * 250
    data = setups.survey(*short, [500, 579])
    memory = Memory(BASE, EACH)
    found, _ = probed(memory, data, fitting(700))
    assert memory.points[0].row_tokens == 1079
    assert found.trials[0].conversation == 251
    assert found.model_max_length == 640
    assert {t.point.row_tokens for t in found.trials if t.verdict is Verdict.FITS} >= {640}
    assert "on a sequence of 640 tokens, conversation 251" in next(
        t.reason for t in found.trials if t.point.row_tokens == 640
    )


@pytest.mark.parametrize(("rows", "whole"), [([80, 300], True), ([230, 300], False)])
def test_the_answer_says_whether_even_one_round_stays_whole(rows: list[int], whole: bool) -> None:
    found, _ = probed(Memory(BASE, EACH), setups.survey(rows), fitting(200))
    assert (found.model_max_length, found.max_rounds, found.whole) == (192, 1, whole)


def test_data_that_fits_whole_takes_one_trial() -> None:
    found, verdicts = probed(Memory(BASE, EACH), setups.survey([90, 90, 90]), fitting(500))
    assert verdicts == ["FITS"]
    assert (found.model_max_length, found.max_rounds) == (320, 3)


def test_a_length_never_passes_the_models_positions() -> None:
    memory = Memory(BASE, EACH)
    with probing(memory, setups.survey([400, 400]), fitting(5000), positions=500) as probe:
        assert probe.run().model_max_length == 448
    assert max(point.row_tokens for point in memory.points) <= 500


def test_every_trial_is_on_record_before_the_next_one_begins(tmp_path: Path) -> None:
    memory = Memory(BASE, EACH)
    recorded: list[int] = []

    def script(job: Job) -> setups.Played:
        records = RunDir(tmp_path).records()
        recorded.append(sum(isinstance(r.event, events.ProbeTried) for r in records))
        return memory(job)

    session, _ = setups.session(tmp_path, script)
    setup = setups.setup(setups.profile(max_length=1024), fitting(500))
    found = Probe(session, setup, setups.survey([300, 300, 300])).run()
    assert recorded == list(range(len(found.trials)))
    told = [r.event for r in RunDir(tmp_path).records()]
    outcomes = tuple(e.outcome for e in told if isinstance(e, events.ProbeTried))
    assert outcomes == found.trials
    assert all(outcome.reason for outcome in outcomes)
    assert told[-1] == events.Fitted(fit=found)
    assert RunDir(tmp_path).read_fit() == found


def test_nothing_that_fits_is_one_line_with_a_remedy() -> None:
    with (
        probing(Memory(BASE, EACH), setups.survey([300]), BASE) as probe,
        pytest.raises(NothingFits, match="not even 64 tokens fit") as refused,
    ):
        probe.run()
    assert refused.value.exit_code == ExitCode.NOTHING_FITS
    assert "--vram-budget" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_lengths_that_keep_no_answer_are_not_asked_about() -> None:
    # At 64 tokens nothing but the prompt is left, so what does not fit is told by the length above.
    data = setups.survey([500], prompt=100)
    with (
        probing(Memory(BASE, EACH), data, BASE) as probe,
        pytest.raises(NothingFits, match="not even 128 tokens fit"),
    ):
        probe.run()
    assert probe.grid()[0] == 128


def test_a_length_at_which_no_answer_is_left_is_refused() -> None:
    data = setups.survey([500], prompt=450)
    with (
        probing(Memory(BASE, EACH), data, fitting(200), max_length=384) as probe,
        pytest.raises(BadInput, match="no conversation keeps a supervised token"),
    ):
        probe.run()


def test_every_strategy_is_reported_with_its_length_and_time() -> None:
    long = setups.strategy("A", model_max_length=256)
    any_length = setups.strategy("C", model_max_length="fits", max_rounds="all")
    data = setups.survey(*[[100, 100, 100]] * 16)
    chosen = setups.profile(long, any_length)
    with tempfile.TemporaryDirectory() as folder:
        session, _ = setups.session(Path(folder), Memory(BASE, EACH))
        found = Probe(session, setups.setup(chosen, fitting(200)), data).run()
    assert found.model_max_length == 192
    assert not found.strategies["A"].fits
    assert found.strategies["C"].fits
    assert found.strategies["C"].model_max_length == 192
    # 16 rows of 192 tokens, two epochs, 1920 tokens a second; a played worker generates in no time.
    assert found.strategies["C"].eta_seconds == pytest.approx(2 * 16 * 192 / 1920)
    assert found.strategies["C"].steps == 4


def test_a_trial_asks_for_a_generation_of_the_shape_of_an_evaluation(tmp_path: Path) -> None:
    session, runner = setups.session(tmp_path, Memory(BASE, EACH))
    setup = setups.setup(setups.profile(), fitting(500))
    Probe(session, setup, setups.survey([100])).run()
    job = runner.jobs[0]
    assert isinstance(job, TrialJob)
    assert job.device == setup.device_spec  # the budget itself, without the margin of other work
    assert job.generate_rows == setup.evaluation_rows
    assert job.generate_context > setup.profile.evaluate.max_new_tokens
    assert job.steps >= 2


def test_rounds_beyond_the_limit_are_not_looked_at_and_a_strategy_takes_the_rounds_that_fit() -> (
    None
):
    fitted = setups.strategy("A", model_max_length="fits", max_rounds="fits")
    chosen = setups.profile(fitted, max_rounds=2)
    with tempfile.TemporaryDirectory() as folder:
        session, runner = setups.session(Path(folder), Memory(BASE, EACH))
        data = setups.survey(*[[40, 40, 200]] * 4)
        found = Probe(session, setups.setup(chosen, fitting(1000)), data).run()
    # Two rounds are 80 tokens: no longer row is asked about, though there is memory for it.
    assert max(job.point.row_tokens for job in runner.jobs if isinstance(job, TrialJob)) == 80
    assert (found.model_max_length, found.max_rounds) == (128, 2)
    assert found.strategies["A"].max_rounds == 2
