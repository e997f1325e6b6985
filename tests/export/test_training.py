"""An export is told what the run's record says of the training behind a checkpoint."""

from pathlib import Path

import pytest

from autotune.export.training import training_of
from autotune.protocol import events
from autotune.protocol.device_kind import DeviceKind
from autotune.protocol.results import Checkpoint
from autotune.run.folder import RunDir
from autotune.run.state import replay
from tests import records


@pytest.mark.parametrize(("kind", "on_cpu"), [("cpu", True), ("cuda", False), (None, False)])
def test_an_export_knows_whether_the_run_computed_on_the_processor(
    tmp_path: Path, kind: DeviceKind | None, on_cpu: bool
) -> None:
    run, model = RunDir(tmp_path / "run"), tmp_path / "model"
    run.root.mkdir()
    model.mkdir()
    plan = records.plan("A", model_folder=str(model))
    last = Checkpoint(step=5, progress=1.0, folder="trials/0000/checkpoints/step-000005")
    run.append(records.run_started(device_kind=kind), at=1.0)
    run.append(events.TrialStarted(number=0, optuna_number=0, plan=plan), at=2.0)
    run.append(records.evaluated(0, last, 3), at=3.0)
    made = training_of(run, replay(run.records()), run.best)
    assert made.checkpoint == last
    assert made.on_cpu is on_cpu
