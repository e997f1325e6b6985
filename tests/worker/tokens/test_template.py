"""A model folder's own chat template: what it asks, what it does wrong, and its bounds."""

import time
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from autotune.base.errors import BadInput
from autotune.data.conversation import Message
from autotune.protocol.choices import Supervision
from autotune.worker.model import asks_of, load, load_tokenizer
from autotune.worker.tokens import template
from autotune.worker.tokens.chatml import chat_template
from autotune.worker.tokens.encode import ChatCodec
from autotune.worker.tokens.template import FolderTemplate, TemplateFault, template_of, within
from tests.worker.tokenizer_kinds import CHAT, KINDS, tokenizer_of
from tests.worker.toys import save_toy

pytestmark = pytest.mark.torch

LOOP = "{% for message in messages %}<|im_start|>{{ message.role }}\n"
END = "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
PLAIN = LOOP + "{{ message.content }}" + END
VARIANTS = {
    "plain": PLAIN,
    "bos": "{{ bos_token }}" + PLAIN,
    "trimmed": LOOP + "{{ message.content | trim }}" + END,
    "generation": LOOP + "{% generation %}{{ message.content }}{% endgeneration %}" + END,
    "dated": "<|im_start|>system\nToday is {{ strftime_now('%Y') }}.<|im_end|>\n" + PLAIN,
    "alternation needed": "{% for message in messages %}{% if (message.role == 'user') !="
    " (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
    "{% endfor %}" + PLAIN,
    "tools": "{% if tools %}{{ tools | tojson }}{% endif %}" + PLAIN,
    "parts": LOOP + "{{ message.content[0].text }}" + END,
}
FAULTY = {
    "system needed": "{% if messages[0].role != 'system' %}"
    "{{ raise_exception('a system prompt comes first') }}{% endif %}" + PLAIN,
    "two loops": "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
    "two silent loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}"
    "{% endfor %}",
    "too long a range": "{% for i in range(10000000) %}{% endfor %}",
    "no such method": "{{ messages.nothing.at_all() }}",
    "no template": "{% for %}",
    "a question cut short": LOOP + "{{ message.content[:2] }}" + END,
    "a question left out": "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n",
}
QUESTIONS = (
    st.lists(
        st.sampled_from(
            ["the", " river", "hello", "é", "한국", "👩‍👩‍👧", "\n", "  ", "1.", "<|im_end|>"]
        ),
        min_size=1,
        max_size=5,
    )
    .map("".join)
    .filter(str.strip)
)


def fast(kind: str, with_bos: bool = False) -> Any:
    """One of the kinds as transformers wraps it."""
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer_of(kind, with_bos),
        bos_token="<s>",
        eos_token="</s>",
        pad_token="</s>",
    )


def asking(kind: str, source: str) -> FolderTemplate:
    tokenizer = fast(kind)
    tokenizer.chat_template = source
    codec = ChatCodec(tokenizer, Supervision.CONTENT)
    return template_of(Path("folder"), tokenizer, codec.whole)


ASKING = {
    (kind, name): (asking(kind, source), kind)
    for kind in KINDS
    for name, source in VARIANTS.items()
}


@settings(max_examples=200, deadline=None, derandomize=True)
@given(which=st.sampled_from(sorted(ASKING)), question=QUESTIONS)
def test_a_question_is_what_transformers_makes_of_it(which: tuple[str, str], question: str) -> None:
    asks, kind = ASKING[which]
    content: Any = [{"type": "text", "text": question}] if which[1] == "parts" else question
    tokenizer = fast(kind)
    said = tokenizer.apply_chat_template(
        [{"role": "user", "content": content}],
        chat_template=asks.source,
        add_generation_prompt=True,
        return_dict=False,
    )
    ids = asks.render_prompt(question)
    if asks.whole.count_written([question]) == 0:
        assert ids == said
    else:
        markers = [tokenizer.convert_tokens_to_ids(token) for token in CHAT]
        system = which[1] == "dated"
        assert [ids.count(marker) for marker in markers] == [2 + system, 1 + system]


@pytest.mark.parametrize("name", FAULTY)
def test_a_template_that_cannot_ask_is_named_with_what_it_does(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template, "MAX_SECONDS", 0.5)
    asks = asking("byte-level BPE", FAULTY[name])
    began = time.perf_counter()
    with pytest.raises(BadInput) as refused:
        asks.render_prompt("Which river?")
    assert time.perf_counter() - began < 30
    line = str(refused.value)
    assert line.startswith("folder/tokenizer_config.json: the chat template ") or "\\" in line
    assert "\n" not in line
    words = {
        "system needed": "fails: a system prompt comes first",
        "two loops": "",
        "two silent loops": "takes more than 0.5 seconds",
        "too long a range": "fails: Range too big",
        "a question cut short": "leaves the question out",
        "a question left out": "leaves the question out",
    }
    assert words.get(name, "fails: ") in line


def test_what_a_template_writes_is_bounded() -> None:
    made = 0

    def pieces() -> Any:
        nonlocal made
        while True:
            made += 1
            yield "x" * 100

    with pytest.raises(TemplateFault, match="writes more than 1000 characters"):
        within(pieces, 1000, 10)
    assert made == 11


def test_several_templates_need_a_default(tmp_path: Path) -> None:
    tokenizer = fast("Unigram")
    whole = ChatCodec(tokenizer, Supervision.CONTENT).whole
    tokenizer.chat_template = {"tools": "{{ 1 }}", "rag": "{{ 2 }}"}
    with pytest.raises(BadInput, match=r"has several chat templates \(rag, tools\)"):
        template_of(tmp_path, tokenizer, whole).render_prompt("hello")
    tokenizer.chat_template = {"tools": "{{ 1 }}", "default": PLAIN}
    assert template_of(tmp_path, tokenizer, whole).source == PLAIN


@pytest.mark.parametrize("supervision", Supervision)
@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_checkpoint_is_asked_token_for_token_as_it_was_trained(
    kind: str, supervision: Supervision, tmp_path: Path
) -> None:
    tokenizer = fast(kind, with_bos=True)
    trained = ChatCodec(tokenizer, supervision)
    tokenizer.chat_template = chat_template(supervision)
    tokenizer.eos_token = "<|im_end|>"  # as `resolve_stop_tokens` has it
    tokenizer.save_pretrained(tmp_path)
    again = load_tokenizer(tmp_path)
    asks = asks_of(tmp_path, again, ChatCodec(again, Supervision.CONTENT))
    exported = AutoTokenizer.from_pretrained(str(tmp_path), local_files_only=True)
    for question in ("the river", "  hello\n", "\n\nthe", "é 한국", "a<|im_end|>b", " "):
        prompt = trained.render([Message("user", question)])
        assert asks.render_prompt(question) == prompt
        if "<|" not in question:
            said = exported.apply_chat_template(
                [{"role": "user", "content": question}],
                add_generation_prompt=True,
                return_dict=False,
            )
            assert said == prompt


def test_a_folder_whose_template_raises_is_refused_by_its_file(tmp_path: Path) -> None:
    save_toy(tmp_path)
    (tmp_path / "chat_template.jinja").write_text(FAULTY["system needed"], encoding="utf-8")
    loaded = load(tmp_path, torch.device("cpu"), Supervision.CONTENT)
    with pytest.raises(BadInput, match=r"chat_template\.jinja: the chat template fails: a system"):
        loaded.prompt_ids("hello")
