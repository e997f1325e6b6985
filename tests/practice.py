"""Practice data on record: that it began, that it was made, and its card."""

from autotune.protocol import events
from autotune.protocol.choices import Asked
from autotune.synth.card import PracticeCard
from autotune.synth.counts import KindCount, LengthCount, PracticeCounts, Words

STARTED = events.PracticeStarted(
    name="model",
    model="toy",
    device="CPU",
    device_kind="cpu",
    asked=3,
    samples=1,
    prompts=9,
    near_copies=0,
    held_out=(),
    settings="0",
)
MADE = events.PracticeMade(
    name="model", sha256="0", settings="0", answers=3, conversations=2, as_sampled=1
)

CARD_MADE = PracticeCard(
    model="toy",
    model_digest="ab" * 32,
    seed=42,
    temperature=0.7,
    top_p=0.95,
    max_new_tokens=320,
    variants=3,
    samples=1,
    ask=Asked.TASK,
    words=(25, 120),
    held_out_kinds=("startend:quotation",),
    near_copies=1,
    counts=PracticeCounts(
        tasks=3,
        prompts=9,
        samples=3,
        sampled_tokens=600,
        unknown=0,
        texts=9,
        as_sampled=2,
        usable=6,
        unusable={"loop": 2, "does not follow": 1},
        unfollowed={"language:response_language": 1},
        kept=5,
        kept_as_sampled=2,
        kinds=(
            KindCount(kind="punctuation:no_comma", asked=4, usable=3, kept=3, as_sampled=1),
            KindCount(
                kind="detectable_format:number_highlighted_sections",
                asked=4,
                usable=3,
                kept=2,
                as_sampled=1,
            ),
        ),
        words=Words(mean=101.4, first_quartile=60, median=90, third_quartile=140),
        lengths=(
            LengthCount(least=0, below=50, kept=1),
            LengthCount(least=50, below=None, kept=4),
        ),
    ),
)
