"""How a model does on the kinds that a run's practice data leaves out, once an answer to all is in.

Every model that a run scores is looked at so, whatever it trained on: what comes of practice shows
beside the untrained model and beside what trained on other data.
"""

from autotune.protocol.results import EvalReport
from autotune.protocol.training_data_events import KindsApart
from autotune.run.state import StudyState
from autotune.score.kinds import kinds_apart


def kinds_of(state: StudyState, report: EvalReport) -> tuple[KindsApart, ...]:
    """An entry for each choice of held-out kinds of the run's practice data; none without any."""
    practised: dict[tuple[str, ...], set[str]] = {}
    for found in state.practice_found.values():
        if found.held_out:
            practised.setdefault(found.held_out, set()).update(found.practised)
    each = (kinds_apart(report.verdicts, kinds, out) for out, kinds in practised.items())
    return tuple(apart for apart in each if apart is not None)
