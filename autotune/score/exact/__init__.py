"""Exact final answers: sums, numbers, names. `--scorer exact --prompts FILE`; torch-free."""
