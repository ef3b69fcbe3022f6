"""Segmenters: images in, masks, classes and features out. `segmenter.py` says what one is."""
