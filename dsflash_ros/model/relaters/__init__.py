"""Relation stages: pairs of segments in, predicates out. `relater.py` says what one is."""
