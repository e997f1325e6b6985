"""The generate job: answers, greedy or sampled, by one of several engines."""
