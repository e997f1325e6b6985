"""`chat`: talk with a run's best, or any model folder, in the terminal or through a pipe."""

import signal
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from autotune.base.errors import BadInput, ExitCode
from autotune.base.format import either
from autotune.base.near import did_you_mean
from autotune.base.scratch import scratch_folder
from autotune.chat.answerer import Answerer
from autotune.chat.talk import COMMANDS, LineInterrupted, Talk, Tell
from autotune.cli.console import at_work, human_console, print_json, write
from autotune.cli.no_better import no_better_line
from autotune.cli.options import Options
from autotune.cli.settings import stored_settings
from autotune.cli.synth_model import checkpoint_at
from autotune.cli.word_wrap import labelled, text_column
from autotune.device.find import Device, find_device
from autotune.protocol.choices import AUTO, Precision
from autotune.protocol.device_spec import DeviceSpec
from autotune.run.find_run import run_of
from autotune.run.record_cache import RecordCache
from autotune.run.setup import own_precision, torch_index

PROMPT = "you> "

AWAITED = "an answer is awaited; the first one loads the model"
"""Said on a terminal until there is some of it."""

NARROWEST = 40
"""Columns that the meaning of a command needs beside it; else it stands below."""


def chat_command(target: Path, options: Options, max_new_tokens: int) -> int:
    """`chat`."""
    if max_new_tokens < 1:
        raise BadInput(f"--max-new-tokens {max_new_tokens}: must be a whole number from 1")
    folder = checkpoint_at(target, "chat")
    run = run_of(folder)
    state = None if run is None else RecordCache().of(run).state
    warning = no_better_line(run, state, folder)
    device = find_device(options.device or AUTO)
    spec = device_spec(options, device, folder)
    interactive, console = sys.stdin.isatty(), human_console(options.as_json)
    tell = teller()
    if warning is not None:
        tell(warning)
    where = f"{folder} on {device.name}, {spec.precision.value}"
    if interactive:
        tell(f"{where}; greedy, as it is scored")
        tell(f"{', '.join(COMMANDS)}; Ctrl-C stops an answer. The first one loads the model.")
    else:
        tell(f"{where}: the first answer loads the model")
    with (
        scratch_folder("chat") as work,
        Answerer(spec, folder, max_new_tokens, device.traits.prefill_tokens, work) as answerer,
        interrupts_to(answerer),
    ):
        talk = Talk(
            answers=answerer,
            read=typed_by(options.as_json) if interactive else piped(),
            say=(lambda _: None) if options.as_json else write,
            tell=tell,
            max_new_tokens=max_new_tokens,
            interactive=interactive,
            waiting=lambda: at_work(console, AWAITED),
        )
        talk.run()
    if options.as_json:
        print_json(
            {
                "model": str(folder),
                "no_better": warning is not None,
                "answers": [
                    {
                        "prompt": each.question,
                        "response": each.answer.text,
                        "finish": each.answer.finish,
                        "new_tokens": each.answer.new_tokens,
                        "seconds": each.answer.seconds,
                    }
                    for each in talk.exchanges
                ],
            }
        )
    return ExitCode.DONE


def device_spec(options: Options, device: Device, folder: Path) -> DeviceSpec:
    """Where the worker computes: in the precision asked for, the run's, or the device's own.

    Raises:
        BadInput: there is no such precision.
    """
    asked = options.precision or of_run(folder, device) or AUTO
    known = [AUTO, *Precision]
    if asked not in known:
        raise BadInput(f"--precision {asked}: must be {either(known)}{did_you_mean(asked, known)}")
    precision = own_precision(device) if asked == AUTO else Precision(asked)
    index = torch_index(options.device or AUTO)
    return DeviceSpec(kind=device.kind, index=index, precision=precision)


def of_run(folder: Path, device: Device) -> str | None:
    """The precision that the run of a model names and scored in; None where it names none.

    Nor where the run was on a card and this is a CPU, which lacks 16-bit arithmetic.
    """
    run = run_of(folder)
    settings = tomllib.loads(stored_settings(run.root) or "") if run is not None else {}
    named = settings.get("machine", {}).get("precision")
    known = named in tuple(Precision)
    return named if known and (device.traits.any_precision or named == Precision.FP32) else None


@contextmanager
def interrupts_to(answerer: Answerer) -> Iterator[None]:
    """Within, Ctrl-C ends an answer and not the command; where it is ignored it stays so."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        if not answerer.busy:
            raise LineInterrupted
        answerer.interrupt()

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def typed_by(as_json: bool) -> Callable[[], str | None]:
    """The lines that a person types, with a prompt before each; None where they end the talk.

    With `as_json` the prompt goes to standard error: the other holds the JSON alone.
    """
    with suppress(ImportError):
        import readline  # noqa: F401 (with it, `input` has a history and lets a line be edited)

    def read() -> str | None:
        if as_json:
            sys.stderr.write(PROMPT)
            sys.stderr.flush()
        try:
            line = input() if as_json else input(PROMPT)
        except EOFError:
            return None
        return line.encode("utf-8", "replace").decode("utf-8")

    return read


def piped() -> Callable[[], str | None]:
    """The lines of standard input, UTF-8; what is none is replaced."""
    stream = sys.stdin.buffer

    def read() -> str | None:
        line = stream.readline()
        return line.decode("utf-8-sig", "replace") if line else None

    return read


def teller() -> Tell:
    """What shows a line beside the answers: dim on a terminal, and never among piped answers."""
    from autotune.cli.console import console_on, say_on

    console = console_on(sys.stderr)
    columns, say = console.width, say_on(console)
    at = text_column(columns, 2 + max(map(len, COMMANDS)), NARROWEST)

    def tell(line: str, label: str = "") -> None:
        for each in labelled(label, line, columns, at) if label else [line]:
            say(each, style="dim")

    return tell
