"""The survey of the data: made once, kept in the run folder, read by a run that resumes."""

from autotune.data.survey import Survey, read_survey
from autotune.launch.worker_errors import worker_error
from autotune.protocol.job import SurveyJob
from autotune.run.session import Session
from autotune.run.setup import SILENCE_SECONDS, Setup


def survey_data(session: Session, setup: Setup) -> Survey:
    """Tokenize the data once per run and keep the survey in the run folder.

    One of an earlier version is made again, unless something was trained by it: rows that were read
    otherwise then would be other rows than those that are tried now.
    """
    path = session.rundir.survey
    known = session.state.survey is not None and path.exists()
    if not known or not (session.state.trials or read_survey(path).rows):
        folder = session.rundir.work_folder("survey")
        result = session.work(
            SurveyJob(
                device=setup.work_device,
                model_folder=str(setup.model_folder),
                data=setup.data,
                out=str(path),
                prompts=str(setup.scored_prompts) if setup.scored_prompts else None,
            ),
            folder,
            silence_seconds=SILENCE_SECONDS,
        )
        if result.failure is not None:
            raise worker_error(result, f"data {setup.data_label}", folder)
    return Survey(read_survey(path), setup.data.truncation)
