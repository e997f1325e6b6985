"""A run: its folder and record, the state that follows from them, and what it works with."""
