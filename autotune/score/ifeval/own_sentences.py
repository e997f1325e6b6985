"""What an answer says itself, as text to practice on: whole sentences, each once.

A small model begins with a preamble or the request, says again what it said, counts on in a loop,
stops in mid-sentence, announces what does not come, and speaks of its rules ("no commas are
allowed") or of itself ("I'm here to help"). What is left when that is gone is still its own, word
for word.
"""

import re
from collections.abc import Iterator

from autotune.score.genuine import without_repeats
from autotune.score.health import loops
from autotune.score.ifeval.pieces import (
    MIN_LEFT,
    Span,
    closed,
    keep,
    pieces,
    renumbered,
    whole_sentences,
)

Run = tuple[str, ...]

RUN = 4
"""Words in a row by which text is found to be said before, as Welleck et al. 2020 (Neural Text
Generation with Unlikelihood Training, arXiv:1908.04319) count repeats in a sequence."""

SAID_BEFORE = 0.8
"""Share of a sentence's runs of words that were said before, so that it says nothing new: in a
loop that counts up, or changes a name each time, the rest of a sentence stays."""

MAX_REPEATED = 0.12
"""Share of an answer's runs of words at most that were said before. Of GPT-4's 541 published IFEval
answers 93 % have no more; of 172 that were sampled from a 135M model half had."""

MAX_REPEATED_WITHIN = 0.2
"""The same of a sentence by itself: above it goes on and on. Of 9 564 sentences of GPT-4's 7 do, of
3 970 of a 135M model 64."""

MIN_COPIED_WORDS = 6
"""Shorter sentences that the prompt has too may be what it asks for, such as "Dear Sir"."""

RESTATED = 0.5
"""Share of the different words of an answer's first sentence that the prompt has, so that it is the
request in other words, if it begins as a sentence of the prompt does."""

_STOPS = ".!?…\"'”’)*"
_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"^\W*\d{1,2}[.)]\s+")
_PREAMBLE = re.compile(
    r"(?:sure|sure thing|certainly|absolutely|of course)[,.!:][^\n]{0,120}"
    r"|(?:\w+[,!] )?(?:i['’]d be|i['’]m|i am|i would be) (?:happy|glad) to (?:help|assist)\b.*"
    r"|(?:below|here)(?:['’]s| is| are)\b[^\n]*:",
    re.IGNORECASE,
)
"""A first sentence that says that an answer comes."""

