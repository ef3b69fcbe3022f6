"""Checkpoints of the world: finding, converting, describing them."""

from dsflash_ros.weights.hub import resolve

__all__ = ["resolve"]
