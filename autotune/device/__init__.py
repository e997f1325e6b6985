"""The devices of this machine: which there are, what is free on them, what holds them back."""
