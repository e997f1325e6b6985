"""A model as a GGUF file: written, read back, compared."""
