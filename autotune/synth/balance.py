"""Which chats are kept, so that practice has each kind of instruction, and long and short answers.

Kinds follow their share of the prompts by Sainte-Laguë's method: the next chat is one of the kind
whose (kept + 1/2) / asked is the least, so that every beginning of the order is as near to the
shares as can be, and a lower limit keeps a beginning of what a higher one keeps.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from math import ceil

from autotune.synth.chats import PracticeChat

FAIR = 2
"""A kind has at most so many times its share. Answers that can be mended for any prompt, such as by
a postscript, would else crowd out what the model has to learn more of."""


STRAINED = 0.05
"""Share of the chats that are kept in which an edit strains, at most: they are what a model learns
to write instead of an answer, and a few are enough to show that a keyword has to be there."""


def balanced(
    chats: Sequence[PracticeChat], asked: Mapping[str, int], limit: int | None = None
) -> list[PracticeChat]:
    """The chats that are kept, `limit` at most, in the order in which they were chosen.

    `asked` is how many prompts have each kind; its share is counted among the kinds that there is a
    chat of. Of the kind that is next a chat is taken in which no edit strains, if there is one;
    then one of the length of which fewest are kept (`chats.BANDS`); then the one that comes first
    in `chats`. Without a limit all are kept, but for the last chosen of a kind that has more than
    `FAIR` times its share, and strained ones beyond `STRAINED` of what is kept so far.
    """
    return _with_few_strained(_fair(_in_turn(chats, asked), asked))[:limit]


def _in_turn(chats: Sequence[PracticeChat], asked: Mapping[str, int]) -> list[PracticeChat]:
    """All chats, in the order in which they are chosen."""
    waiting: dict[str, dict[tuple[bool, int], list[PracticeChat]]] = defaultdict(dict)
    for chat in reversed(chats):  # so that the first is the last of its list, and popped first
        for kind in chat.kinds:
            group = (bool(chat.amended.strained), chat.band)
            waiting[kind].setdefault(group, []).append(chat)
    kinds: Counter[str] = Counter()
    lengths: Counter[int] = Counter()
    chosen: dict[int, PracticeChat] = {}
    while waiting:
        kind = min(waiting, key=lambda each: ((kinds[each] + 0.5) / asked[each], each))
        groups = waiting[kind]
        group = min(groups, key=lambda each: (each[0], lengths[each[1]], each[1]))
        chat = groups[group].pop()
        if not groups[group]:
            del groups[group]
        if not groups:
            del waiting[kind]
        if chat.prompt.key not in chosen:  # else it was chosen for another of its kinds
            chosen[chat.prompt.key] = chat
            kinds.update(chat.kinds)
            lengths[chat.band] += 1
    return list(chosen.values())


def _fair(chosen: Sequence[PracticeChat], asked: Mapping[str, int]) -> list[PracticeChat]:
    """Without the last of the kinds that have more than `FAIR` times their share."""
    kept = list(chosen)
    counts = Counter(kind for chat in kept for kind in chat.kinds)
    all_asked = sum(asked[kind] for kind in counts)
    for chat in reversed(chosen):
        most = FAIR * counts.total() / all_asked if all_asked else 0
        if any(counts[kind] > ceil(most * asked[kind]) for kind in chat.kinds):
            kept.remove(chat)
            counts.subtract(chat.kinds)
    return kept


def _with_few_strained(chosen: Sequence[PracticeChat]) -> list[PracticeChat]:
    """Every beginning has its share of strained chats at most, rounded up."""
    kept: list[PracticeChat] = []
    strained = 0
    for chat in chosen:
        if chat.amended.strained:
            if strained + 1 > ceil(STRAINED * (len(kept) + 1)):
                continue
            strained += 1
        kept.append(chat)
    return kept
