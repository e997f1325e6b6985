"""What a run works with, resolved once: device, budget, model, data, prompts."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autotune.budget import Budget
from autotune.card_answer import CardAnswer
from autotune.card_check import check_card
from autotune.device import NOT_AVAILABLE, Device, find_device
from autotune.device_budget import auto_budget
from autotune.device_share import as_processes_see
from autotune.errors import AutotuneError, BadInput, EnvironmentFault
from autotune.errortexts import plain_words
from autotune.evaluate.prompts import Prompt, read_prompts, subset
from autotune.evaluate.scorers import find_scorer
from autotune.files import write_text_atomic
from autotune.job import DeviceSpec, PrepareJob, SurveyJob
from autotune.outcome import Fault
from autotune.plan import DataSpec, Precision
from autotune.prediction import Attention
from autotune.profile import Profile
from autotune.session import Session
from autotune.sources.datasets import resolve_data
from autotune.sources.digest import sha256_of
from autotune.sources.models import ModelSource, resolve_model
from autotune.sources.prompts import resolve_prompts
from autotune.sources.scored import dropped_prompts, held_apart
from autotune.survey import Survey, SurveyFile
from autotune.trials import Ending, How, dropped_settings

Say = Callable[[str], None]

SILENCE_SECONDS = 900.0
"""A worker that loads, tokenizes or converts says little; after a quarter of an hour it is hung."""

PREFILL_TOKENS = {"cpu": 4096, "cuda": 16384}

CHARACTERS_A_TOKEN = 3
"""English prose has about four characters a token; three leaves room for other text."""


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything that a run works with, resolved.

    `attention` is what computes it on the device, as far as that is known before the first trial.
    `scored_prompts` is the file of all prompts to look for in the data, None where none can be.
    """

    profile: Profile
    device: Device
    device_spec: DeviceSpec
    budget: Budget
    model_label: str
    model_folder: Path
    max_position_embeddings: int
    data: DataSpec
    data_label: str
    prompts: tuple[Prompt, ...]
    prompts_label: str
    fingerprint: dict[str, str]
    attention: Attention = Attention.FUSED
    scored_prompts: Path | None = None

    @property
    def prefill_tokens(self) -> int:
        """Prompt tokens that an evaluation reads at once: what a device does in about a second."""
        return PREFILL_TOKENS[self.device.kind]

    @property
    def evaluation_rows(self) -> int:
        """Answers that an evaluation generates at a time, at most."""
        return min(self.profile.evaluate.batch_size, len(self.prompts))

    @property
    def evaluation_context(self) -> int:
        """Tokens of prompt and answer in the largest batch: its prompts share `prefill_tokens`."""
        longest = max(len(p.prompt) for p in self.prompts) // CHARACTERS_A_TOKEN
        shared = self.prefill_tokens // self.evaluation_rows
        return max(1, min(longest, shared)) + self.profile.evaluate.max_new_tokens

    @property
    def resident_limit_bytes(self) -> int | None:
        """On a CPU the parent stops a process that outgrows the budget; a card has its own cap."""
        return self.budget.limit_bytes if self.device.kind == "cpu" else None


def open_setup(session: Session, profile: Profile, say: Say, *, with_data: bool = True) -> Setup:
    """Resolve a profile's sources, building the model folder if it has to be built.

    Without data (an evaluation trains nothing) the data fields are empty.

    The prompts that score are written to the run folder once, so that a resumed run and every
    checkpoint answer the same ones.

    Raises:
        BadInput, EnvironmentFault: a source cannot be used or reached.
    """
    device = find_device(profile.machine.device)
    index = torch_index(profile.machine.device)
    card = check_card(session.runner, device, index)
    if card is not None:
        say(
            f"torch {card.torch} computes on {device.name}, driver {device.driver or NOT_AVAILABLE}"
        )
        for sentence in dropped_settings():
            say(sentence)
        device = as_processes_see(device, profile.machine.budget, card.free_bytes)
    budget = auto_budget(device, profile.machine.budget, profile.machine.reserve, own_processes())
    spec = DeviceSpec(
        kind=device.kind,
        index=index,
        precision=resolve_precision(profile, device),
        limit_bytes=budget.limit_bytes,
        threads=profile.machine.threads,
    )
    prompts = resolve_prompts(profile.prompts.source, say)
    chosen = read_prompts(prompts.path, find_scorer(profile.prompts.scorer).instructions)
    model = resolve_model(profile.model.source, say)
    data = resolve_data(profile.data.source) if with_data else None
    if profile.prompts.limit != "all":
        chosen = subset(chosen, profile.prompts.limit, profile.prompts.seed)
    write_text_atomic(session.rundir.prompts, "".join(p.model_dump_json() + "\n" for p in chosen))
    folder = prepare_model(session, model, spec)
    train = profile.train
    return Setup(
        profile=profile,
        device=device,
        device_spec=spec,
        budget=budget,
        model_label=model.label,
        model_folder=folder,
        max_position_embeddings=positions_of(folder),
        data=DataSpec(
            path=str(data.path) if data else "",
            format=profile.data.format,
            supervision=train.supervision,
            truncation=train.truncation,
            skip_bad=profile.data.skip_bad,
            max_conversations=train.max_conversations,
            drop_prompts=dropped_prompts(profile, prompts.path),
        ),
        data_label=data.label if data else "",
        prompts=chosen,
        prompts_label=prompts.label,
        fingerprint=fingerprint(device, profile, spec, folder, data.path if data else None),
        attention=attention_on(card),
        scored_prompts=None if held_apart(profile) else prompts.path,
    )


