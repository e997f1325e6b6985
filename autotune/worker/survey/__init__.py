"""The survey job: the data counted in tokens, and samples of it for a person."""
