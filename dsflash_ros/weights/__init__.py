"""Checkpoints of the world: finding, converting, describing them."""
