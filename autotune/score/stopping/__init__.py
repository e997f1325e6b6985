"""When a checkpoint need not answer the rest of its prompts."""
