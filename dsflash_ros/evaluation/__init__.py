"""Evaluation under the single-mask-per-object protocol."""
