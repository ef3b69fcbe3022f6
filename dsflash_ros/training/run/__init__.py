"""A training run, whatever is trained: loop, loading, schedules, checkpoints, progress."""
