"""Evaluations and comparisons as one HTML file, to be looked at and mailed."""
