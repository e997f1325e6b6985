"""What of this machine helps or hinders a training: one finding a check, each with its remedy."""
