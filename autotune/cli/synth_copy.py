"""The copy of practice data that `--out` asks for: whether it may be written, and writing it."""

from pathlib import Path

from autotune.base.errors import BadInput
from autotune.base.files import write_bytes_atomic
from autotune.cli.paths import demand_writable
from autotune.protocol.events import PracticeMade
from autotune.run.folder import RunDir
from autotune.run.practice import CHATS
from autotune.sources.digest import has_digest
from autotune.synth.card_file import CARD, README, card_beside, readme_beside


def demand_out(out: Path | None) -> None:
    """Refuse a place for the copy that is none, before anything is looked at.

    Raises:
        BadInput: it is a folder, its folder is not there, or it is not named as what is written.
    """
    demand_writable("--out", out)
    if out is not None and out.suffix.lower() != ".jsonl":
        raise BadInput(f"--out {out}: must end in .jsonl, which is what is written")


def demand_own_copy(out: Path | None, root: Path) -> None:
    """Refuse to replace a file that is not a copy of what was made in the run folder `root`.

    So an earlier copy may grow by the same command with more tasks, and nothing else is lost: data
    of another command, or a copy in which somebody changed a line.

    Raises:
        BadInput: that.
    """
    if out is None or not out.exists():
        return
    made = [record.event for record in RunDir(root).record.of_kind("practice_made")]
    if not any(isinstance(event, PracticeMade) and has_digest(out, event.sha256) for event in made):
        raise BadInput(
            f"--out {out}: is there already and is not a copy of the practice data in {root}; give"
            " another name, or move it away"
        )


def copied(where: Path, out: Path) -> Path:
    """The data at `out`, its card and README beside it under the same name."""
    for name, target in (
        (CARD, card_beside(out)),
        (README, readme_beside(out)),
        (CHATS, out),
    ):
        write_bytes_atomic(target, (where / name).read_bytes())
    return out
