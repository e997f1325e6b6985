"""What `inspect` found, made by hand: for tests of what is decided and shown."""

from autotune.config.profile import Profile
from autotune.data.survey import Survey
from autotune.fit.data_report import DataReport, placed
from autotune.protocol.choices import Supervision
from autotune.protocol.inspection import Inspection, Sample, StopTokens, TextRun
from autotune.protocol.plan import Rounds
from tests import setups


def runs(*parts: tuple[str, bool]) -> tuple[TextRun, ...]:
    """Runs of text, each with whether it is trained on; a chat token is a marker."""
    return tuple(
        TextRun(text=text, trained=trained, marker=text.startswith("<|"), ids=(at,))
        for at, (text, trained) in enumerate(parts)
    )


def found(**changes: object) -> Inspection:
    """An inspection of a small chat file."""
    values: dict[str, object] = {
        "format": "messages",
        "reason": "4 of 4 records have a list under 'messages'",
        "trimmed": 0,
        "left_out": 0,
        "roles": {"user": 5, "assistant": 5},
        "source_roles": {"user": 5, "assistant": 5},
        "supervision": Supervision.CONTENT,
        "stop": StopTokens(end_token="<|im_end|>", end_id=2, eos_token="<|endoftext|>", eos_id=0),
        "samples": (
            Sample(
                conversation=0,
                tokens=9,
                supervised_tokens=3,
                runs=runs(
                    ("<|im_start|>", False),
                    ("user\n2 + 2?", False),
                    ("<|im_end|>", False),
                    ("\n", False),
                    ("<|im_start|>", False),
                    ("assistant\n", False),
                    ("Four.", True),
                    ("<|im_end|>", True),
                    ("\n", False),
                ),
            ),
        ),
    }
    return Inspection.model_validate(values | changes)


def inspected(
    survey: Survey,
    profile: Profile | None = None,
    *,
    length: int = 1024,
    rounds: Rounds = "all",
    **changes: object,
) -> DataReport:
    """A survey looked at from one point, with the strategies of a profile."""
    return placed(
        profile or setups.profile(setups.strategy("A"), setups.strategy("B", max_rounds="all")),
        survey,
        found(**changes),
        model_label="toy",
        data_label="chat.jsonl",
        positions=8192,
        point=(length, rounds),
    )
