"""Training: the relation stage on a frozen segmenter, and the segmenter itself."""
