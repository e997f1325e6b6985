"""The search for the best model: what to try next, train, score, keep, until the target is met."""
