"""Short ready-made sentences that fit any topic: keywords, endings, postscripts, first words."""

ODD_WORDS: tuple[tuple[str, str], ...] = (
    ("window", "I wrote this beside an open window."),
    ("neighbor", "My neighbor told me most of it."),
    ("garden", "We once talked about it in the garden."),
    ("teacher", "A good teacher made me curious about it."),
    ("morning", "I like to think about it in the morning."),
    ("pocket", "I keep a small note about it in my pocket."),
    ("letter", "A letter from an old friend reminded me of it."),
    ("mountain", "Someone explained it to me on a mountain path."),
    ("radio", "There was a program about it on the radio."),
    ("blanket", "It is a fine subject for an evening under a blanket."),
    ("village", "Everyone in my village has a story about it."),
    ("ticket", "I would buy a ticket to hear more about it."),
    ("bakery", "People even talk about it at the bakery."),
    ("weather", "It is a nicer subject than the weather."),
    ("puzzle", "At first it seemed like a puzzle to me."),
    ("holiday", "It is a good thing to read about on a holiday."),
    ("captain", "An old captain once taught me about it."),
    ("lantern", "We spoke about it by the light of a lantern."),
    ("doctor", "My doctor likes to talk about it too."),
    ("pencil", "Take a pencil and write down what you learn."),
    ("secret", "It should not stay a secret."),
    ("journey", "Learning about it is a small journey."),
    ("island", "I would take a book about it to a lonely island."),
    ("cousin", "My cousin knows a great deal about it."),
)
"""A keyword that has nothing to do with the topic, and a sentence that brings it in."""

FIRST_WORDS: tuple[tuple[str, str], ...] = (
    ("Weekends", "Weekends are a good time to read about {topic}."),
    ("Teachers", "Teachers often speak about {topic}."),
    ("Children", "Children ask good questions about {topic}."),
    ("Rain", "Rain outside is a fine reason to read about {topic}."),
    ("Books", "Books about {topic} are easy to find."),
    ("Curious", "Curious people want to know more about {topic}."),
    ("Today", "Today anyone can learn about {topic}."),
    ("Friends", "Friends can share what they know about {topic}."),
    ("Patience", "Patience helps when you learn about {topic}."),
    ("Finally", "Finally there is one more thing to say about {topic}."),
    ("Remember", "Remember to keep an open mind about {topic}."),
    ("Listen", "Listen when someone tells you about {topic}."),
    ("Everyone", "Everyone can learn a little about {topic}."),
    ("Imagine", "Imagine a quiet evening with a book about {topic}."),
    ("Questions", "Questions about {topic} are always welcome."),
    ("History", "History has much to tell us about {topic}."),
    ("Some", "Some people could talk about {topic} all day."),
    ("Stories", "Stories about {topic} are fun to share."),
)
"""A word that a paragraph may have to start with, and a sentence that starts with it."""

ENDINGS: tuple[str, ...] = (
    "Thank you for reading.",
    "That is all for now.",
    "Let me know if you want more.",
    "I hope this helps.",
    "Now it is your turn.",
    "Have a wonderful day.",
    "What would you like to know next?",
    "Please ask me again at any time.",
    "And that is the whole story.",
    "See you soon.",
    "Would you like to hear more?",
    "Keep on learning.",
    "Take good care.",
    "Try it and see.",
)
"""Phrases that an answer may have to end with."""

POSTSCRIPTS: tuple[str, ...] = (
    "I can tell you more about {topic} if you like.",
    "Please share this with a friend.",
    "Ask me if anything is unclear.",
    "There is always more to learn about {topic}.",
    "I almost forgot to say thank you.",
    "My sister also likes to read about {topic}.",
    "The best part is still to come.",
    "Do not forget to take a break.",
)
"""What stands behind the marker of a postscript."""

TITLES: tuple[str, ...] = (
    "{title}",
    "A Short Guide to {title}",
    "All About {title}",
    "Notes on {title}",
    "A Closer Look at {title}",
    "Getting to Know {title}",
    "The Joy of {title}",
)
"""Titles; `{title}` is the topic's."""

PLACEHOLDER_LINES: tuple[tuple[int, str], ...] = (
    (2, "We will meet on [date] at [place]."),
    (1, "You can reach me at [phone number]."),
    (1, "Please reply before [deadline]."),
    (1, "The talk will be given by [speaker name]."),
    (2, "It starts at [time] and ends at [end time]."),
    (1, "You can find more at [website]."),
    (1, "Please send questions to [email address]."),
    (2, "Bring [item] and a friend from [town]."),
)
"""How many placeholders a sentence holds, and the sentence."""

MAYBE: tuple[tuple[str, str], ...] = (
    ("Would every child like to learn about {topic}?", "It depends on the child."),
    ("Will I enjoy a book about {topic}?", "It depends on your taste."),
    ("Will the next film that I watch be about {topic}?", "I cannot know that."),
    ("Does my neighbor know a lot about {topic}?", "I do not know your neighbor."),
)
"""Questions about a topic that cannot be answered, and the reason."""

LEADS: tuple[str, ...] = ("Also, ", "In addition, ", "Interestingly, ", "Besides that, ")
"""What may stand before a sentence that is not the first, where commas are welcome."""

GREETING_NAMES: tuple[str, ...] = ("Sam", "Maria", "Tom", "Aisha", "Ken", "Nora", "Luis", "Emma")
SIGNATURES: tuple[str, ...] = ("Alex", "Robin", "Jamie", "Chris", "Dana", "Kim")
GREETINGS: tuple[str, ...] = ("Hi", "Hello", "Dear")
SIGN_OFFS: tuple[str, ...] = ("Best wishes", "Kind regards", "Yours", "All the best")

STUDENT_LINES: tuple[str, ...] = (
    "That is new to me. What else is there?",
    "I did not know that. Please go on.",
    "Good to know. Is there more?",
    "That makes sense. Tell me more.",
)
"""What the student of a dialogue says between two facts."""

COMMON_WORDS: tuple[str, ...] = (
    "very",
    "really",
    "important",
    "thing",
    "nice",
    "always",
    "never",
    "great",
    "amazing",
    "beautiful",
    "best",
    "people",
    "world",
    "interesting",
    "because",
    "however",
    "perfect",
    "just",
)
"""Words that are easy to use by habit, to be forbidden where the answer does without them."""
