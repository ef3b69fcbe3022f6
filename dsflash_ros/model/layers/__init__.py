"""Layers that segmenters and relation stages share."""
