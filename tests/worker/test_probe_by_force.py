"""The probe against trying everything: real processes and every point of the grid."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from autotune.budget import MIB, Budget
from autotune.outcome import Verdict
from autotune.plan import Truncation
from autotune.probe import Probe
from autotune.rundir import RunDir
from autotune.search import most_trials
from autotune.session import Session
from autotune.setup import Setup, survey_data
from autotune.survey import Survey
from autotune.trials import SubprocessRunner
from tests import setups
from tests.worker.toys import data_spec, device, save_toy

pytestmark = [pytest.mark.torch, pytest.mark.slow]

LONGEST = 384
# Wide enough that 64 tokens more are well above the noise of resident memory (about 2 MiB).
WIDE = {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 6}


def long_chats(path: Path) -> Path:
    """Conversations of one to eight rounds of about fifty tokens each."""
    lines = []
    for rounds in range(1, 9):
        turns = []
        for number in range(rounds):
            turns += [
                {"role": "user", "content": f"q{number}"},
                {"role": "assistant", "content": "a" * 23},
            ]
        lines.append(json.dumps({"messages": turns}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def probe_of(folder: Path, chosen: Setup, survey: Survey | None) -> Probe:
    session = Session(RunDir(folder), SubprocessRunner(), clock=time.time)
    folder.mkdir(parents=True, exist_ok=True)
    return Probe(session, chosen, survey or survey_data(session, chosen))


def with_budget(chosen: Setup, limit_bytes: int) -> Setup:
    budget = Budget(total_bytes=limit_bytes, reserve_bytes=0, source="test")
    spec = chosen.device_spec.model_copy(update={"limit_bytes": limit_bytes})
    return replace(chosen, budget=budget, device_spec=spec)


def test_the_probe_finds_what_trying_every_length_finds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_toy(tmp_path / "model", **WIDE)
    chosen = setups.setup(
        setups.profile(setups.strategy(), min_length=64, max_length=LONGEST), folder=model
    )
    chosen = replace(
        chosen,
        data=data_spec(long_chats(tmp_path / "chat.jsonl")),
        device_spec=device(),
        prompts=setups.prompts(2),
    )
    chosen = with_budget(chosen, 2**34)
    force = probe_of(tmp_path / "force", chosen, None)
    assert force.survey.truncation is Truncation.RIGHT
    grid = force.grid()
    assert grid == list(range(64, LONGEST + 1, 64))
    for length in grid:
        assert force.try_point(force.length_point(length))
    peaks = [t.measurement.peak_bytes for t in force.trials if t.measurement is not None]
    with capsys.disabled():
        print("\nlength  peak MiB")
        for length, peak in zip(grid, peaks, strict=True):
            print(f"{length:6d}  {peak / MIB:8.1f}")

    # The budget lies in the middle of the widest gap, where no noise can move a verdict.
    gaps = {at: peaks[at + 1] - peaks[at] for at in range(1, len(peaks) - 1)}
    at = max(gaps, key=lambda i: gaps[i])
    limit = (peaks[at] + peaks[at + 1]) // 2
    by_force = max(length for length, peak in zip(grid, peaks, strict=True) if peak <= limit)
    assert by_force == grid[at]

    probe = probe_of(tmp_path / "probe", with_budget(chosen, limit), force.survey)
    fit = probe.run()
    with capsys.disabled():
        print(f"budget {limit / MIB:.1f} MiB: by force {by_force}, probe {fit.model_max_length}")
        for tried in fit.trials:
            print(f"{tried.point.model_max_length:6d}  {tried.verdict}  {tried.reason}")
    assert fit.model_max_length == by_force
    assert len(fit.trials) <= most_trials(len(grid))
    assert fit.peak_bytes <= limit
    for tried in fit.trials:
        fits = tried.point.row_tokens <= by_force
        assert (tried.verdict is Verdict.FITS) == fits or tried.point.row_tokens not in grid

    # Rounds whose longest conversation is no longer than a length that fits are sure, and those
    # as long as one that does not are out; what lies between is tried here as well.
    longest = {rounds: force.survey.longest(rounds) for rounds in range(1, 9)}
    expected = max(rounds for rounds, tokens in longest.items() if tokens <= by_force)
    for rounds, tokens in longest.items():
        if by_force < tokens < by_force + 64:
            force.try_point(force.point(tokens, rounds))
            measured = force.trials[-1].measurement
            assert measured is not None
            if measured.peak_bytes <= limit:
                expected = max(expected, rounds)
    assert fit.max_rounds == expected
