"""Weights by name: finding, fetching, opening and describing checkpoints."""
