"""The generate job: greedy answers by one of several engines."""
