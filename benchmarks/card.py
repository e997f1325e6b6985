"""Everything about the tool that only a card can show, in one command on a bare machine.

    python benchmarks/card.py [--part 1|2] [--pack FOLDER] [--out card.json] [--minutes 6]

Two parts, each of at most `--minutes` (6 suit an H100; a laptop's card wants 30). Either can be run
alone, and a later call goes on with what has no answer yet. No network is needed: packages that are
missing are named, and taken from the pack or from `--wheels` where one is given (`card_pack.py`
gathers them). Every step is a process with a time limit; its outcome and its figures are in the
JSON as soon as it ends. `--rehearse` does all of it on the CPU with a toy, and writes to
rehearsal.json and rehearsal-work. What is asked and how to read the answer: docs/card.md.

Exit code: 0 nothing failed, 1 something did, 2 bad input, 4 packages or the card are missing, 130
interrupted.
"""

import argparse
import re
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.card_checks import missing, steps  # noqa: E402
from benchmarks.card_checks.asked import Answer, Ask, Figures, Outcome  # noqa: E402
from benchmarks.card_checks.caller import Caller  # noqa: E402
from benchmarks.card_checks.pack import Pack  # noqa: E402
from benchmarks.card_checks.record import Record  # noqa: E402

BAD_INPUT = 2
ENVIRONMENT = 4
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    asked = parsed(arguments)
    if asked.step:
        return do_step(asked.step[0], Path(asked.step[1]), asked)
    work = asked.work
    site = work / "site"
    pack = Pack(asked.pack or work / "pack")
    wheels = asked.wheels or (pack.wheels if pack.wheels.is_dir() else None)
    if site.is_dir():
        sys.path.insert(0, str(site))
    if not have_packages(wheels, site):
        return ENVIRONMENT
    try:
        record = Record(asked.out, rehearsal=asked.rehearse)
    except ValueError as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    chosen = [
        step
        for step in steps.STEPS
        if (asked.part in (None, step.part)) and (not asked.only or step.name in asked.only)
    ]
    caller = Caller(asked, record, work, site)
    # `timeout` and a system that ends its session send this one: no step may outlive the command.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for part in sorted({step.part for step in chosen}):
            if not caller.do_part([step for step in chosen if step.part == part]):
                return ENVIRONMENT
    except KeyboardInterrupt:
        print(f"interrupted; the same command resumes from here ({asked.out})", file=sys.stderr)
        return INTERRUPTED
    return closing(record, chosen)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [step.name for step in steps.STEPS]
    parser.add_argument("--part", type=int, choices=(1, 2), help="one part; absent: both")
    parser.add_argument("--only", nargs="+", choices=names, metavar="STEP", help=", ".join(names))
    parser.add_argument("--again", action="store_true", help="ask again what has an answer")
    parser.add_argument("--minutes", type=float, help="of a part; absent: 6")
    parser.add_argument("--out", type=Path, help="the JSON; absent: card.json")
    parser.add_argument("--work", type=Path, help="for files; absent: card-work")
    parser.add_argument("--pack", type=Path, help="what card_pack.py gathered")
    parser.add_argument("--wheels", type=Path, help="a folder of wheels; absent: the pack's")
    parser.add_argument("--device", default="cuda", help="cuda or cuda:N")
    parser.add_argument("--model", help="a model folder; absent: the pack's weights, or random")
    parser.add_argument("--data", default="", help="a chat file; absent: 6 000 made here")
    parser.add_argument("--prompts", default="", help="a prompts file; absent: the pack's or 48")
    parser.add_argument("--rehearse", action="store_true", help="on the CPU, everything tiny")
    parser.add_argument("--step", nargs=2, metavar=("NAME", "ASK"), help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.minutes is None:
        asked.minutes = steps.REHEARSAL_MINUTES if asked.rehearse else steps.PART_MINUTES
    if asked.minutes <= 0:
        parser.error(f"--minutes {asked.minutes:g}: must be above 0")
    if not re.fullmatch(r"cuda(:[0-9]+)?", asked.device):
        parser.error(f"--device {asked.device}: must be cuda or cuda:N; on a CPU: --rehearse")
    for name in ("pack", "wheels"):
        if (folder := getattr(asked, name)) is not None and not folder.is_dir():
            parser.error(f"--{name} {folder}: no such folder")
    # What a CPU says is kept away from what a card is asked: an answer is not asked for again.
    kind = "rehearsal" if asked.rehearse else "card"
    asked.out = asked.out or Path(f"{kind}.json")
    asked.work = asked.work or Path(f"{kind}-work")
    for name in ("out", "work", "pack", "wheels", "model", "data", "prompts"):
        # A step runs in another folder; what is no path (a hub id, demo) stays as it is.
        value = getattr(asked, name)
        if value and (name in ("out", "work") or Path(value).exists()):
            setattr(asked, name, type(value)(Path(value).resolve()))
    return asked


def have_packages(wheels: Path | None, site: Path) -> bool:
    """Whether all packages are here, after installing those that lie in the folder of wheels."""
    asked = missing.requirements(ROOT)
    if wheels and missing.missing(asked):
        site.mkdir(parents=True, exist_ok=True)
        sys.path.insert(0, str(site))
        try:
            for line in missing.install_missing(ROOT, wheels, site):
                print(line, file=sys.stderr, flush=True)
        except OSError as error:
            print(f"{wheels}: {error}", file=sys.stderr)
    faults = missing.missing(asked)
    for name, fault in faults.items():
        print(f"{name}: {fault}", file=sys.stderr)
    if faults:
        print(f"bring them: {missing.command_for(faults)}", file=sys.stderr)
    return not faults


def do_step(name: str, path: Path, asked: argparse.Namespace) -> int:
    """The child's side: one step, its answer in `result.json` beside its question."""
    ask = Ask.read(path)
    figures = Figures(path.with_name("result.json"), ask.seconds)
    if name == "inputs":
        from autotune.base.errors import AutotuneError
        from benchmarks.card_checks.inputs import inputs
        from benchmarks.card_checks.machine import machine

        pack = Pack(asked.pack or ask.folder / "pack")
        try:
            figures["machine"] = machine(ask)
            figures["given"] = given = inputs(ask, pack, asked.model)
        except AutotuneError as error:
            # The tool's remedy where there is no card is the CPU, this command's is a rehearsal.
            figures.answered(Answer(False, str(error).replace("--device cpu", "--rehearse")))
            return 0
        figures["weights"] = given["weights"]
        figures.answered(Answer(True, given["weights"]))
        return 0
    figures.answered(import_module(f"benchmarks.card_checks.{name}").check(ask, figures))
    return 0


def closing(record: Record, chosen: Sequence[steps.Step]) -> int:
    """Say how many steps ended how; the exit code."""
    ends = record.count(chosen)
    print(", ".join(f"{count} {end}" for end, count in ends.items()), f"({record.path})")
    bad = {Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CRASHED, "not asked"}
    return 1 if bad & ends.keys() else 0


if __name__ == "__main__":
    sys.exit(main())
