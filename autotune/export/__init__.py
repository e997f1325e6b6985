"""The way out of a run: folders that other tools read, each complete or not there."""
