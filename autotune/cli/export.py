"""`export`: a run's best, or a model folder, for other tools; the training that made it as well."""

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from autotune.base.errors import BadInput, ExitCode
from autotune.base.format import either, quoted
from autotune.base.manifest import weights_in
from autotune.base.near import did_you_mean
from autotune.cli.console import human_console, print_json, say_on
from autotune.cli.find_answers import scored_by
from autotune.cli.no_better import no_better_line
from autotune.cli.settings import stored_settings
from autotune.cli.synth_model import checkpoint_at
from autotune.export.configs import COMMAND
from autotune.export.gguf import MODELFILE, exactness, export_gguf, is_readable, token_warning
from autotune.export.lm_eval import Scoring, command, export_lm_eval
from autotune.export.place import Form, Made, demand_place, whole_export
from autotune.export.script import SCRIPT
from autotune.export.trainers import export_config, export_script
from autotune.export.training import scored_at, training_of
from autotune.protocol.export_jobs import GgufType
from autotune.protocol.result_text import score_text
from autotune.run.find_run import run_of
from autotune.run.folder import RunDir
from autotune.run.record_cache import RecordCache
from autotune.run.state import StudyState
from autotune.score.prompts import Prompt, written_prompts

DEFAULT_TYPE: GgufType = "f16"


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What `export` was asked for."""

    target: Path
    to: str | None
    kind: str | None = None
    out: Path | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """What is exported: a model folder, and the run that made it with what is on its record."""

    folder: Path
    run: RunDir | None
    state: StudyState | None

    @property
    def name(self) -> str:
        """A name for files and for Ollama: of the run, or of the folder."""
        root = self.run.root if self.run is not None else self.folder
        name = re.sub(r"[^a-z0-9._-]+", "-", root.absolute().name.lower()).strip("-.")
        return name or "model"


def export_command(wanted: ExportRequest, as_json: bool) -> int:
    """`export`."""
    form, kind = read_form(wanted), read_type(wanted)
    console = human_console(as_json)
    say = say_on(console)
    folder = checkpoint_at(wanted.target, "export")
    source = source_of(folder)
    warning = no_better_line(source.run, source.state, folder)
    if warning is not None:
        say(warning)
    out = wanted.out or default_place(source, form, kind)
    made = Made(to=form, weights=weights_in(folder))
    demand_place(out, made)
    with whole_export(out, made) as work:
        found = write(source, form, kind, work, say)
    say(f"{form} of {folder}: {out}")
    nearby = next_step(source, form, out, found)
    say(f"next: {nearby}")
    if as_json:
        told = {"to": form, "folder": str(out), "source": str(folder), "next": nearby}
        print_json(told | {"no_better": warning is not None} | found)
    return ExitCode.DONE


def write(
    source: Source, form: Form, kind: GgufType, work: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """Write the export into `work`; what is to be said of it beside, for scripts."""
    if form == "gguf":
        found = export_gguf(source.folder, kind, source.name, work, say)
        say(exactness(found))
        if (warning := token_warning(found)) is not None:
            say(warning)
        if found.form is None and is_readable(found):
            say("the chat template is not ChatML, so the Modelfile has none: see to it yourself")
        figures = {"max_error", "mean_error", "largest", "same_choice", "same_tokens"}
        return {"type": kind, **found.model_dump(mode="json", include=figures)}
    if form == "lm-eval":
        export_lm_eval(source.folder.absolute(), scoring_of(source), work)
        return {}
    run, state = demand_run(source, form)
    training = training_of(run, state, source.folder)
    if form == "script":
        export_script(training, work, say)
    else:
        export_config(form, training, work, say)
    return {"trial": training.number, "step": training.checkpoint.step}


def read_form(wanted: ExportRequest) -> Form:
    """What `--to` names.

    Raises:
        BadInput: nothing, or something else.
    """
    forms: tuple[Form, ...] = get_args(Form)
    for form in forms:
        if wanted.to is not None and wanted.to.lower() == form:
            return form
    what = "export: needs --to" if wanted.to is None else f"--to {wanted.to}: unknown"
    raise BadInput(f"{what}; give {either(forms)}{did_you_mean(wanted.to or '', forms)}")


def read_type(wanted: ExportRequest) -> GgufType:
    """What `--type` names.

    Raises:
        BadInput: something else, or the form has no types.
    """
    types: tuple[GgufType, ...] = get_args(GgufType)
    if wanted.kind is None:
        return DEFAULT_TYPE
    if (wanted.to or "").lower() != "gguf":
        raise BadInput(f"--type {wanted.kind}: only --to gguf has types; leave it out")
    for kind in types:
        if wanted.kind.lower() == kind:
            return kind
    raise BadInput(
        f"--type {wanted.kind}: must be {either(types)}{did_you_mean(wanted.kind, types)}"
    )


def source_of(folder: Path) -> Source:
    """The folder with the run that it lies in, if any."""
    run = run_of(folder)
    return Source(folder, run, None if run is None else RecordCache().of(run).state)


def demand_run(source: Source, form: Form) -> tuple[RunDir, StudyState]:
    """The run, for forms that say how the model was trained.

    Raises:
        BadInput: the model lies in none.
    """
    if source.run is None or source.state is None:
        raise BadInput(
            f"export {source.folder}: is a model by itself, which does not say how it was trained;"
            f" give the folder of its run for --to {form}"
        )
    return source.run, source.state


def default_place(source: Source, form: Form, kind: GgufType) -> Path:
    """In a run `export/FORM`; of a model by itself a folder here, named after it."""
    name = f"{form}-{kind}" if form == "gguf" else form
    if source.run is not None:
        return source.run.root / "export" / name
    return Path(f"{source.name}-{name}")


def scoring_of(source: Source) -> Scoring:
    """How the run scored.

    Raises:
        BadInput: the model lies in no run, or it scored by another scorer than IFEval's.
    """
    run, state = demand_run(source, "lm-eval")
    scorer = scored_by(run)
    if scorer != "ifeval":
        raise BadInput(
            f"export {source.folder}: scored by {scorer}, and --to lm-eval knows the task of ifeval"
            " only"
        )
    scored = scored_at(run, state, source.folder)
    if scored is None:
        raise BadInput(
            f"export {source.folder}: the run has no score of it, so there is none to make again"
        )
    plan = state.trials[scored.number].plan
    return Scoring(
        prompts=run.prompts,
        count=len(written_prompts(run.prompts, Prompt)),
        max_new_tokens=longest_answer(run),
        precision=plan.precision,
        score=score_text(scored.score, scored.interval) if scored.score else None,
    )


def longest_answer(run: RunDir) -> int:
    """The cap of a run's answers, as its settings have it.

    Raises:
        BadInput: they have none.
    """
    settings = tomllib.loads(stored_settings(run.root) or "")
    found = settings.get("evaluate", {}).get("max_new_tokens")
    if not isinstance(found, int):
        raise BadInput(f"{run.run_toml}: names no evaluate.max_new_tokens; give another run")
    return found


def next_step(source: Source, form: Form, out: Path, found: dict[str, Any]) -> str:
    """The one command that is next; `found` as of `write`."""
    if form == "gguf":
        if found["same_tokens"] is None:  # a file that Ollama and llama.cpp refuse
            return f"smolsft-autotune chat {quoted(str(source.folder))}"
        return f"ollama create {source.name} -f {quoted(str(out / MODELFILE))}"
    if form == "script":
        return f"python {quoted(str(out / SCRIPT))} --steps 3"
    here = f"cd {quoted(str(out))}"
    if form == "lm-eval":
        return f"{here}; {command(source.folder.absolute(), scoring_of(source))}"
    return f"{here}; {COMMAND[form]}"
