"""Scoring answers without a model: prompts, checkers, health and intervals; torch-free."""
