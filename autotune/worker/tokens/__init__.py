"""Between text and token ids: tokenizers, chat templates, and which tokens are supervised."""
