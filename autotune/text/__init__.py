"""Sentences for a person, from results and records: screen, plain lines and report share them."""
