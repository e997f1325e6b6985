"""The predict job: the memory of a training step, without a device and without weights."""
