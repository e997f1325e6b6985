"""`report`: a run's report, written again from its record."""

from pathlib import Path

from autotune.base.errors import BadInput, ExitCode
from autotune.base.format import quoted
from autotune.cli.console import human_console
from autotune.cli.find_answers import scored_by
from autotune.cli.found_run import found_run
from autotune.cli.run import finish, save_report
from autotune.launch import SubprocessRunner
from autotune.protocol.scores import DEFAULT_SCORER
from autotune.run.answering import RESPONSES
from autotune.run.folder import EVALUATED, RunDir
from autotune.run.session import Session


def report_command(named: Path | None, as_json: bool) -> int:
    """`report`."""
    rundir = RunDir(found_run(named))
    if not rundir.events.is_file():
        raise BadInput(f"{rundir.root}: begins just now and has no record yet; try again")
    session = Session(rundir, SubprocessRunner())
    if session.state.run is None:
        refuse_evaluation(rundir)
    save_report(session)
    finish(human_console(as_json), rundir, session, as_json)
    return ExitCode.DONE


def refuse_evaluation(rundir: RunDir) -> None:
    """Refuse a folder in which `eval` answered prompts: that is no run, so there is no report.

    Raises:
        BadInput: it is one.
    """
    answers = rundir.eval_folder(EVALUATED) / RESPONSES
    if answers.is_file():
        raise BadInput(
            f"{rundir.root}: holds an evaluation, which has no report; its score is shown again by"
            f" smolsft-autotune eval --responses {quoted(str(answers))} --prompts"
            f" {quoted(str(rundir.prompts))}{scorer_option(rundir)}"
        )


def scorer_option(rundir: RunDir) -> str:
    """What a command about the answers of a run needs, where they are not for the usual scorer."""
    scorer = scored_by(rundir)
    return "" if scorer == DEFAULT_SCORER else f" --scorer {scorer}"
