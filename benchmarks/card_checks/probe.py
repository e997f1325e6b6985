"""The probe under a budget of 8 GiB against trying every length around its answer.

Without gradient checkpointing, because with it SmolLM2-135M's longest rows fit 8 GiB and there
would be no boundary to find.

A toy on a CPU has none either: its peaks differ by less than those of one length do. There every
length is tried first and the budget has room for all; `tests/worker/test_probe_by_force.py` is
where a CPU's boundary is found.
"""

from dataclasses import replace
from pathlib import Path

from autotune.base.sizes import GIB, MIB
from autotune.cli.options import Options
from autotune.config.load import find_profile
from autotune.data.survey import Survey
from autotune.fit.guess import InitialGuess
from autotune.fit.probe import Probe
from autotune.fit.search import most_trials
from autotune.protocol.results import Verdict
from autotune.run.session import Session
from autotune.run.setup import Setup, open_setup
from autotune.run.survey import survey_data
from benchmarks.card_checks.asked import Answer, Ask, Figures, fresh
from benchmarks.card_checks.inputs import long_chat
from benchmarks.card_checks.jobs import free_bytes
from benchmarks.probe_by_force import by_force, peak_of, print_nothing, session_in, with_limit

BUDGET_BYTES = 8 * GIB
SHARE_OF_FREE = 0.85
"""The budget on a card that has no 8 GiB free: lengths beyond the answer must run as well, or their
peaks could not be compared."""

AROUND = (1, 2, 0, -1)
"""Steps of the length grid away from the answer that are tried by force: first the one that must
not fit, then further ones, as far as the time goes."""

LENGTHS = {"card": (128, 8192), "rehearsal": (128, 256)}

ROOM = 1.25
"""Of a rehearsal's budget, over the largest peak; resident memory varies by some percent."""


def check(ask: Ask, figures: Figures) -> Answer:
    """Passed where force finds the same longest length and no accepted trial passed the budget."""
    root = ask.folder / "probe"
    session, setup = opened(ask, root)
    survey = survey_data(session, setup)
    grid = Probe(session, setup, survey).grid()
    figures["grid"] = [grid[0], grid[-1], len(grid)]
    peaks: dict[int, int] = {}
    if not ask.on_card:
        peaks = by_force(session, setup, survey, grid, fresh=False)
        setup = with_limit(setup, round(ROOM * max(peaks.values())))
    limit = setup.budget.limit_bytes
    figures["budget_mib"] = limit // MIB
    initial_guess = InitialGuess(session, setup)
    figures["predicted_length"] = initial_guess.guess(grid)
    probing = Probe(session_in(fresh(root, "found")), setup, survey)
    probing.guess, probing.predict = initial_guess.guess, initial_guess.peak_of
    fit = probing.run()
    answer = grid.index(fit.model_max_length)
    figures["found_length"] = fit.model_max_length
    figures["trials"] = [[t.point.row_tokens, t.verdict, peak_of(t) // MIB] for t in fit.trials]
    figures["most_trials"] = most_trials(len(grid))
    if ask.on_card:
        peaks = around(figures, root, setup, survey, grid, answer)
    figures["by_force_mib"] = {n: peak // MIB for n, peak in sorted(peaks.items())}
    fitting = [length for length, peak in peaks.items() if 0 < peak <= limit]
    beyond = [length for length, peak in peaks.items() if peak > limit]
    figures["within_budget"] = all(
        peak_of(t) <= limit for t in fit.trials if t.verdict is Verdict.FITS
    )
    longest = max(fitting, default=None)
    bounded = bool(beyond) or fit.model_max_length == grid[-1]
    line = f"{fit.model_max_length} tokens found in {len(fit.trials)} trials, {longest} by force,"
    line += f" {figures['predicted_length']} predicted, budget {limit // MIB} MiB"
    same = longest == fit.model_max_length and bounded and figures["within_budget"]
    if not ask.on_card:
        return Answer(None, line)
    return Answer(same, line)


def opened(ask: Ask, root: Path) -> tuple[Session, Setup]:
    """A session with one long conversation, under the budget, without the search for speed."""
    name = "cpu-smoke" if ask.rehearse else "rtx4060-laptop-8gb"
    profile = Options(
        model=ask.model,
        data=str(long_chat(ask.folder / "long.jsonl")),
        prompts=ask.prompts,
        device=ask.device,
        # A few short answers: the step is what shall be at the boundary.
        prompt_limit="1",
        max_new_tokens=16,
    ).adjust(find_profile(name))
    least, most = LENGTHS["card" if ask.on_card else "rehearsal"]
    probe = profile.probe.model_copy(
        update={
            "gradient_checkpointing": False,
            "speed_trials": 0,
            "min_length": least,
            "max_length": most,
        }
    )
    session = session_in(fresh(root, "force"))
    setup = open_setup(session, profile.model_copy(update={"probe": probe}), print_nothing)
    if ask.on_card:
        setup = with_limit(setup, min(BUDGET_BYTES, int(SHARE_OF_FREE * free_bytes(ask))))
    return session, replace(setup, data_label="one long conversation")


def around(
    figures: Figures, root: Path, setup: Setup, survey: Survey, grid: list[int], answer: int
) -> dict[int, int]:
    """Peaks of the answer's neighbours and of itself, as many as there is time for."""
    session = session_in(fresh(root, "around"))
    peaks: dict[int, int] = {}
    longest = 0.0
    for at in (answer + step for step in AROUND):
        if 0 <= at < len(grid) and figures.left > 2 * longest:
            before = figures.left
            peaks |= by_force(session, setup, survey, [grid[at]])
            longest = max(longest, before - figures.left)
    return peaks
