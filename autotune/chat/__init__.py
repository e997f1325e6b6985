"""Talking with a model in a terminal: the talk, and the worker that answers."""
