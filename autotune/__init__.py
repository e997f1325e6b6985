"""Fits, trains and scores a small chat model on a small machine."""
