"""What is assumed of conversations that are not there yet: how many, and how long.

Of the dataset that the profiles for cards name; every time that is made of it is an estimate.
"""

CONVERSATIONS = 6000
"""How many there really are is not known before the data is there."""

TOKENS_A_CONVERSATION = 600
"""At most 1024 tokens of each of ten conversations of smol-smoltalk: 592 on average."""
