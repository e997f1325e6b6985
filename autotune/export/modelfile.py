"""An Ollama Modelfile: the file beside it, the chat template in Go's language, what ends an answer.

Ollama writes prompts by a Go template of its own and not by the one in the GGUF file. Its keys:
docs/modelfile.md of Ollama. Sampling is set to what the model was scored with: greedy, and none of
Ollama's penalty on repetition, which changes even greedy answers.
"""

import json
from collections.abc import Sequence

from autotune.protocol.export_jobs import ChatForm

TURNS = (
    "{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}"
    "<|im_start|>assistant\n"
)
"""ChatML of all turns and the header of the answer; each line's end is part of it."""


def modelfile(weights: str, form: ChatForm | None, stop: Sequence[str], positions: int) -> str:
    """The Modelfile for a file of weights beside it.

    Without a `form` there is no template: Ollama then looks for one that it knows in the file.
    """
    lines = [f"FROM ./{weights}"]
    if form is None:
        lines.append("# The chat template is not ChatML: check what Ollama makes of it.")
    else:
        lead = '{{ "\\n" }}' if form.lead else ""
        lines.append(f'TEMPLATE """{lead}{TURNS}"""')
        if form.system and '"""' not in form.system:
            lines.append(f'SYSTEM """{form.system}"""')
    lines += [f"PARAMETER stop {json.dumps(text, ensure_ascii=False)}" for text in stop]
    lines += [
        "PARAMETER temperature 0",
        "PARAMETER repeat_penalty 1",
        f"PARAMETER num_ctx {positions}",
    ]
    return "\n".join(lines) + "\n"
