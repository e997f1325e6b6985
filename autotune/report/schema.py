"""What a report holds: the JSON that scripts rely on. Fields may be added, none renamed.

Its parts on scores and on single trainings stand in `score_schema` and `trial_schema`.
"""

from pathlib import Path
from typing import Any, Literal

from autotune.base.model import Boundary
from autotune.base.sizes import show_size
from autotune.protocol.checkpoint_events import SpotChecked
from autotune.protocol.choices import Think
from autotune.protocol.data_notes import DataNote
from autotune.protocol.gain import Improvement
from autotune.protocol.plan import Rounds
from autotune.protocol.results import Fit
from autotune.protocol.scores import DEFAULT_SCORER
from autotune.protocol.study_events import StudyTotal
from autotune.report.score_schema import (
    BaselineReport,
    BestGain,
    CheckpointScore,
    ExamplePair,
    FullScore,
    InstructionScore,
    KindsScore,
)
from autotune.report.trial_schema import TrialReport


class DataUsed(Boundary):
    """What a strategy trains on: of `rows` conversations that were read so many were `dropped`.

    At this length and these rounds nothing to train on is left of `lost` of the others. Of the rest
    `conversations` are trained on and `held_out` tell how the training does; they keep a share
    (0..1) of the supervised tokens, `kept_supervised`.
    """

    strategy: str
    data: str
    rows: int
    dropped: int
    lost: int = 0
    conversations: int
    held_out: int
    model_max_length: int
    max_rounds: Rounds
    kept_supervised: float | None


class PracticeReport(Boundary):
    """Practice data that a trial trained on: of which kinds it has chats, which it holds out.

    `strategies` trained on it, all of them where it is empty; `data` is what it is called.
    """

    strategies: tuple[str, ...]
    data: str
    conversations: int
    practised: tuple[str, ...]
    held_out: tuple[str, ...]


class Escalation(Boundary):
    """A move to the next strategy and why."""

    previous: str
    next: str
    reason: str


class Moment(Boundary):
    """A noteworthy record as a sentence; `time` in seconds since the epoch."""

    time: float
    text: str


