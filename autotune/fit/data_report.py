"""A look at the data before training: one survey, its retention table, and what to warn of."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from autotune.base.errors import BadInput
from autotune.base.format import counted
from autotune.config.profile import Profile
from autotune.data.retention_notes import lost_line
from autotune.data.retention_table import (
    Point,
    lengths_of,
    percentiles,
    retention_table,
    useful_lengths,
    useful_rounds,
)
from autotune.data.survey import Retention, Survey, SurveyFile
from autotune.device.find import find_device
from autotune.fit.requested_points import RequestedPoint, profile_notes, requested_point
from autotune.launch.worker_errors import worker_error
from autotune.protocol.data_notes import NAMED_ROWS, DataNote, with_dropped
from autotune.protocol.inspection import Inspection, InspectionSpec
from autotune.protocol.job import SurveyJob, on_the_computer
from autotune.protocol.plan import DataSpec, Rounds
from autotune.run.session import Session
from autotune.run.setup import SILENCE_SECONDS, Say, prepare_model
from autotune.sources.dataset import resolve_data
from autotune.sources.model import resolve_model
from autotune.sources.positions import demand_positions, positions_of
from autotune.sources.prompts import dropped_prompts, local_prompts, topics_held_apart

MAX_LOST_SHARE = 0.01
"""Share of the conversations that may lose all supervision before a person is warned."""

NO_TOKEN_LEFT = "no supervised token left"
"""The reason under which conversations are counted whose first answer begins past the length."""

SAMPLES = 2
"""Rows shown as text: enough to see the template and where the labels lie."""


@dataclass(frozen=True, slots=True)
class DataReport:
    """What was found. `length` and `rounds` are those of the samples and the features."""

    model_label: str
    data_label: str
    positions: int
    length: int
    rounds: Rounds
    survey: Survey
    found: Inspection
    table: dict[Point, Retention]
    requests: tuple[RequestedPoint, ...]
    lengths: dict[str, int]
    round_counts: dict[str, int]
    features: Path | None = None
    profile_notes: tuple[DataNote, ...] = ()

    @property
    def used(self) -> int:
        """Conversations that can be learned from, at some length."""
        return len(self.survey.rows)

    @property
    def chosen(self) -> Retention:
        """What the chosen length and rounds keep."""
        return self.table[self.length, self.rounds]

    @property
    def dropped(self) -> dict[str, int]:
        """Records that are not trained on at the chosen length and rounds, by reason."""
        lost = {NO_TOKEN_LEFT: self.chosen.lost} if self.chosen.lost else {}
        return self.survey.file.dropped | lost

    @property
    def notes(self) -> tuple[DataNote, ...]:
        """What was found in the rows, dropped ones first."""
        file = self.survey.file
        first = islice(self.survey.lost(self.length, self.rounds), NAMED_ROWS)
        rows = tuple(file.rows[at] for at in first) if file.rows and self.chosen.lost else ()
        lost = DataNote(what=NO_TOKEN_LEFT, count=self.chosen.lost, rows=rows, dropped=True)
        notes = (*file.notes, lost) if rows else file.notes
        return (*with_dropped(self.dropped, notes), *self.profile_notes)

    @property
    def records(self) -> int:
        """All records of the file: kept, dropped, and left out."""
        return self.used + sum(self.survey.file.dropped.values()) + self.found.left_out

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence for each point asked for that loses more conversations than it should."""
        asked: dict[tuple[int, int], dict[str, Rounds]] = {}
        for requested in self.requests:
            asked.setdefault((requested.length, requested.kept.lost), {})[requested.name] = (
                requested.rounds
            )
        asked.setdefault((self.length, self.chosen.lost), {})
        return tuple(
            lost_line(names, length, names.values() or [self.rounds], lost, self.used)
            for (length, lost), names in asked.items()
            if lost > MAX_LOST_SHARE * self.used
        )


