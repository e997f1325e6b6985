"""What the process of a run loads and builds on its way, done once before it is forked."""

import alembic.migration
import jinja2
import langdetect
import nltk
import optuna
import psutil

import autotune.cli.main
import autotune.cli.overrides
import autotune.device.nvml
import autotune.fit.guess
import autotune.report.write
import autotune.score.exact.scorer
import autotune.score.ifeval.scorer
import autotune.screen.live

__all__ = ["alembic", "autotune", "jinja2", "langdetect", "nltk", "optuna", "psutil"]


def _ask() -> None:
    """Optuna reads its tables' descriptions when it is first asked something."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(storage="sqlite://", sampler=optuna.samplers.TPESampler(seed=0))
    study.tell(study.ask(), 0.0)


_ask()
