"""Jobs about text, files and shapes: done on the CPU, whatever card the run is on."""

from io import BytesIO
from pathlib import Path

import pytest
import torch

from autotune.launch import SubprocessRunner
from autotune.protocol import events
from autotune.protocol.card_answer import CardAnswer
from autotune.protocol.choices import Precision
from autotune.protocol.failure import Failure
from autotune.protocol.job import (
    AverageJob,
    CheckJob,
    DeviceSpec,
    GenerateJob,
    Job,
    PredictJob,
    PrepareJob,
    SurveyJob,
    TrialJob,
)
from autotune.protocol.plan import TrialPoint
from autotune.protocol.prediction import PredictPoint
from autotune.protocol.results import Checkpoint
from autotune.worker import jobs
from autotune.worker.__main__ import attempt
from autotune.worker.channel import Pipe
from autotune.worker.compute import Compute
from autotune.worker.jobs import JobRunner, where
from tests.worker.toys import chat_file, data_spec, of_kind, work

pytestmark = pytest.mark.torch

CARD = DeviceSpec(kind="cuda", precision=Precision.FP16, limit_bytes=8 << 30, threads=1)


def test_preparing_a_model_and_surveying_data_for_a_card_touch_no_card(tmp_path: Path) -> None:
    model, chat = tmp_path / "model", chat_file(tmp_path / "chat.jsonl")
    jobs: list[Job] = [
        PrepareJob(device=CARD, source="toy", out=str(model)),
        SurveyJob(
            device=CARD,
            model_folder=str(model),
            data=data_spec(chat),
            out=str(tmp_path / "survey.json"),
        ),
    ]
    emitted: list[events.WorkerEvent] = []
    with SubprocessRunner().warm() as runner:
        for at, job in enumerate(jobs):
            ending = runner.run(job, tmp_path / str(at), emitted.append, silence_seconds=300)
            assert (ending.failure, ending.reason) == (None, "")
    assert [ready.device for ready in of_kind(emitted, events.Ready)] == ["CPU, 1 thread"] * 2
    assert (tmp_path / "survey.json").exists()


def test_a_card_that_cannot_be_opened_for_want_of_the_computers_memory_is_no_full_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(_: DeviceSpec) -> Compute:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(jobs, "open_compute", no_room)
    said = BytesIO()
    pipe = Pipe(said)
    job = GenerateJob(
        device=CARD,
        model_folder="x",
        prompts="x",
        out="x",
        max_new_tokens=1,
        batch_size=1,
        prefill_tokens=1,
    )
    attempt(JobRunner(pipe), job, pipe)
    failed = events.WORKER_EVENT.validate_json(said.getvalue())
    assert isinstance(failed, events.Failed)
    assert failed.fault is Failure.HOST_MEMORY


def test_only_what_computes_with_weights_is_done_on_the_card() -> None:
    checkpoint = Checkpoint(step=1, progress=1.0, folder="x")
    point = PredictPoint(rows=1, tokens=64, gradient_checkpointing=False)
    elsewhere: list[Job] = [
        PrepareJob(device=CARD, source="toy", out="x"),
        SurveyJob(device=CARD, model_folder="x", data=data_spec(Path("x")), out="x"),
        AverageJob(device=CARD, of=(checkpoint, checkpoint), checkpoint=checkpoint, out="x"),
        PredictJob(
            device=CARD,
            target="cuda",
            precision=Precision.FP16,
            model_folder="x",
            points=(point,),
            out="x",
        ),
    ]
    assert [where(job).kind for job in elsewhere] == ["cpu"] * 4
    assert {where(job).threads for job in elsewhere} == {1}
    computing: list[Job] = [
        GenerateJob(
            device=CARD,
            model_folder="x",
            prompts="x",
            out="x",
            max_new_tokens=1,
            batch_size=1,
            prefill_tokens=1,
        ),
        TrialJob(
            device=CARD,
            model_folder="x",
            data=data_spec(Path("x")),
            point=TrialPoint(
                model_max_length=64,
                max_rounds=1,
                micro_batch_tokens=64,
                gradient_checkpointing=False,
                row_tokens=64,
            ),
            longest_conversation=0,
            generate_rows=1,
            generate_context=1,
            seed=0,
        ),
    ]
    assert [where(job) for job in computing] == [CARD, CARD]


@pytest.mark.skipif(torch.version.cuda is not None, reason="this torch was built with CUDA")
def test_a_check_says_what_torch_says_of_the_card_and_loads_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "card.json"
    emitted, ending = work(CheckJob(device=CARD, out=str(out)), tmp_path / "work")
    assert (ending.failure, ending.reason) == (None, "")
    assert of_kind(emitted, events.Ready) == []
    answer = CardAnswer.model_validate_json(out.read_bytes())
    assert answer.torch == torch.__version__
    assert (answer.cuda, answer.free_bytes) == (None, None)
    assert answer.problem == "Torch not compiled with CUDA enabled"
