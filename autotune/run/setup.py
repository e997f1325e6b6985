"""What a run works with, resolved once: device, budget, model, data, prompts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from autotune.base.sizes import GIB
from autotune.config.own_data import trained_label
from autotune.config.profile import Profile
from autotune.device.budget import Budget, auto_budget, budget_sentence
from autotune.device.find import Device, find_device
from autotune.launch.worker_errors import worker_error
from autotune.protocol.card_answer import CardAnswer
from autotune.protocol.choices import Attention, Precision
from autotune.protocol.events import Content, RunStarted
from autotune.protocol.job import DeviceSpec, PrepareJob, on_the_computer
from autotune.protocol.plan import DataSpec
from autotune.run.card_check import checked_device
from autotune.run.content import content_of
from autotune.run.fingerprint import fingerprint
from autotune.run.inputs import demand_on_hub, read_source
from autotune.run.machine import machine_facts
from autotune.run.mixed_data import mixtures
from autotune.run.resume_check import demand_same_content, keep_prompts
from autotune.run.session import Session
from autotune.run.spot_check import SpotCheck
from autotune.run.training_data import TrainingData, own_sources, training_data
from autotune.score.prompts import Prompt, repeated_line, subset
from autotune.score.registry import find_scorer
from autotune.sources.dataset import resolve_data
from autotune.sources.model import ModelSource, resolve_model
from autotune.sources.positions import demand_positions, positions_of
from autotune.sources.prompts import dropped_prompts, resolve_prompts

Say = Callable[[str], None]

SILENCE_SECONDS = 900.0
"""A worker that loads, tokenizes or converts says little; after a quarter of an hour it is hung."""

WORK_MARGIN = 0.05
"""How far above the probe's limit other workers may go. A training took up to 2.5 % more than its
trial (docs/LOG.md, peaks of trials and trainings), and must not be ended for that."""

MIN_WORK_BYTES = 2 * GIB
"""What any worker may take. One that has loaded its libraries holds half a GiB before it begins,
and whether a smaller budget is enough for anything is the probe's to say."""

CHARACTERS_A_TOKEN = 3
"""English prose has about four characters a token; three leaves room for other text."""


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything that a run works with, resolved.

    `attention` is what computes it on the device, as far as that is known before the first trial.
    `prompts_file` is what the prompts were chosen from; `scored_prompts` is the same where they are
    looked for in the data, None where none can be there.
    `own_data` is that of the strategies which train on other conversations, by name. `spot_check`
    are prompts that decide nothing.
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
    content: Content | None = None
    attention: Attention = Attention.FUSED
    scored_prompts: Path | None = None
    prompts_file: Path | None = None
    own_data: Mapping[str, TrainingData] = field(default_factory=dict)
    spot_check: SpotCheck | None = None

    @property
    def run_data(self) -> TrainingData:
        """What the run trains on, but for strategies with data of their own."""
        sha256 = next(iter(self.content.data.values()), None) if self.content else None
        return TrainingData(self.data, self.data_label, sha256, self.scored_prompts)

    def data_of(self, strategy: str) -> TrainingData:
        """What a strategy trains on."""
        return self.own_data.get(strategy) or self.run_data

    @property
    def prefill_tokens(self) -> int:
        """Prompt tokens read in a pass of an evaluation: what a device does in about a second."""
        return self.device.traits.prefill_tokens

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
    def work_device(self) -> DeviceSpec:
        """The device for all but trials: trainings, evaluations, and what tokenizes.

        Where the parent has to keep a process to the budget, it may take a little more.
        """
        limit = self.device_spec.resident_limit_bytes
        if limit is None:
            return self.device_spec
        allowed = max(round(limit * (1 + WORK_MARGIN)), MIN_WORK_BYTES)
        return self.device_spec.model_copy(update={"limit_bytes": allowed})

    @property
    def computer(self) -> DeviceSpec:
        """For work that needs no card, whatever the run's device; limited where that is a CPU."""
        return on_the_computer(limit_bytes=self.work_device.resident_limit_bytes or 0)

    def memory_sentence(self, giver: str | None = None) -> str:
        """What may be used of the memory, why (`giver` named a size), and who else uses some."""
        return budget_sentence(self.budget, self.device, own_processes(), giver=giver)

    def started(self, target: float, *, resumed: bool, command: str = "") -> RunStarted:
        """The event that a run with this begins, or resumes, by this command line."""
        profile = self.profile
        return RunStarted(
            target=target,
            profile=profile.name,
            model=self.model_label,
            data=trained_label(profile, self.data_label, [d.label for d in self.own_data.values()]),
            prompts=self.prompts_label,
            device=self.device.name,
            device_kind=self.device.kind,
            budget_bytes=self.budget.limit_bytes,
            strategies=tuple(s.name for s in profile.tried),
            prompt_count=len(self.prompts),
            think=profile.evaluate.think,
            scorer=profile.prompts.scorer,
            resumed=resumed,
            stop_at_target=profile.study.stop_at_target,
            searches=profile.study.n_trials != 0,
            command=command,
            machine=machine_facts(self.device),
            seeds={"training": profile.train.seed, "prompts": profile.prompts.seed},
        )


