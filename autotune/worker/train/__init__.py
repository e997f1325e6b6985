"""The train job: steps, batches, loss, optimizer, checkpoints."""
