"""`--to gguf`: one file for llama.cpp and Ollama, an Ollama Modelfile, and how exact it is."""

from collections.abc import Callable
from pathlib import Path

from autotune.base.files import write_text_atomic
from autotune.base.format import counted, percent
from autotune.base.sizes import show_size
from autotune.export.job import run_job
from autotune.export.modelfile import modelfile
from autotune.launch import TrialRunner
from autotune.protocol.export_jobs import GgufFound, GgufJob, GgufType
from autotune.protocol.job import on_the_computer
from autotune.sources.positions import positions_of

MODELFILE = "Modelfile"
README = "README.md"


def export_gguf(
    folder: Path,
    kind: GgufType,
    name: str,
    work: Path,
    say: Callable[[str], None],
    runner: TrialRunner | None = None,
) -> GgufFound:
    """Write the files into `work`; what the comparison with the source found.

    Raises:
        BadInput: see `worker.gguf.job`.
        EnvironmentFault: the worker could not do it.
    """
    weights = work / f"model-{kind}.gguf"

    def job(found: Path) -> GgufJob:
        return GgufJob(
            device=on_the_computer(),
            model_folder=str(folder),
            type=kind,
            name=name,
            out=str(weights),
            found=str(found),
        )

    found = GgufFound.model_validate_json(run_job(job, f"export of {folder}", say, runner))
    if is_readable(found):
        text = modelfile(weights.name, found.form, found.stop, positions_of(folder))
        write_text_atomic(work / MODELFILE, text)
    size = show_size(weights.stat().st_size)
    write_text_atomic(work / README, readme(weights.name, name, size, found))
    return found


def is_readable(found: GgufFound) -> bool:
    """Whether llama.cpp and Ollama can read the file: not one whose tokenizer has no merges."""
    return found.same_tokens is not None


def exactness(found: GgufFound) -> str:
    """How far the file's answers are from the model's, in a sentence."""
    same = percent(found.same_choice)
    return (
        f"logits of {counted(found.tokens, 'position')}, read back from the file: at most"
        f" {found.max_error:.2g} from the model's (of {found.largest:.3g}), {found.mean_error:.2g}"
        f" on average; the same likeliest token at {same} of them"
    )


def token_warning(found: GgufFound) -> str | None:
    """What is to be said of the file's tokens, if anything."""
    if not is_readable(found):
        return "the tokenizer has no merges (as a toy's), so llama.cpp and Ollama refuse the file"
    if not found.same_tokens:
        return (
            "read back by transformers, the file's tokenizer makes other tokens of some texts:"
            " transformers does not split digits as the tokenizer does; llama.cpp does"
        )
    return None


def readme(weights: str, name: str, size: str, found: GgufFound) -> str:
    """What lies here and how it is used."""
    notes = [exactness(found), token_warning(found)]
    listed = "\n".join(f"- {note[:1].upper()}{note[1:]}." for note in notes if note)
    use = (
        f"\nOllama, in this folder: `ollama create {name} -f {MODELFILE}`, then"
        f" `ollama run {name}`.\n\n"
        f"llama.cpp: `llama-cli -m {weights} -cnv --temp 0`\n"
    )
    return (
        f"# {name} as GGUF\n\n"
        f"`{weights}` ({size}) holds weights, tokenizer and chat template.\n\n{listed}\n"
        f"{use if is_readable(found) else ''}"
    )
