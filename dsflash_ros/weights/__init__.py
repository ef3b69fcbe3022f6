"""Weights by name: finding, fetching and describing checkpoints."""

from dsflash_ros.weights.hub import resolve

__all__ = ["resolve"]
