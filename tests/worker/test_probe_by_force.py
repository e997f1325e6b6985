"""The probe against trying everything: real processes and every point of the grid."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from autotune.base.sizes import MIB
from autotune.data.survey import Survey
from autotune.device.budget import Budget
from autotune.fit.probe import Probe
from autotune.fit.search import most_trials
from autotune.fit.trials import Attempts
from autotune.launch import SubprocessRunner
from autotune.protocol.choices import Truncation
from autotune.protocol.results import Verdict
from autotune.run.folder import RunDir
from autotune.run.session import Session
from autotune.run.setup import Setup
from autotune.run.survey import survey_data
from tests import setups
from tests.worker.toys import EXACT_PEAKS, PATIENT_SECONDS, data_spec, device, save_toy

pytestmark = [pytest.mark.torch, pytest.mark.slow]

LONGEST = 384
MOST_ROUNDS = 4
# Wide enough that the budget, put into the widest gap between two measured peaks, is further from
# both than the noise of resident memory (about 2 MiB).
WIDE = {"hidden_size": 320, "intermediate_size": 1280, "num_hidden_layers": 8}


def long_chats(path: Path) -> Path:
    """Conversations of one to four rounds of about ninety tokens each."""
    lines = []
    for rounds in range(1, MOST_ROUNDS + 1):
        turns = []
        for number in range(rounds):
            turns += [
                {"role": "user", "content": f"q{number}"},
                {"role": "assistant", "content": "a" * 63},
            ]
        lines.append(json.dumps({"messages": turns}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def session_of(folder: Path) -> Session:
    folder.mkdir(parents=True, exist_ok=True)
    return Session(RunDir(folder), SubprocessRunner(), clock=time.time)


def peaks_of(session: Session, chosen: Setup, survey: Survey, sizes: list[int]) -> dict[int, int]:
    """The peak of each size, each in a process of its own."""
    with session.runner.warm() as warm:
        force = Attempts(session, chosen, survey, warm)
        peaks = {}
        for size in sizes:
            outcome = force.outcome(force.point(size, "all"), fresh=True)
            assert outcome.verdict is Verdict.FITS
            assert outcome.measurement is not None
            peaks[size] = outcome.measurement.peak_bytes
    return peaks


def with_budget(chosen: Setup, limit_bytes: int) -> Setup:
    budget = Budget(total_bytes=limit_bytes, reserve_bytes=0, source="test")
    spec = chosen.device_spec.model_copy(update={"limit_bytes": limit_bytes})
    return replace(chosen, budget=budget, device_spec=spec)


def test_the_probe_finds_what_trying_every_length_finds(
    tmp_path: Path, say: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*EXACT_PEAKS)
    model = save_toy(tmp_path / "model", **WIDE)
    profile = setups.profile(
        setups.strategy(),
        min_length=64,
        max_length=LONGEST,
        trial_timeout_seconds=PATIENT_SECONDS,
    )
    chosen = setups.setup(profile, folder=model)
    chosen = replace(
        chosen,
        data=data_spec(long_chats(tmp_path / "chat.jsonl")),
        device_spec=device(),
        prompts=setups.prompts(2),
    )
    chosen = with_budget(chosen, 2**34)
    session = session_of(tmp_path / "force")
    survey = survey_data(session, chosen)
    assert survey.truncation is Truncation.RIGHT
    grid = Probe(session, chosen, survey).grid()
    assert grid == list(range(64, LONGEST + 1, 64))
    longest = {rounds: survey.longest(rounds) for rounds in range(1, MOST_ROUNDS + 1)}
    sizes = sorted({*grid, *longest.values()})
    peaks = peaks_of(session, chosen, survey, sizes)
    say("length  peak MiB")
    for size, peak in peaks.items():
        say(f"{size:6d}  {peak / MIB:8.1f}")

    # The budget lies in the middle of the widest gap, where no noise can move a verdict.
    gaps = {
        small: peaks[large] - peaks[small]
        for small, large in pairwise(sizes)
        if grid[0] <= small and large < grid[-1]
    }
    fitting = max(gaps, key=lambda size: gaps[size])
    limit = peaks[fitting] + gaps[fitting] // 2
    by_force = max(length for length in grid if length <= fitting)

    fit = Probe(session_of(tmp_path / "probe"), with_budget(chosen, limit), survey).run()
    say(f"budget {limit / MIB:.1f} MiB: by force {by_force}, probe {fit.model_max_length}")
    for tried in fit.trials:
        say(f"{tried.point.row_tokens:6d}  {tried.verdict}  {tried.reason}")
    assert fit.model_max_length == by_force
    assert fit.max_rounds == max(r for r, tokens in longest.items() if tokens <= fitting)
    assert len(fit.trials) <= most_trials(len(grid))
    assert fit.peak_bytes <= limit
    for tried in fit.trials:
        assert (tried.verdict is Verdict.FITS) == (tried.point.row_tokens <= fitting)
