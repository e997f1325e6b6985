"""In which precision a trial's checkpoints answer."""

from dataclasses import replace

from autotune.run.setup import Setup
from autotune.run.trial_state import TrialState


def as_trained(setup: Setup, trial: TrialState) -> Setup:
    """The setup for answering with a trial's weights, in the precision that they were trained in.

    What would overflow in training would overflow in its answers as well.
    """
    if trial.precision_changed is None:
        return setup
    changed = {"precision": trial.precision_changed.after}
    return replace(setup, device_spec=setup.device_spec.model_copy(update=changed))