def inspect_data(
    session: Session,
    profile: Profile,
    say: Say,
    *,
    length: int | None = None,
    rounds: Rounds = "all",
    max_conversations: int | None = None,
    features: bool = False,
) -> DataReport:
    """Survey the profile's data with the tokenizer of its model; no weights are needed.

    Samples and features are rows of `length` tokens (None: all that the model has positions for)
    and `rounds` rounds.

    Raises:
        BadInput: a source cannot be used, the model has no positions for the length, or the
            length leaves nothing to train on.
        EnvironmentFault: a source cannot be reached, or the worker failed.
    """
    model = resolve_model(profile.model.source, say, weights=False)
    data = resolve_data(profile.data.source)
    prompts = (
        None
        if topics_held_apart(profile.data, profile.prompts)
        else local_prompts(profile.prompts.source)
    )
    computer = find_device("cpu")
    folder = prepare_model(session, model, profile.machine.threads, say)
    positions = positions_of(folder)
    demand_positions(length, model.label, positions)
    chosen = positions if length is None else length
    work = session.rundir.work_folder("survey")
    asked = InspectionSpec(
        model_max_length=chosen,
        max_rounds=rounds,
        samples=SAMPLES,
        out=str(work / "inspection.json"),
        features=str(work / "features.jsonl") if features else None,
    )
    job = SurveyJob(
        # All that is free: beyond it the computer would begin to swap.
        device=on_the_computer(
            limit_bytes=computer.free_bytes or 0, threads=profile.machine.threads
        ),
        model_folder=str(folder),
        data=DataSpec.from_parts(
            profile.data,
            profile.train,
            path=str(data.path),
            max_conversations=max_conversations,
            drop_prompts=dropped_prompts(profile, prompts.path) if prompts else None,
        ),
        out=str(session.rundir.survey),
        inspection=asked,
        prompts=str(prompts.path) if prompts else None,
    )
    say(f"tokenizing {data.label} for {model.label}")
    result = session.work(job, work, silence_seconds=SILENCE_SECONDS)
    if result.failure is not None:
        raise worker_error(result, f"data {data.label}", work)
    survey = Survey(
        SurveyFile.model_validate_json(session.rundir.survey.read_bytes()), profile.train.truncation
    )
    return placed(
        profile,
        survey,
        Inspection.model_validate_json(Path(asked.out).read_bytes()),
        model_label=model.label,
        data_label=data.label,
        positions=positions,
        point=(chosen, rounds),
        features=Path(asked.features) if asked.features else None,
        searched=prompts is not None or topics_held_apart(profile.data, profile.prompts),
    )


def placed(
    profile: Profile,
    survey: Survey,
    found: Inspection,
    *,
    model_label: str,
    data_label: str,
    positions: int,
    point: Point,
    features: Path | None = None,
    searched: bool = True,
) -> DataReport:
    """What was found, with the chosen point and the profile's strategies in the retention table.

    `searched` says whether scored prompts were looked for.

    Raises:
        BadInput: the chosen point leaves nothing to train on.
    """
    lengths = percentiles(lengths_of(survey))
    points = {s.name: requested_point(s, profile, positions, survey) for s in profile.strategies}
    asked = [point, *points.values()]
    table = retention_table(
        survey,
        [*useful_lengths(lengths, positions), *(length for length, _ in asked)],
        [*useful_rounds(survey), *(rounds for _, rounds in asked)],
    )
    if table[point].conversations == 0:
        raise BadInput(
            f"--model-max-length {point[0]}: none of {counted(len(survey.rows), 'conversation')}"
            " keeps a token to train on, what comes before the answers fills the length; give more,"
            f" up to {positions}, or shorter prompts"
        )
    requests = tuple(
        RequestedPoint(s.name, *points[s.name], s.model_max_length == "fits", table[points[s.name]])
        for s in profile.strategies
    )
    return DataReport(
        model_label=model_label,
        data_label=data_label,
        positions=positions,
        length=point[0],
        rounds=point[1],
        survey=survey,
        found=found,
        table=table,
        requests=requests,
        lengths=lengths,
        round_counts=percentiles([len(rounds) for rounds in survey.rows]),
        features=features,
        profile_notes=profile_notes(profile, requests, survey, searched=searched),
    )
