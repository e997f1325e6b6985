"""`watch`: the screen of a run that another terminal works at, or that is over. Reads only."""

import time
from pathlib import Path

from rich.console import Console

from autotune.base.errors import ExitCode
from autotune.base.format import counted, quoted
from autotune.cli.console import human_console, print_json, say_on
from autotune.cli.found_run import found_run
from autotune.cli.runs import as_tree
from autotune.protocol.result_text import score_text
from autotune.run.folder import RunDir
from autotune.run.follow import FollowedRun
from autotune.run.overview import evaluated_in, overview
from autotune.run.state import StudyState
from autotune.screen.device_sample import recorded_gauge
from autotune.screen.encodable import Encodable
from autotune.screen.live import make_view
from autotune.screen.plain import PlainView
from autotune.screen.summary import summary
from autotune.text.interruption import interrupted_run

POLL_SECONDS = 0.5
"""How often the record is looked at: as often as the screen is drawn."""


def watch_command(named: Path | None, as_json: bool) -> int:
    """`watch`: until the run is over, or nobody works at it any more, or Ctrl-C."""
    root = found_run(named)
    console = human_console(as_json)
    say = say_on(console)
    followed = FollowedRun(RunDir(root))
    say(f"run folder {root}; this only looks, Ctrl-C leaves and the run continues")
    try:
        follow(console, followed)
    except KeyboardInterrupt:
        say(f"left; to see it again: smolsft-autotune watch {quoted(str(root))}")
    else:
        conclude(console, followed, root)
    if as_json and (found := overview(root)) is not None:
        print_json(as_tree(found, time.time()))
    return ExitCode.DONE


def follow(console: Console, followed: FollowedRun) -> None:
    """Show the run while a process works at it, and how it stands where none does."""
    running = followed.is_running

    def clock() -> float:
        state = followed.state
        return time.time() if running or state.now is None else state.now

    view = make_view(
        console,
        clock,
        lambda: followed.state,
        recorded_gauge(lambda: followed.state, lambda: running),
        lambda: running,
    )
    if isinstance(view, PlainView):  # lines as the run itself printed them, by the record's clock
        view = PlainView(console, lambda: followed.state.now or 0.0, lambda: followed.state)

    def look() -> None:
        for record in followed.poll():
            view.on_record(record)

    look()  # what happened before, so that the first screen is whole
    with view:
        while running:
            time.sleep(POLL_SECONDS)
            # Asked before the last look, so that what it wrote at its end is seen.
            running = followed.is_running
            look()


def conclude(console: Console, followed: FollowedRun, root: Path) -> None:
    """The result as the run itself shows it, or that it stands still and how to resume it."""
    state = followed.state
    if followed.passed_over:
        lines, record = counted(followed.passed_over, "line"), followed.rundir.events
        warning = f"{lines} of {record} could not be read and were passed over"
        say_on(console)(warning, style="yellow")
    if state.ended is not None:
        console.print(Encodable(summary(state, root)))
        return
    if (evaluated := evaluated_in(followed.rundir, state)) is not None:
        score = score_text(evaluated.score, evaluated.interval)
        say_on(console)(f"an evaluation that is over: {score}")
        return
    probed = state.run is not None and not state.run.target and state.fit is not None
    if probed or (state.run is None and state.practice is not None and not state.in_practice):
        return
    say_on(console)(f"nobody works at {root}: {how_to_resume(state, root)}", style="yellow")


def how_to_resume(state: StudyState, root: Path) -> str:
    """That a run was interrupted, what it keeps, and the command that resumes it."""
    command = state.run.command if state.run is not None else ""
    if not command:
        return "it was interrupted; the command that began it resumes it"
    if "--run-dir" not in command:
        command += f" --run-dir {quoted(str(root))}"
    return f"it was interrupted; {interrupted_run(state, root)}: {command}"
