"""Which keys of the space made the difference, as far as the trials can tell."""

from collections.abc import Sequence

from autotune.protocol.space import Space
from autotune.run.trial_summary import TrialSummary
from autotune.study.optuna_study import frozen, quiet_optuna

MIN_TRIALS = 4
"""Whole trials from which on anything is said: of fewer every key is as likely as another."""


def importances(trials: Sequence[TrialSummary], space: Space) -> dict[str, float]:
    """Key -> its share of the importance, in falling order; empty where the trials say nothing.

    PED-ANOVA: how far the values of the better trials lie from those of all (Watanabe et al.,
    arXiv 2304.10255). The other evaluators of Optuna need scikit-learn. A key that all trials have
    the same value of has none.
    """
    whole = [t for t in trials if t.outcome == "COMPLETE" and not t.repeats]
    if len(whole) < MIN_TRIALS or len({t.value for t in whole}) < 2:
        return {}
    varied = {k: ends for k, ends in space.items() if len({t.point[k] for t in whole}) > 1}
    if not varied:
        return {}
    with quiet_optuna() as optuna:
        study = optuna.create_study(direction="maximize")
        for trial in whole:
            study.add_trial(frozen(trial, varied))
        found = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
        )
    return {key: round(float(share), 4) for key, share in found.items()}