def open_setup(
    session: Session,
    profile: Profile,
    say: Say,
    *,
    with_data: bool = True,
    length: int | None = None,
) -> Setup:
    """Resolve a profile's sources, building the model folder if it has to be built.

    Without data (an evaluation trains nothing) the data fields are empty. `length` is the row in
    tokens that was typed, which the model must have positions for.

    The prompts that score are written to the run folder once, so that a resumed run and every
    checkpoint answer the same ones.

    Raises:
        BadInput: a source cannot be used, or is not what the run began with any more.
        EnvironmentFault: a source cannot be reached.
    """
    index = torch_index(profile.machine.device)
    found = find_device(profile.machine.device)
    device, card = checked_device(session.runner, found, index, profile.machine.budget, say)
    budget = auto_budget(device, profile.machine.budget, profile.machine.reserve, own_processes())
    spec = DeviceSpec(
        kind=device.kind,
        index=index,
        precision=resolve_precision(profile, device),
        limit_bytes=budget.limit_bytes,
        threads=profile.machine.threads,
    )
    demand_on_hub(profile, data=with_data)
    prompts = resolve_prompts(profile.prompts.source, say)
    scorer = find_scorer(profile.prompts.scorer)
    chosen = read_source(scorer, profile.prompts.source, prompts)
    model = resolve_model(profile.model.source, say)
    data = resolve_data(profile.data.source, say) if with_data else None
    own = own_sources(profile) if with_data else {}
    if profile.prompts.limit != "all":
        chosen = subset(chosen, profile.prompts.limit, profile.prompts.seed)
    if (line := repeated_line(chosen)) is not None:
        say(line)
    folder = prepare_model(session, model, profile.machine.threads, say)
    positions = positions_of(folder)
    demand_positions(length, model.label, positions)
    text = "".join(p.model_dump_json() + "\n" for p in chosen)
    content = content_of(
        data.path if data else None,
        prompts.path,
        text,
        folder,
        {name: source.path for name, source in own.items()},
    )
    demand_same_content(session, content, model.label)
    chosen = keep_prompts(session, chosen, text, content, say)
    dropped = dropped_prompts(profile, prompts.path)
    mixed = mixtures(session, profile, data, own, content, dropped) if data else None
    own_data = training_data(profile, data, own, prompts.path, content, mixed)
    of_run = own_data.pop("")
    return Setup(
        profile=profile,
        device=device,
        device_spec=spec,
        budget=budget,
        model_label=model.label,
        model_folder=folder,
        max_position_embeddings=positions,
        data=of_run.spec,
        data_label=of_run.label,
        prompts=chosen,
        prompts_label=prompts.label,
        fingerprint=fingerprint(device, profile, spec, folder, content),
        content=content,
        attention=attention_on(card),
        scored_prompts=of_run.scored_prompts,
        prompts_file=prompts.path,
        own_data=own_data,
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
    """What a profile names, or else the device's own."""
    if profile.machine.precision != "auto":
        return profile.machine.precision
    return own_precision(device)


def own_precision(device: Device) -> Precision:
    """`auto` is bf16 where the device has it: it has fp32's range, so nothing overflows.

    Else fp16 on a card (any card since 2016 has it) and fp32 on a CPU, where 16-bit arithmetic
    without instructions for it is tens of times slower.
    """
    if device.bf16:
        return Precision.BF16
    return device.traits.precision


def prepare_model(session: Session, model: ModelSource, threads: int | None, say: Say) -> Path:
    """The folder to train from; converts or builds it in a worker where that is still to do.

    It says so: what was said last, that a file is fetched, would stand there meanwhile. That is the
    computer's work on any device, in so many `threads` (None: as many as torch takes).
    """
    if model.kind == "folder" or model.is_prepared:
        return model.folder
    say(model.preparing)
    result = session.work(
        PrepareJob(
            device=on_the_computer(threads=threads),
            source=model.kind,
            gguf=str(model.gguf) if model.gguf else None,
            out=str(model.folder),
        ),
        session.rundir.work_folder("prepare"),
        silence_seconds=SILENCE_SECONDS,
    )
    if result.failure is not None:
        raise worker_error(result, f"model {model.label}", session.rundir.work_folder("prepare"))
    return model.folder
