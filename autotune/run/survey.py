"""The survey of the data: made once, kept in the run folder, read by a run that resumes."""

from dataclasses import replace
from pathlib import Path

from autotune.base.format import strategies_text
from autotune.config.own_data import is_trained_on
from autotune.data.survey import Survey, read_survey
from autotune.launch.worker_errors import worker_error
from autotune.protocol.job import SurveyJob
from autotune.run.session import Session
from autotune.run.setup import SILENCE_SECONDS, Setup
from autotune.run.training_data import TrainingData


def survey_data(session: Session, setup: Setup) -> Survey:
    """The survey of the run's data, which knows those of the strategies with data of their own.

    Strategies that train on the same conversations share one. Data that no strategy trains on is
    not read: what is odd about it, and how long it is, is nothing to anybody.
    """
    run = None
    if is_trained_on(setup.profile) or not setup.own_data:
        run = one_survey(session, setup, setup.run_data, session.rundir.survey)
    sharing: dict[str, list[str]] = {}
    for strategy, data in setup.own_data.items():
        sharing.setdefault(data.digest, []).append(strategy)
    own: dict[str, Survey] = {}
    for digest, strategies in sharing.items():
        data = setup.data_of(strategies[0])
        path = session.rundir.own_survey(digest)
        own |= dict.fromkeys(strategies, one_survey(session, setup, data, path, *strategies))
    if run is None:
        return replace(next(iter(own.values())), own=own, trained_on=False)
    return replace(run, own=own)


def one_survey(
    session: Session, setup: Setup, data: TrainingData, path: Path, *strategies: str
) -> Survey:
    """Tokenize the data once per run and keep the survey at `path`.

    `strategies` are those that it is for, where it is not the run's data. One of an earlier version
    is made again, unless something was trained by it: rows that were read otherwise then would be
    other rows than those that are tried now.
    """
    state = session.state
    surveyed = state.survey if not strategies else state.own_surveys.get(strategies[0])
    known = surveyed is not None and path.exists()
    if not known or not (state.trials or read_survey(path).rows):
        folder = session.rundir.work_folder("survey")
        result = session.work(
            SurveyJob(
                device=setup.work_device,
                model_folder=str(setup.model_folder),
                data=data.spec,
                out=str(path),
                prompts=str(data.scored_prompts) if data.scored_prompts else None,
                strategies=strategies,
                label=data.label if strategies else "",
            ),
            folder,
            silence_seconds=SILENCE_SECONDS,
        )
        if result.failure is not None:
            of = f"{strategies_text(strategies)}: " if strategies else ""
            raise worker_error(result, f"{of}data {data.label}", folder)
    return Survey(read_survey(path), data.spec.truncation)
