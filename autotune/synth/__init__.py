"""Practice data: prompts with verifiable instructions, and answers that follow them.

Pure: no torch, no files but the texts that prompts are composed from.
"""
