"""The kinds of text that a demo request asks for, and how each kind opens and closes."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How the sentences of an answer are laid out where no instruction says otherwise."""

    PROSE = "prose"
    LETTER = "letter"
    POST = "post"
    DIALOGUE = "dialogue"
    VERSE = "verse"
    ITEMS = "items"


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of text. `{topic}` stands for the topic's name, `{items}` for its list's name.

    `tips` says that advice comes before facts. openings and closings hold no commas and no
    names. `{fact}` is a fact in the request; `{question}` and `{reply}` are a yes-or-no question
    and its answer.
    """

    name: str
    kind: Kind
    requests: tuple[str, ...]
    openings: tuple[str, ...] = ()
    closings: tuple[str, ...] = ()
    tips: bool = False


FORMS: tuple[Form, ...] = (
    Form(
        "explanation",
        Kind.PROSE,
        (
            "Tell me about {topic}.",
            "Explain {topic} in simple words.",
            "What should a beginner know about {topic}?",
            "Give a short description of {topic}.",
            "I would like to understand {topic} a little better. Where should I start?",
            "Can you sum up the basics of {topic}?",
        ),
        (
            "Here is a short look at {topic}.",
            "There is a lot to learn about {topic}.",
            "A few simple facts are enough to understand {topic}.",
        ),
        ("These are the basics of {topic}.", "That is the main idea."),
    ),
    Form(
        "blog post",
        Kind.PROSE,
        (
            "I need a blog post about {topic}. Keep it short.",
            "Draft a blog entry on {topic} for curious readers.",
            "I run a small blog. Write a post about {topic} for it.",
        ),
        (
            "Today I want to share a few thoughts about {topic}.",
            "Welcome back to the blog.",
            "Many readers have asked me about {topic}.",
        ),
        (
            "I hope this made you curious about {topic}.",
            "Tell me what you think in the comments.",
        ),
    ),
    Form(
        "essay",
        Kind.PROSE,
        (
            "Please compose a brief essay on {topic}.",
            "Compose a short school essay about {topic}.",
            "Write a small article about {topic} for a local paper.",
        ),
        (
            "It is easy to overlook {topic}.",
            "Few subjects are as pleasant as {topic}.",
            "This text gives a brief view of {topic}.",
        ),
        ("In short there is much to enjoy about {topic}.", "It is worth a closer look."),
    ),
    Form(
        "speech",
        Kind.PROSE,
        (
            "Write the opening of a friendly speech about {topic}.",
            "I have to say a few words about {topic} in class. What could I say?",
            "Write a one minute talk on {topic}.",
        ),
        (
            "Good morning everyone.",
            "Thank you all for coming.",
            "I am happy to speak about {topic} today.",
        ),
        ("Thank you for listening.", "I hope you will remember one of these points."),
    ),
    Form(
        "guide",
        Kind.PROSE,
        (
            "Give me some practical advice about {topic}.",
            "Write a small guide to {topic} for beginners.",
            "What are good tips about {topic}?",
            "My friend wants to get into {topic}. What advice would help?",
        ),
        (
            "Here is some simple advice about {topic}.",
            "A few habits make a big difference.",
            "It is best to start small.",
        ),
        ("Take your time and enjoy it.", "Small steps are enough."),
        tips=True,
    ),
    Form(
        "pitch",
        Kind.PROSE,
        (
            "Write a short pitch for a documentary about {topic}.",
            "Propose a school project about {topic}.",
            "Write a brief review of a book about {topic}.",
        ),
        (
            "It is time for something new about {topic}.",
            "Everyone should hear more about {topic}.",
        ),
        ("This deserves a place in every school.", "There is plenty to show and to tell."),
    ),
    Form(
        "expansion",
        Kind.PROSE,
        (
            'Can you say more about this? "{fact}"',
            'Continue from this sentence: "{fact}"',
            'Write a short paragraph that builds on this idea: "{fact}"',
        ),
        ("There is more to say.", "That is only the start."),
        ("All of this belongs together.",),
    ),
    Form(
        "question",
        Kind.PROSE,
        (
            "{question} Explain your answer.",
            "{question}",
            'A child asked me: "{question}" What should I say?',
        ),
        ("{reply}",),
    ),
    Form(
        "diary",
        Kind.PROSE,
        (
            "Write a diary entry by someone who spent the day reading about {topic}.",
            "Write a page of a journal about discovering {topic}.",
        ),
        (
            "Today I spent an hour reading about {topic}.",
            "I finally had time to read about {topic} today.",
        ),
        ("I went to bed with a full head.", "Tomorrow I want to learn even more."),
    ),
    Form(
        "story",
        Kind.PROSE,
        (
            "Can you tell a very short story about a child who asks about {topic}?",
            "Tell a tiny story in which a grandmother explains {topic}.",
        ),
        (
            "A small girl asked her grandmother about {topic}.",
            "One rainy evening a boy asked his grandmother about {topic}.",
        ),
        (
            "The child smiled and asked for one more story.",
            "After that the child fell asleep.",
        ),
    ),
    Form(
        "email",
        Kind.LETTER,
        (
            "Please write an email to a friend about {topic}.",
            "Write an email to my class about {topic}.",
            "Draft a brief email to a colleague who asked me about {topic}.",
        ),
        (
            "I hope you are well.",
            "You asked me about {topic} last week.",
            "I have been reading about {topic}.",
        ),
        ("Write back when you have time.", "I look forward to your reply."),
    ),
    Form(
        "letter",
        Kind.LETTER,
        (
            "Write a friendly letter to a neighbor about {topic}.",
            "Write a letter to a young relative who wants to know more about {topic}.",
            "Compose a short letter that invites someone to a talk about {topic}.",
        ),
        (
            "Thank you for your kind note.",
            "I want to tell you something about {topic}.",
        ),
        ("Please come and visit soon.", "I would love to talk about this with you."),
    ),
    Form(
        "post",
        Kind.POST,
        (
            "Write something about {topic} that I can post on social media.",
            "Make a cheerful post about {topic} for a community page.",
            "Announce an evening of talks on {topic}.",
            "Create a flyer for a workshop about {topic}.",
            "Write an advertisement for a course about {topic}.",
        ),
        (
            "Do you want to know more about {topic}?",
            "Here is something new about {topic}!",
            "Our evening about {topic} is coming soon!",
            "Come and learn about {topic} with us!",
        ),
        ("Tell a friend about it!", "Share your own story below!"),
    ),
    Form(
        "dialogue",
        Kind.DIALOGUE,
        (
            "Let a teacher and a student talk about {topic}. Write their dialogue.",
            "Write a conversation in which a student asks a teacher about {topic}.",
        ),
    ),
    Form(
        "verse",
        Kind.VERSE,
        (
            "Write a poem about {topic}.",
            "Write four rhyming lines about {topic}.",
            "Make up a little verse on {topic}.",
            "Write one verse of a song about {topic}.",
            "Write a rhyme about {topic} for small children.",
        ),
    ),
    Form(
        "items",
        Kind.ITEMS,
        (
            "List some {items}.",
            "Name a few {items}.",
            "What are some {items}?",
        ),
        ("Here is the list.", "These come to mind first."),
    ),
)
"""Every form, in a fixed order."""
