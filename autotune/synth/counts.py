"""What became of the prompts and the sampled answers, in numbers."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, quantiles

from autotune.base.model import Boundary
from autotune.score.answers import Answer
from autotune.score.ifeval.amended import Unusable
from autotune.synth.chats import BANDS, PracticeChat
from autotune.synth.prompts import PracticePrompt


class KindCount(Boundary):
    """Of one kind of instruction: the prompts that ask for it, and the chats.

    `usable` are prompts to which at least one text follows, `kept` those of which one is kept,
    `as_sampled` the kept ones whose answer is the model's own, character for character.
    """

    kind: str
    asked: int
    usable: int
    kept: int
    as_sampled: int


class LengthCount(Boundary):
    """How many kept chats have at least `least` words and fewer than `below`; None: any number."""

    least: int
    below: int | None
    kept: int


class Words(Boundary):
    """Words of the kept answers: the mean, and what a quarter, half and three quarters reach."""

    mean: float
    first_quartile: float
    median: float
    third_quartile: float


class PracticeCounts(Boundary):
    """From prompts to kept chats.

    `prompts` of `tasks` were composed. `samples` answers, of `sampled_tokens` together, belong to
    one that was asked, `unknown` ones to none. `texts` is how often an answer was held against a
    prompt: `as_sampled` of them pass as they are and `usable` after amending; of the others
    `unusable` says why not, and `unfollowed` the kinds that no edit made them follow. `kept` chats
    are the practice data, `kept_as_sampled` of them as they were sampled.
    """

    tasks: int
    prompts: int
    samples: int
    sampled_tokens: int
    unknown: int
    texts: int
    as_sampled: int
    usable: int
    unusable: dict[str, int]
    unfollowed: dict[str, int]
    kept: int
    kept_as_sampled: int
    kinds: tuple[KindCount, ...]
    words: Words | None
    lengths: tuple[LengthCount, ...]


def asked_for(prompts: Iterable[PracticePrompt]) -> Counter[str]:
    """How many prompts have each kind of instruction."""
    return Counter(kind for prompt in prompts for kind in set(prompt.instruction_id_list))


def counts_of(
    prompts: Sequence[PracticePrompt],
    usable: Sequence[PracticeChat],
    unusable: Sequence[Unusable],
    kept: Sequence[PracticeChat],
    *,
    samples: Sequence[Answer],
    unknown: int,
) -> PracticeCounts:
    """The counts of practice that was made of `samples`, the answers that belong to a prompt."""
    own = [chat for chat in kept if chat.amended.as_sampled]
    return PracticeCounts(
        tasks=len({prompt.task for prompt in prompts}),
        prompts=len(prompts),
        samples=len(samples),
        sampled_tokens=sum(answer.new_tokens or 0 for answer in samples),
        unknown=unknown,
        texts=len(usable) + len(unusable),
        as_sampled=sum(chat.amended.as_sampled for chat in usable),
        usable=len(usable),
        unusable=_most_first(Counter(each.reason for each in unusable)),
        unfollowed=_most_first(Counter(kind for each in unusable for kind in each.unfollowed)),
        kept=len(kept),
        kept_as_sampled=len(own),
        kinds=_kinds(
            asked_for(prompts),
            asked_for({chat.prompt.key: chat.prompt for chat in usable}.values()),
            asked_for(chat.prompt for chat in kept),
            asked_for(chat.prompt for chat in own),
        ),
        words=_words([chat.words for chat in kept]),
        lengths=_lengths(Counter(chat.band for chat in kept)),
    )


def _most_first(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))


def _kinds(
    asked: Mapping[str, int],
    usable: Mapping[str, int],
    kept: Mapping[str, int],
    own: Mapping[str, int],
) -> tuple[KindCount, ...]:
    return tuple(
        KindCount(
            kind=kind,
            asked=asked[kind],
            usable=usable.get(kind, 0),
            kept=kept.get(kind, 0),
            as_sampled=own.get(kind, 0),
        )
        for kind in sorted(asked)
    )


def _words(words: Sequence[int]) -> Words | None:
    if not words:
        return None
    several = [*words, *words]  # quartiles of one value need a second; others stay as they are
    first, median, third = quantiles(several, method="inclusive")
    return Words(mean=fmean(words), first_quartile=first, median=median, third_quartile=third)


def _lengths(bands: Mapping[int, int]) -> tuple[LengthCount, ...]:
    ends = (0, *BANDS, None)
    return tuple(
        LengthCount(least=ends[band] or 0, below=ends[band + 1], kept=bands.get(band, 0))
        for band in range(len(BANDS) + 1)
    )