_AS_AI = re.compile(
    r"""
    \b(?:as|i['’]m|i\ am|you['’]re|you\ are)(?:\ just|\ only)?\ an?\ # as an AI, You're an AI
        (?:\w+\ ){0,3}?(?:ai\b|artificial\ intelligence|(?:large\ )?language\ model|chatbot)
  | \bi(?:['’]m|\ am|\ was)\ (?:designed|programmed|trained)\ to\b
  | \bi(?:['’]m|\ am)\ (?:\w+\ ){0,2}here\ to\ (?:help|assist|answer|provide|support)\b
  | \bi(?:['’]m|\ am)\ (?:\w+\ ){0,2}(?:happy|glad)\ to\ (?:help|assist|answer|provide)\b
  | \bi(?:['’]d|['’]ll|\ would|\ will)\ be\ (?:\w+\ ){0,2}(?:happy|glad)\ to\b
  | \bhappy\ (?:to\ help|helping)\b | \bnot\ an?\ (?:\w+\ )?ai\b
  | \bmy\ primary\ (?:function|goal|objective|purpose)\b
  | \bi\ (?:can|can['’]t|cannot)\ (?:help|assist)\ (?:you\b|with\ (?:that|this)\b)
  | \b(?:not\ be|be)\ able\ to\ assist\b | \bbest\ to\ assist\ you\b
  | \b(?:how|what)\ (?:can|may)\ i\ (?:help|assist|do\ for\ you)
  | \blet\ me\ know\ if\b | \bfeel\ free\ to\ ask\b | \bi\ hope\ th(?:is|at)\ helps\b
  | \byou['’]re\ (?:absolutely\ |quite\ )?right\b | \bsorry\ for\ (?:the|any)\ (?:mis|conf)
  | \bi\ can\ (?:write|provide|create)\b.*\byou\ (?:need|want|like)\b
  | \bi(?:['’]ll|\ will|['’]m\ going\ to)\ (?:compose|rewrite|rephrase)\b
  | \bi(?:['’]ve|\ have)\ (?:\w+\ )?(?:rephrased|rewritten|taken\ a\ few\ liberties)\b
  | \b(?:my|the)\ (?:previous|original)\ (?:response|answer|question|prompt|message|text)\b
  | \bi(?:['’]ve|\ have|['’]m|\ am|\ was)\ (?:been\ )?
        (?:tasked\ with|asked\ to\ (?:writ|creat|compos))
  | \bi(?:['’]ve|\ have)\ (?:got\ you\b|already\ (?:started|begun)\ (?:writing|working)\b)
  | \bhelp\ me\ (?:refine|improve|edit)\b
  | \bi\ can\ (?:create|write|craft|draft|compose|provide|offer)\ (?:you\b|an?\b|some\b)
  | \bsmollm | \bhugging\ ?face\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Talk of an assistant: of itself, or to whoever asks it. Some of it a letter may well say ("Let me
know if you can come"); one sentence less does a letter no harm, while a model that has it in every
tenth chat says it everywhere."""

_ANNOUNCES = re.compile(
    r"""
    \bhere(?:['’]s|\ is)\ (?:an?|my|your|the)\ (?:[\w'’-]+\ ){0,4}?(?:poem|song|rap|limerick|lullaby
        |story|essay|article|post|letter|e-?mail|speech|tweet|riddle|joke|script|dialogue|resume
        |rubric|outline|survey|questionnaire|draft|version|example|sample|template)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""That the text that was asked for comes now, wherever it is said: "Here's a song about tea"."""

_COUNTED = r"(?:\d+|one|two|three|four|five|six|seven|eight|nine|ten|several)"
_OF_RULES = re.compile(
    rf"""
    \bcommas?\b | \bkeywords?\b | \basterisks?\b | \bplaceholders?\b | \bpostscripts?\b
  | \b(?:lower|upper)[\ -]?case\b | \ball[\ -](?:caps|capitals)\b | \bquotation\ marks?\b
  | \b(?:capital|small|block)\ letters?\b | \bcapitali[sz]ed\ (?:words?|letters?)\b
  | \bletters?\ (?:["'“‘*]+\w\b|[b-hj-z]\b) | \bcombination\ of\ letters\b   # the letters 'x'
  | \bwords?\ (?:like\ )?["“‘'*] | \busing\ ["“]
  | \bwithout\ (?:using\ |saying\ )?(?:the|any)\ (?:words?|letters?)\b
  | \b(?:use|using|used|say|saying|avoid\w*)\ the\ words?\b
  | \bthe\ word\ \w+\ (?:can|may|must|should|is|means|again)\b | \bword\ again\b
  | \bbullet(?:ed)?[\ -](?:points?|lists?)\b | ^\W*(?:an?\ )?bullet\b
  | \bhighlighted\ (?:sections?|parts?|words?|text|like)\b | \bsections?\ highlighted\b
  | \b(?:square|angular|double|inside\ the|in)\ brackets\b
  | \b{_COUNTED}(?:-\d+)?\ (?:or\ (?:more|fewer|less)\ )?(?:\w+\ )?(?:sentences?|paragraphs?
        |sections?|bullets?)\b                                              # with four paragraphs
  | \b(?:this|each|first|second|third|next|last|final)\ (?:paragraph|section)\b
  | \b(?:exactly|at\ (?:least|most)|(?:fewer|less|more)\ than|under|over)\ {_COUNTED}\ words?\b
  | \bas\ (?:you(?:['’]ve|\ have)?\ )?(?:requested|instructed|asked\ for)\b
  | \byour\ (?:requests?|instructions?|prompt|requirements|constraints?)\b
  | \bmy\ title\b
  | \bhere(?:['’]s|\ is|\ are)\ (?:my|the|your|a)\ (?:\w+\ )?(?:title|answer|response)
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""What only an instruction of IFEval's kinds makes an answer speak of: "No commas are allowed",
"doesn't have the letters 'x'", "exactly 3 bullet points", "here is my title". It is odd where
nobody asks for it, and where somebody does it teaches to talk of a rule. A lesson on commas loses
its sentences too: practice asks for none."""


def own_sentences(asked: str, answer: str, finished: bool) -> str:
    """The answer without what it need not say, the sentences of `asked` among it.

    `finished` is whether the model ended it by itself: else its last sentence goes if it is not
    whole. Empty where most of it speaks of its rules or of itself: so does what is left.
    """
    if _mostly_aside(asked, answer):
        return ""
    text = answer.strip() if finished else whole_sentences(answer.strip())
    told = [words_of(asked[slice(*span)]) for span in pieces(asked)]
    before = {run for words in told if len(words) >= MIN_COPIED_WORDS for run in _runs(words)}
    kept = {
        span
        for span in _without_beginning(text, told, _new(text, before))
        if not goes_on(piece := text[slice(*span)]) and not _is_aside(asked, piece)
    }
    said = {span for span in kept if not _ANNOUNCES.search(text[slice(*span)])}
    once = renumbered(keep(text, said or kept))
    return closed(whole_sentences(without_repeats(once)) if loops(once) else once)


def repeated(text: str) -> float:
    """The share (0..1) of a text's runs of RUN words that were said before in it."""
    words = words_of(text)
    runs = [tuple(words[at : at + RUN]) for at in range(len(words) - RUN + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def goes_on(piece: str) -> bool:
    """Whether a sentence loops, be it ended at last."""
    return loops(piece.rstrip(_STOPS)) or repeated(piece) > MAX_REPEATED_WITHIN


def speaks_aside(asked: str, text: str) -> bool:
    """Whether a sentence speaks of its rules, of itself or of the text to come.

    Of itself not where it is a sentence of `asked`, word for word.
    """
    told = (text[slice(*span)] for span in pieces(text))
    return any(_is_aside(asked, piece) or _ANNOUNCES.search(piece) is not None for piece in told)


def _is_aside(asked: str, piece: str) -> bool:
    if _OF_RULES.search(piece):
        return True
    # An ending that is asked for may be such talk: "Let me know if you want more."
    said = " ".join(words_of(piece))
    return _AS_AI.search(piece) is not None and said not in " ".join(words_of(asked))


def _mostly_aside(asked: str, text: str) -> bool:
    """Whether less than MIN_LEFT of the words are in sentences that do not."""
    words = [(span, len(words_of(text[slice(*span)]))) for span in pieces(text)]
    left = sum(count for span, count in words if not _is_aside(asked, text[slice(*span)]))
    return left < MIN_LEFT * sum(count for _, count in words)


def different_words(text: str) -> set[str]:
    """Its different words, in small letters, without numbers: a list that counts says nothing."""
    return {word for word in words_of(text) if not word.isdecimal()}


def words_of(text: str) -> list[str]:
    """Its words in small letters."""
    return _WORD.findall(text.lower())


def _without_beginning(text: str, asked: list[list[str]], spans: Iterator[Span]) -> list[Span]:
    """The spans without a preamble and the request before all others."""
    left = list(spans)
    while len(left) > 1 and _begins_empty(text[slice(*left[0])], asked):
        left = left[1:]
    return left


def _begins_empty(piece: str, asked: list[list[str]]) -> bool:
    """Whether a first sentence says that an answer comes, or what is asked for."""
    if _PREAMBLE.fullmatch(piece.strip("*_# ")):
        return True
    words = words_of(piece)
    known = {word for each in asked for word in each}
    again = sum(word in known for word in set(words)) >= RESTATED * len(set(words))
    return again and any(words[:2] == each[:2] for each in asked if len(each) > 2)


def _new(text: str, before: set[Run]) -> Iterator[Span]:
    """The pieces that say what was not said before in the text, nor in the runs of `before`.

    A single word, such as who speaks, may come again, but not twice running.
    """
    said = set(before)
    last = ""
    for span in pieces(text):
        piece = text[slice(*span)]
        runs = set(_runs(words_of(_NUMBER.sub("", piece))))
        again = len(runs & said) >= SAID_BEFORE * len(runs) if runs else piece == last
        if not again:
            last = piece
            yield span
        said |= runs


def _runs(words: list[str]) -> list[Run]:
    """Its runs of RUN words, or all of its words where it has fewer; none of a single word."""
    size = min(RUN, len(words))
    return [tuple(words[at : at + size]) for at in range(len(words) - size + 1 if size > 1 else 0)]