def attention_on(card: CardAnswer | None) -> Attention:
    """What computes attention on a card that was looked at, or on a CPU (None).

    Only a card that was tried and has no fused kernel is taken to be without.
    """
    return Attention.MATH if card is not None and card.fused is False else Attention.FUSED


def own_processes() -> tuple[int, ...]:
    """This process and those that it started: what they hold is theirs to use again."""
    import psutil

    here = psutil.Process()
    return (here.pid, *(child.pid for child in here.children(recursive=True)))


def torch_index(choice: str) -> int:
    """The device number as torch counts: among visible cards, from 0."""
    return int(choice.split(":", 1)[1]) if ":" in choice else 0


def resolve_precision(profile: Profile, device: Device) -> Precision:
    """`auto` is bf16 where the device has it: it has fp32's range, so nothing overflows.

    Else fp16 on a card (any card since 2016 has it) and fp32 on a CPU, where 16-bit arithmetic
    without instructions for it is tens of times slower.
    """
    if profile.machine.precision != "auto":
        return profile.machine.precision
    if device.bf16:
        return Precision.BF16
    return Precision.FP16 if device.kind == "cuda" else Precision.FP32


def prepare_model(session: Session, model: ModelSource, spec: DeviceSpec) -> Path:
    """The folder to train from; converts or builds it in a worker where that is still to do."""
    if model.kind == "folder" or model.is_prepared:
        return model.folder
    ending = session.work(
        PrepareJob(
            device=spec,
            source=model.kind,
            gguf=str(model.gguf) if model.gguf else None,
            out=str(model.folder),
        ),
        session.rundir.work_folder("prepare"),
        silence_seconds=SILENCE_SECONDS,
    )
    if ending.how is not How.DONE:
        raise worker_error(ending, f"model {model.label}", session.rundir.work_folder("prepare"))
    return model.folder


def survey_data(session: Session, setup: Setup) -> Survey:
    """Tokenize the data once per run and keep the survey in the run folder."""
    path = session.rundir.survey
    if session.state.survey is None or not path.exists():
        folder = session.rundir.work_folder("survey")
        ending = session.work(
            SurveyJob(
                device=setup.device_spec,
                model_folder=str(setup.model_folder),
                data=setup.data,
                out=str(path),
                prompts=str(setup.scored_prompts) if setup.scored_prompts else None,
            ),
            folder,
            silence_seconds=SILENCE_SECONDS,
        )
        if ending.how is not How.DONE:
            raise worker_error(ending, f"data {setup.data_label}", folder)
    return Survey(SurveyFile.model_validate_json(path.read_bytes()), setup.data.truncation)


def worker_error(ending: Ending, what: str, folder: Path) -> AutotuneError:
    """A worker's failure as the error that the user reads."""
    if ending.how is How.BAD_JOB:
        return BadInput(ending.reason)
    log = f"the worker's output is in {folder / 'worker.log'}"
    if ending.fault is Fault.LIBRARY:
        return EnvironmentFault(f"{ending.reason}; {log}")  # whatever it was asked to do
    return EnvironmentFault(f"{what}: {ending.how} ({plain_words(ending.reason)}); {log}")


def positions_of(folder: Path) -> int:
    """The most tokens that the model has positions for."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    positions = config.get("max_position_embeddings")
    if not isinstance(positions, int) or positions < 1:
        raise BadInput(
            f"{folder / 'config.json'}: max_position_embeddings is {positions!r}, must be a"
            " positive integer; choose a causal LM that states it"
        )
    return positions


def fingerprint(
    device: Device, profile: Profile, spec: DeviceSpec, folder: Path, data: Path | None
) -> dict[str, str]:
    """What a fit depends on; when any of it changes, the fit has to be looked at again.

    The budget is here as it was written: what `auto` comes to differs from minute to minute, and
    a fit whose peak is within it still holds. `settings` is a hash of what else shapes a trial:
    the bounds of the search, how rows are made, and the shape of an evaluation.
    """
    train, evaluate = profile.train, profile.evaluate
    settings = {
        "probe": profile.probe.model_dump(mode="json"),
        "rows": [train.supervision, train.truncation, train.max_conversations, train.seed],
        "read": [profile.data.format, profile.data.skip_bad, profile.data.drop_scored_prompts],
        "evaluation": [evaluate.max_new_tokens, evaluate.batch_size],
        "prompts": profile.prompts.model_dump(mode="json"),
        "strategies": [s.model_dump(mode="json") for s in profile.strategies],
        "threads": spec.threads,
    }
    weights = "".join(f"{p.name}:{p.stat().st_size}" for p in sorted(folder.glob("*.safetensors")))
    config = (folder / "config.json").read_bytes() + weights.encode("utf-8")
    return {
        "device": device.uuid or device.name,
        "driver": device.driver or "n/a",
        "budget": profile.machine.budget,
        "precision": spec.precision.value,
        "torch": installed("torch"),
        "transformers": installed("transformers"),
        "model": hashlib.sha256(config).hexdigest()[:16],
        "tokenizer": sha256_of(folder / "tokenizer.json")[:16],
        "data": sha256_of(data)[:16] if data else "",
        "settings": hashlib.sha256(json.dumps(settings).encode("utf-8")).hexdigest()[:16],
    }


def installed(package: str) -> str:
    """A package's version, read from its metadata without importing it."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        raise EnvironmentFault(
            f"{package} is not installed; see README for the command that fits this machine"
        ) from None
