"""Chat templates that take tools, well and badly, and tokenizers that have them."""

from typing import Any

from transformers import PreTrainedTokenizerFast

from tests.worker.tokenizer_kinds import tokenizer_of

HEAD = """\
{% if tools %}
<|im_start|>system
Tools:
{% for tool in tools %}
{{ tool.function | tojson }}
{% endfor %}
<|im_end|>
{% endif %}
{% for message in messages %}
{% if message.role == 'tool' %}
{% if loop.previtem.role != 'tool' %}
<|im_start|>user
{% endif %}
<result>{{ message.content }}</result>
{% if loop.last or loop.nextitem.role != 'tool' %}
<|im_end|>
{% endif %}
{% elif message.role == 'assistant' %}
"""
ANSWER = """\
<|im_start|>assistant
{{ message.content }}
{%- for call in message.tool_calls or [] %}
<call>{{ call.function.name }} {{ call.function.arguments | tojson }}</call>
{%- endfor %}
<|im_end|>
"""
TAIL = """\
{% else %}
<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endif %}
{% endfor %}
{% if add_generation_prompt %}
<|im_start|>assistant
{% endif %}
"""
GOOD = HEAD + ANSWER + TAIL
"""ChatML with a list of tools before everything, and results of one user's turn put together."""


def answering(changed: str, to: str) -> str:
    """The good template with another way to write an answer."""
    assert changed in ANSWER
    return HEAD + ANSWER.replace(changed, to) + TAIL


ARGUMENTS = "{{ call.function.arguments | tojson }}"
MARKED = answering("<|im_start|>assistant\n", "<|im_start|>assistant\n{% generation %}").replace(
    "{%- endfor %}\n<|im_end|>\n", "{%- endfor %}\n<|im_end|>\n{% endgeneration %}", 1
)
AS_TEXT = answering(ARGUMENTS, "{{ call.function.arguments }}")
JOINED_TEXT = answering(ARGUMENTS, "{{ '' + call.function.arguments }}")
NO_ARGUMENTS = answering(ARGUMENTS, "")
NO_CALL = answering("call.function.name", "''")
NO_RESULT = GOOD.replace("<result>{{ message.content }}", "<result>")
NO_TOOL = GOOD.replace("tool.function | tojson", "tool.function.name")
NO_ANSWER = answering(
    "{{ message.content }}", "{% if not message.tool_calls %}{{ message.content }}{% endif %}"
)
MOVING = answering("{{ message.content }}", "{{ message.content }}{% if loop.last %}!{% endif %}")
RAISING = answering(
    "{{ message.content }}",
    "{{ message.content }}{{ raise_exception('no tools today') if message.tool_calls }}",
)
NO_TOOLS = GOOD.replace("{% if tools %}", "{% set tools = [] %}{% if tools %}")
BRACKETS = GOOD.replace("<|im_start|>", "[").replace("<|im_end|>", "]")
DATED = "{% if messages | length > 9 %}{{ strftime_now('%d') }}{% endif %}\n" + GOOD
BY_EOS = GOOD.replace("Tools:", "{{ eos_token }}Tools:")
ENDLESS = answering(
    "{{ message.content }}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
)


def having(template: Any, kind: str = "byte-level BPE") -> Any:
    """A tokenizer with a chat template, or with several by name."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer_of(kind), bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    tokenizer.chat_template = template
    return tokenizer
