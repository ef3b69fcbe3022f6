"""Checkpoints of other code bases, converted to ours."""
