"""The checks that `benchmarks/card.py` puts to a machine with a card, one a file."""
