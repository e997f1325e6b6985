"""Chat data: reading files, telling their formats apart, and whole conversations of rounds."""
