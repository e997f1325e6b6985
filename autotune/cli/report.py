"""`report`: a run's report, written again from its record."""

from pathlib import Path

from autotune.base.errors import BadInput, ExitCode
from autotune.base.format import quoted
from autotune.cli.console import human_console
from autotune.cli.find_answers import scored_by
from autotune.cli.run import finish, save_report
from autotune.launch import SubprocessRunner
from autotune.protocol.scores import DEFAULT_SCORER
from autotune.run.answering import RESPONSES
from autotune.run.folder import EVALUATED, RunDir
from autotune.run.session import Session


def report_command(root: Path, as_json: bool) -> int:
    """`report`."""
    rundir = RunDir(root)
    if root.is_file():
        raise BadInput(f"{root}: is a file; give a run's folder{_holding(root)}")
    if not rundir.events.exists():
        raise BadInput(f"{root}: holds no run (no {rundir.events.name}); give a run's folder")
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


def _holding(path: Path) -> str:
    """The run's folder that a file lies in, where it does."""
    return f", such as {path.parent}" if RunDir(path.parent).events.exists() else ""
