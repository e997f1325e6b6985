"""What every part stands on: errors, files, sizes, and how figures are written."""
