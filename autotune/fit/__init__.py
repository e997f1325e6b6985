"""What fits into the memory of a device: predicted, tried by real steps, searched for."""