class Report(Boundary):
    """A run, whole or unfinished. Times in seconds (since the epoch: `started`, `last_record`).

    `seconds` spans first to last record, so it holds the pauses of a resumed run too. `best` was
    chosen among `chosen_among` scored checkpoints; `corrected` is about what it is worth without
    the selection bias, None where that is not known. `beaten_by_echo` says whether a baseline
    without a model, such as giving the prompts back unchanged, scores as much as it. `gain` holds
    it against the untrained model, None where one of them has no score. `attention` names the
    kernel that computed attention, None where no worker reported it. `data_notes` says what was
    found in the rows of the data. `importances` are shares of 1 by searchable key, where there are
    enough trials to tell. `think` is which text of answers was judged, `scorer` by what. `command`
    is the command line that began the run, `later_commands` are others that resumed it;
    `environment` is what it ran on and with, `hashes` the sha256 of the files that it worked with,
    `reproduce` how to do it again. `time_split` has seconds by what was done, `time_notes` say what
    was not done again. `fit_reasons` say why this length and micro-batch, `data_used` has the rows
    of each strategy. `by_instruction` and
    `examples` come from the answers in the run's folder, none where these are gone. `practice` is
    the practice data that trials trained on, `kinds` how held-out kinds came out beside the others.
    `study` is the shared study that the run worked at, with the trials of all hosts; `trials` are
    this folder's. `spot_checks`, by model, are on prompts that decide nothing.
    """

    target: float
    met: bool
    status: Literal["met", "below target", "unfinished"]
    reason: str
    strategy: str | None
    best: CheckpointScore | None
    best_in_full: FullScore | None = None
    chosen_among: int
    corrected: float | None = None
    beaten_by_echo: bool
    gain: BestGain | None = None
    baselines: dict[str, BaselineReport]
    spot_checks: dict[str, SpotChecked] = {}
    practice: tuple[PracticeReport, ...] = ()
    kinds: tuple[KindsScore, ...] = ()
    trials: tuple[TrialReport, ...]
    study: StudyTotal | None = None
    escalations: tuple[Escalation, ...]
    importances: dict[str, float] = {}
    fit: Fit | None
    profile: str
    model: str
    data: str
    prompts: str
    prompt_count: int
    think: Think = Think.KEEP
    scorer: str = DEFAULT_SCORER
    device: str
    budget_bytes: int
    started: float
    last_record: float
    seconds: float
    conclusions: tuple[str, ...]
    next_steps: tuple[str, ...]
    warnings: tuple[str, ...]
    data_notes: tuple[DataNote, ...] = ()
    advice: tuple[str, ...]
    timeline: tuple[Moment, ...]
    events: dict[str, int]
    versions: dict[str, str]
    attention: str | None = None
    command: str = ""
    later_commands: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    seeds: dict[str, int] = {}
    hashes: dict[str, str] = {}
    reproduce: tuple[str, ...] = ()
    time_split: dict[str, float] = {}
    time_notes: tuple[str, ...] = ()
    data_used: tuple[DataUsed, ...] = ()
    fit_reasons: tuple[str, ...] = ()
    by_instruction: tuple[InstructionScore, ...] = ()
    examples: tuple[ExamplePair, ...] = ()
    run_dir: str

    @property
    def trained_data(self) -> tuple[str, ...]:
        """What the trainings were on: the run's data, or strategies' own in place of it.

        Before the first of them, what the strategies that will have their turn train on.
        """
        trained = [trial.data or self.data for trial in self.trials]
        planned = [used.data for used in self.data_used]
        return tuple(dict.fromkeys(trained or planned or [self.data]))

    @property
    def trained_on(self) -> str:
        """What the best was trained on; before there is one, all of `trained_data`."""
        for trial in self.trials:
            if self.best is not None and self.best in trial.checkpoints:
                return trial.data or self.data
        return ", ".join(self.trained_data)

    @property
    def no_better(self) -> bool:
        """Whether the best checkpoint is no better than the untrained model.

        On all prompts of a source, where both answered these; else on the run's own.
        """
        full = self.best_in_full
        gain = self.gain if full is None or full.gain is None else full.gain
        return gain is not None and gain.verdict is Improvement.NO_BETTER

    @property
    def met_in_full(self) -> bool | None:
        """Whether the target is met on all prompts of a source; None where that is not known."""
        full = self.best_in_full
        return None if full is None or not self.target else full.value >= self.target

    @property
    def verdict(self) -> str:
        """What became of the target, in few words: on all prompts too, where that is known.

        `status`, which scripts rely on, is of the run's own prompts.
        """
        full, met = self.best_in_full, self.met_in_full
        if not self.target and self.fit is not None and not self.trials:
            return "probed"
        if full is None or met is None or self.status == "unfinished":
            return self.status
        if met:
            return f"met on all {full.n}" + ("" if self.met else f", not on {self.prompt_count}")
        return f"met on {self.prompt_count}, not on all {full.n}" if self.met else self.status

    @property
    def is_met(self) -> bool:
        """Whether the target is met on all prompts that anything is known of."""
        return self.met and self.met_in_full is not False

    @property
    def machine(self) -> str:
        """The device and what could be used of its memory, for a person."""
        return f"{self.device}, memory budget {show_size(self.budget_bytes)}"


def run_json(report: Report) -> dict[str, Any]:
    """The object that `run --json` prints: plain JSON values only.

    Its checkpoints are named as the shell finds them, from where the command was given.
    """
    tree: dict[str, Any] = report.model_dump(mode="json")
    scores = [score for trial in tree["trials"] for score in trial["checkpoints"]]
    for score in [*scores, *([tree["best"]] if tree["best"] else [])]:
        score["checkpoint"] = str(Path(report.run_dir, score["checkpoint"]))
    return tree
