"""A checkpoint that was trained on rows with tools carries a template that writes both forms."""

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from autotune.data.survey import Survey, read_survey
from autotune.protocol import events
from autotune.protocol.choices import Supervision, Truncation
from autotune.protocol.job import SurveyJob
from autotune.worker.model import asks_of
from autotune.worker.survey.job import survey
from autotune.worker.tokens.chatml import chat_template, written_by
from autotune.worker.tokens.encode import ChatCodec
from autotune.worker.toy import toy_tokenizer
from autotune.worker.train.loop import train
from autotune.worker.trial import ModelCache
from tests.worker import tool_templates as having_tools
from tests.worker.tokens.test_tool_rows import ANSWER, ASK, EXCHANGE, TOOL, said_by_transformers
from tests.worker.tool_templates import GOOD, having
from tests.worker.toys import Tight, cpu, data_spec, device, of_kind, plan_of, save_toy, train_job

pytestmark = pytest.mark.torch

SYSTEM = {"role": "system", "content": "hello"}
PLAIN = ([ASK, ANSWER], [SYSTEM, ASK, ANSWER, ASK])
ODD = {
    "as it is": GOOD,
    "spaces first": "   {% set given = 3 %}\n" + GOOD,
    "lines first": "\n\n" + GOOD,
    "spaces last": GOOD + "   ",
    "two lines last": GOOD + "\n\n",
    "no line last": GOOD.rstrip("\n"),
    "Windows lines": GOOD.replace("\n", "\r\n"),
    "strips": "{%- if true -%}\n" + GOOD + "{%- endif -%}",
    "a comment last": GOOD + "  {# the end #}",
    "a macro": "{% macro said(m) %}{{ m.content }}{% endmacro %}"
    + GOOD.replace("{{ message.content }}", "{{ said(message) }}"),
    "marks": having_tools.MARKED,
}


@pytest.mark.parametrize("name", ODD)
def test_each_conversation_is_written_as_it_was_trained(name: str) -> None:
    own, both = having(ODD[name]), having(chat_template(Supervision.CONTENT, ODD[name]))
    ours = having(chat_template(Supervision.CONTENT))
    for asks in (False, True):
        for turns in (EXCHANGE, EXCHANGE[:2], [SYSTEM, *EXCHANGE[:3]]):
            for tools in (None, [TOOL]):
                said = said_by_transformers(own, turns, tools, add_generation_prompt=asks)
                assert said_by_transformers(both, turns, tools, add_generation_prompt=asks) == said
        for turns in PLAIN:
            said = said_by_transformers(ours, turns, add_generation_prompt=asks)
            assert said_by_transformers(both, turns, add_generation_prompt=asks) == said
            said = said_by_transformers(own, turns, [TOOL], add_generation_prompt=asks)
            assert said_by_transformers(both, turns, [TOOL], add_generation_prompt=asks) == said


@pytest.mark.parametrize("supervision", Supervision)
def test_which_template_a_checkpoint_was_trained_by_is_read_from_it(
    supervision: Supervision,
) -> None:
    assert written_by(chat_template(supervision)) == (supervision, "")
    both = chat_template(supervision, GOOD)
    found = written_by(both)
    assert found is not None
    assert found[0] is supervision
    # Trained once more, it does not grow by another form.
    assert chat_template(*found) == both
    assert written_by(GOOD) is None
    again = ChatCodec(having(chat_template(Supervision.CONTENT, GOOD)), Supervision.CONTENT)
    assert again.tool_rows.template is not None
    assert again.tool_rows.template.source == GOOD.removesuffix("\n")
    only_ours = ChatCodec(having(chat_template(Supervision.CONTENT)), Supervision.CONTENT)
    assert only_ours.tool_rows.template is None


def test_what_is_surveyed_is_trained_and_the_checkpoint_asks_in_its_form(tmp_path: Path) -> None:
    folder, data = save_toy(tmp_path / "model"), tmp_path / "chats.jsonl"
    tokenizer = toy_tokenizer()
    tokenizer.chat_template = GOOD
    tokenizer.save_pretrained(folder)
    rows: list[Any] = [{"messages": [ASK, ANSWER]}] * 4
    rows += [{"messages": EXCHANGE, "tools": [TOOL]}] * 4
    rows.insert(2, {"messages": [*EXCHANGE[:2], ANSWER]})
    data.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    spec = data_spec(data)
    out = tmp_path / "survey.json"
    survey(SurveyJob(device=device(), model_folder=str(folder), data=spec, out=str(out)), Tight())
    kept = Survey(read_survey(out), Truncation.RIGHT).kept(1024, "all")
    assert kept.conversations == 8
    conversations = ModelCache().conversations(spec, None)
    assert sum(conversation.uses_tools for conversation in conversations) == 4

    plan = plan_of(
        folder,
        data,
        conversations=8,
        model_max_length=1024,
        micro_batch_tokens=1024,
        num_train_epochs=1,
        batch_size=8,
        checkpoint_fractions=(1.0,),
    )
    pipe = Tight()
    train(train_job(plan, tmp_path / "out"), cpu(), pipe)
    (step,) = of_kind(pipe.emitted, events.StepDone)
    assert step.supervised_tokens == kept.supervised
    (saved,) = (event.checkpoint.folder for event in of_kind(pipe.emitted, events.CheckpointSaved))
    trained = AutoTokenizer.from_pretrained(saved)
    assert trained.chat_template == chat_template(Supervision.CONTENT, GOOD)
    assert isinstance(
        asks_of(Path(saved), trained, ChatCodec(trained, Supervision.CONTENT)), ChatCodec
    )
    for turns, tools in ((EXCHANGE, [TOOL]), (EXCHANGE, None)):
        assert said_by_transformers(trained, turns, tools) == said_by_transformers(
            tokenizer, turns, tools
        )
