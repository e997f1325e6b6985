"""Whether a chat template is plain ChatML, by what it writes.

Other programs have templates of their own kind, and ChatML can be said in each.
"""

from autotune.protocol.export_jobs import ChatForm
from autotune.worker.tokens.chatml import END, START
from autotune.worker.tokens.template import TemplateFault, render

_ASKED = ({"role": "user", "content": "qzk"},)
_LONG = (
    {"role": "system", "content": "sqz"},
    {"role": "user", "content": "qzk one"},
    {"role": "assistant", "content": "zqk"},
    {"role": "user", "content": "qzk two"},
)


def form_of(source: str, tokens: dict[str, str]) -> ChatForm | None:
    """The ChatML that a template writes; None where it writes anything else."""
    try:
        asked = render(source, _ASKED, tokens)
        said = render(source, _LONG, tokens)
    except TemplateFault:
        return None
    plain = written(_ASKED)
    if not asked.endswith(plain):
        return None
    before = asked.removesuffix(plain)
    lead = "\n" if before.startswith("\n") else ""
    system = before.removeprefix(lead)
    if system:
        head, tail = f"{START}system\n", f"{END}\n"
        if not (system.startswith(head) and system.endswith(tail)):
            return None
        system = system.removeprefix(head).removesuffix(tail)
        if START in system or END in system:
            return None
    return ChatForm(lead=lead, system=system) if said == lead + written(_LONG) else None


def written(turns: tuple[dict[str, str], ...]) -> str:
    """Turns in plain ChatML, and the header of the answer to come."""
    said = "".join(f"{START}{turn['role']}\n{turn['content']}{END}\n" for turn in turns)
    return f"{said}{START}assistant\n"
