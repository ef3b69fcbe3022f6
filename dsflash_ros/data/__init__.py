"""Data sets in the format of PSG: reading, writing, augmenting."""
