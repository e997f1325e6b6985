"""All that crosses the pipe to a worker or is kept in a run: plans, jobs, results, events."""
