"""A toy whose learning rate is ridiculous: its worker is ended before the steps are over."""

from dataclasses import replace
from pathlib import Path

import pytest

from autotune.data.load import load_conversations
from autotune.data.survey import Survey, SurveyFile
from autotune.launch import SubprocessRunner
from autotune.protocol import events
from autotune.protocol.choices import Supervision, Truncation
from autotune.run.folder import RunDir
from autotune.run.session import Session
from autotune.train.peak_check import watch_other_processes
from autotune.train.watch import NoGauge, TrainingWatch
from autotune.train.worker_loop import WorkerLoop
from autotune.worker.tokens.encode import ChatCodec
from autotune.worker.toy import toy_tokenizer
from tests import setups
from tests.worker.toys import chat_file, data_spec, plan_of, save_toy

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures("forked_workers")]


def survey_of(path: Path) -> Survey:
    codec = ChatCodec(toy_tokenizer(), Supervision.CONTENT)
    spans = tuple(codec.spans(c) for c in load_conversations(data_spec(path)).conversations)
    return Survey(SurveyFile(conversations=spans, dropped={}, literal_markers=0), Truncation.RIGHT)


def test_a_ridiculous_learning_rate_is_pruned_and_a_sensible_one_is_not(tmp_path: Path) -> None:
    model, data = save_toy(tmp_path / "model"), chat_file(tmp_path / "chat.jsonl", 60)
    rundir = RunDir(tmp_path / "run")
    rundir.root.mkdir()
    session = Session(rundir, SubprocessRunner())
    setup = replace(setups.setup(setups.profile(), folder=model), data=data_spec(data))
    loop = WorkerLoop(
        session,
        setup,
        survey_of(data),
        setups.fit(256),
        watch_other_processes(setup.device, None),
        TrainingWatch(session, setup.profile, NoGauge()),
    )
    for number, rate in enumerate((3e-3, 0.9)):
        plan = plan_of(
            model,
            data,
            learning_rate=rate,
            conversations=50,
            held_out=10,
            batch_size=10,
            checkpoint_fractions=(1.0,),
        )
        session.emit(events.TrialStarted(number=number, optuna_number=number, plan=plan))
        assert loop.run_to_end(plan, number) is None
    sensible, ridiculous = session.state.trials
    assert (sensible.pruned, sensible.trained is not None) == (None, True)
    assert len(sensible.held_out) == 5
    assert ridiculous.pruned is not None
    assert ridiculous.trained is None
    assert not ridiculous.is_training
    assert ridiculous.last_step is not None
    assert ridiculous.last_step.step < plan.total_steps
    assert "lower learning_rate (now 0.9)" in ridiculous.pruned.reason
